//! The door for operators: who may register, who is connected, and what happens to it.
//!
//! JSON in and out; every failure is a [`Problem`] (`application/problem+json`, RFC 9457) that names the member or parameter
//! and the reason. Everything below `/operator` wants an operator's bearer token first ([`auth`]), also what does not exist;
//! who it is ([`people`]) decides whether they may change anything, and every change leaves its line in the [`audit`] trail.
//! Requests are read strictly: an unknown member or parameter is an error, because a misspelt wish must not look granted.
//!
//! A new list of things belongs here; start with [`platforms`], and with [`body`] and [`page`] for its tools.

pub mod agreements;
pub mod audit;
pub mod auth;
pub mod body;
pub mod cases;
pub mod cdrs;
pub mod contracts;
pub mod controls;
pub mod duties;
pub mod heard;
pub mod extract;
pub mod journal;
pub mod keys;
pub mod overview;
pub mod page;
pub mod parties;
pub mod people;
pub mod platforms;
pub mod problem;
pub mod rechecks;
pub mod retention;
pub mod transparency;
pub mod view;

use actix_web::{HttpRequest, HttpResponse};

pub use body::{Members, Query};
pub use page::Page;
pub use problem::Problem;

/// The answer to a path that is not served.
pub async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("there is nothing at this URL"))
}

/// The answer to a method a path does not have.
pub(super) fn wrong_method(allow: String) -> actix_web::Route {
    actix_web::web::to(move |request: HttpRequest| {
        let allow = allow.clone();
        async move { Err::<HttpResponse, Problem>(Problem::method_not_allowed(request.method().as_str(), &allow)) }
    })
}
