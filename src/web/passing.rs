//! What is seen of a request while it is in the house: begun at the threshold, named by whoever finds out, counted and told at its end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode as Http};
use actix_web::{HttpMessage as _, HttpRequest};

use super::route::below;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::status::StatusCode;
use crate::routing::directory::Platform;
use crate::seeing::{Direction, Ended, Hop, Hops, Module};

/// One request.
pub struct Passing {
    begun: Instant,
    module: Module,
    method: Method,
    hops: Arc<Hops>,
    platform: RefCell<Option<Arc<Platform>>>,
    ids: RefCell<MessageIds>,
}

/// Held at the threshold: a request that is dropped there was given up by its caller.
pub struct Watched {
    passing: Rc<Passing>,
    has_ended: Cell<bool>,
}

impl Passing {
    /// A request comes in; `path` is as it will be routed.
    #[must_use]
    pub fn begin(request: &HttpRequest, path: &str, hops: Arc<Hops>) -> Watched {
        let passing = Rc::new(Passing {
            begun: Instant::now(),
            module: module_of(path),
            method: request.method().clone(),
            hops,
            platform: RefCell::default(),
            ids: RefCell::new(MessageIds::read(|name| {
                request.headers().get(name).and_then(|value| value.to_str().ok())
            })),
        });
        request.extensions_mut().insert(passing.clone());
        Watched {
            passing,
            has_ended: Cell::new(false),
        }
    }

    /// Its caller is known.
    pub fn is_of(request: &HttpRequest, platform: &Arc<Platform>) {
        if let Some(passing) = request.extensions().get::<Rc<Passing>>() {
            *passing.platform.borrow_mut() = Some(platform.clone());
        }
    }

    /// Its ids are these, also where it brought none (M-08).
    pub fn is_called(request: &impl actix_web::HttpMessage, ids: &MessageIds) {
        if let Some(passing) = request.extensions().get::<Rc<Passing>>() {
            passing.ids.borrow_mut().clone_from(ids);
        }
    }

    fn end(&self, ended: Ended, parties: &Routing) {
        let (platform, ids) = (self.platform.borrow(), self.ids.borrow());
        self.hops.saw(&Hop {
            direction: Direction::In,
            platform: platform.as_ref().map(|platform| &platform.id),
            // An answer goes the other way.
            from: parties.to.as_ref(),
            to: parties.from.as_ref(),
            module: self.module,
            method: self.method.as_str(),
            ended,
            took: self.begun.elapsed(),
            correlation_id: ids.correlation_id.as_deref().unwrap_or_default(),
            request_id: ids.request_id.as_deref().unwrap_or_default(),
        });
    }
}

impl Watched {
    /// It was answered.
    pub fn answered(self, response: &ServiceResponse<BoxBody>) {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let parties = Routing::read(header).unwrap_or_default();
        let code = response.response().extensions().get::<StatusCode>().copied();
        self.ended(response.status(), code, &parties);
    }

    /// It failed before anybody answered.
    pub fn failed(self, error: &actix_web::Error) {
        self.ended(error.as_response_error().status_code(), None, &Routing::default());
    }

    fn ended(self, http: Http, code: Option<StatusCode>, parties: &Routing) {
        self.has_ended.set(true);
        let http = http.as_u16();
        self.passing.end(Ended::Answered { http, code }, parties);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.has_ended.get() {
            self.passing.end(Ended::CallerGone, &Routing::default());
        }
    }
}

/// What a path is about. Whatever is typed there, the answer is one of a list.
fn module_of(path: &str) -> Module {
    if let Some(rest) = below(path, "/ocpi") {
        return of_ocpi(rest);
    }
    let doors = [("/partner", "partner"), ("/operator", "operator"), ("/keys", "keys")];
    let door = doors.into_iter().find(|(prefix, _)| below(path, prefix).is_some());
    Module::named(door.map_or("other", |(_, name)| name))
}

fn of_ocpi(path: &str) -> Module {
    let mut segments = path.split('/').skip(1);
    let (version, side) = (segments.next(), segments.next());
    match (version, side) {
        (Some("p"), Some(_)) => Module::named("links"),
        (Some(_), Some("sender" | "receiver")) => segments.next().map_or(Module::named("other"), Module::identified),
        (Some(_), Some(module @ ("credentials" | "hubclientinfo" | "callbacks"))) => Module::named(module),
        (Some(_), None) => Module::named("versions"),
        _ => Module::named("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpi::modules::{Kind, MODULES};

    #[test]
    fn every_path_is_about_something_on_the_list() {
        for module in MODULES.iter().filter(|module| module.kind == Kind::Functional) {
            for interface in module.interfaces {
                let path = format!("/ocpi/2.2.1{}/DE/ABC/012345678", interface.path);
                assert_eq!(module_of(&path).name(), module.identifier, "{path}");
            }
        }
        for (path, name) in [
            ("/ocpi/versions", "versions"),
            ("/ocpi/2.2.1", "versions"),
            ("/ocpi/2.2.1/credentials", "credentials"),
            ("/ocpi/2.2/hubclientinfo", "hubclientinfo"),
            ("/ocpi/2.2.1/callbacks/0198", "callbacks"),
            ("/ocpi/p/0198", "links"),
            ("/ocpi/2.2.1/sender/detwh-publickeys", "publickeys"),
            ("/ocpi/2.2.1/receiver/012345678/1", "custom"),
            ("/ocpi/2.2.1/receiver", "other"),
            ("/ocpi/2.2.1/012345678", "other"),
            ("/ocpi", "other"),
            ("/partner/v1/reports", "partner"),
            ("/operator/v1/duties/1", "operator"),
            ("/keys/DE", "keys"),
            ("/keysmith", "other"),
            ("/012345678", "other"),
            ("", "other"),
        ] {
            assert_eq!(module_of(path).name(), name, "{path}");
        }
    }
}
