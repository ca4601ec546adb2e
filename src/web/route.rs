//! One line of the table of what is served.

use std::borrow::Cow;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Resource, Responder, web};

/// Which of the described interfaces a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// `openapi/ocpi.yaml`
    Ocpi,
    /// `openapi/partner.yaml`: partners, and what anybody may read.
    Partner,
    /// `openapi/operator.yaml`
    Operator,
}

/// A method and a path template, where it is described, and what serves it.
pub struct Route {
    /// The HTTP method.
    pub method: Method,
    /// The template, written alike for actix and OpenAPI: `/ocpi/{version}/credentials`.
    pub path: Cow<'static, str>,
    /// Where it is described.
    pub document: Document,
    serve: Box<dyn Fn() -> actix_web::Route>,
}

macro_rules! method {
    ($name:ident, $method:ident) => {
        /// A route of this method.
        pub fn $name<H, Args>(path: &'static str, document: Document, handler: H) -> Route
        where
            H: Handler<Args>,
            Args: FromRequest + 'static,
            H::Output: Responder + 'static,
        {
            Route::new(Method::$method, path, document, handler)
        }
    };
}

impl Route {
    /// A route of any method.
    pub fn new<H, Args>(method: Method, path: impl Into<Cow<'static, str>>, document: Document, handler: H) -> Route
    where
        H: Handler<Args>,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        let to = method.clone();
        let serve = Box::new(move || web::method(to.clone()).to(handler.clone()));
        Route {
            method,
            path: path.into(),
            document,
            serve,
        }
    }

    method!(get, GET);
    method!(post, POST);
    method!(put, PUT);
    method!(patch, PATCH);
    method!(delete, DELETE);
}

/// The routes grouped by path, in the order in which each path first appears.
pub(super) fn by_path(routes: Vec<Route>) -> Vec<(Cow<'static, str>, Vec<Route>)> {
    let mut paths: Vec<(Cow<'static, str>, Vec<Route>)> = Vec::new();
    for route in routes {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, same)) => same.push(route),
            None => paths.push((route.path.clone(), vec![route])),
        }
    }
    paths
}

/// What remains of a path below a prefix.
pub(super) fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The `Allow` header of a path.
pub(super) fn allow(routes: &[Route]) -> String {
    routes
        .iter()
        .map(|route| route.method.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// One actix resource with all methods of a path, and what answers the others.
pub(super) fn resource(path: &str, routes: &[Route], otherwise: actix_web::Route) -> Resource {
    let resource = routes
        .iter()
        .fold(web::resource(path), |resource, route| resource.route((route.serve)()));
    resource.default_service(otherwise)
}
