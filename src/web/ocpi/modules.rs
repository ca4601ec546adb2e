//! One door for every functional module: what is asked for stands in THE TABLE, what becomes of it is `exchange`'s.
//!
//! A request is handed on as it was written: segments and query still percent-encoded, the body as octets (R-13, U-06). CDRs have
//! doors of their own, since there the hub is the receiver (design.md 3.6), and results end where lent URLs end.

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};

use super::body::JsonBody;
use super::{Registered, callbacks, relayed};
use crate::exchange::incoming::Incoming;
use crate::exchange::reply::{Reply as Heard, Words};
use crate::ocpi::modules::{Answer, CDRS, Interface, Kind, MODULES, Module, Route as Line};
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves: every line of the table, but those of the CDRs.
#[must_use]
pub fn routes() -> Vec<Route> {
    let functional = MODULES
        .iter()
        .filter(|module| module.kind == Kind::Functional && **module != CDRS);
    let interfaces = functional.flat_map(|module| module.interfaces.iter().map(move |interface| (module, interface)));
    interfaces
        .flat_map(|(module, interface)| interface.routes.iter().map(move |line| route(module, interface, line)))
        .collect()
}

fn route(module: &'static Module, interface: &'static Interface, line: &'static Line) -> Route {
    let method = Method::from_bytes(line.method.as_bytes()).unwrap_or(Method::GET);
    // Where two lines have one shape, the first one's names are used: a path has one template, here and in OpenAPI.
    let template = interface
        .routes
        .iter()
        .find(|other| other.has_the_shape_of(line))
        .unwrap_or(line);
    let path = format!("{VERSION}{}{}", interface.path, template.path);
    if line.answer == Answer::Result {
        return Route::new(method, path, Document::Ocpi, callbacks::result);
    }
    let place = Place {
        module,
        interface,
        line,
    };
    Route::new(method, path, Document::Ocpi, move |asked, request, body, doors| {
        ask(place, asked, request, body, doors)
    })
}

const VERSION: &str = "/ocpi/{version}";

/// A line of the table with what stands above it.
#[derive(Clone, Copy)]
struct Place {
    module: &'static Module,
    interface: &'static Interface,
    line: &'static Line,
}

async fn ask(
    place: Place,
    asked: Registered,
    request: HttpRequest,
    JsonBody(body): JsonBody,
    doors: Data<Doors>,
) -> Result<HttpResponse, OcpiError> {
    let version = asked.version()?;
    let incoming = Incoming {
        version,
        module: place.module,
        interface: place.interface,
        route: place.line,
        segments: segments(request.uri().path(), place.interface),
        query: request.uri().query().map(str::to_owned),
        routing: asked.routing,
        ids: asked.ids,
        body: Some(body).filter(|body| !body.is_empty()),
        caller: asked.caller,
    };
    let heard = doors.hall.handle(incoming).await?;
    Ok(answer(heard, doors.clock.now()))
}

/// What stands in the path behind that of the interface, as it was written.
fn segments(path: &str, interface: &Interface) -> Vec<String> {
    // "", "ocpi", the version, and those of the interface, whose own path begins with a slash.
    let above = 2 + interface.path.split('/').count();
    path.split('/').skip(above).map(str::to_owned).collect()
}

/// An answer of the hall, as HTTP.
pub(super) fn answer(heard: Heard, now: DateTime<Utc>) -> HttpResponse {
    match heard.words {
        Words::Relayed(body, code) => relayed(heard.http, body, code, heard.to, heard.from, heard.headers),
        Words::Own { code, message, data } => {
            let mut reply = Reply::of(code)
                .http(heard.http)
                .routing(heard.to.as_ref(), Some(&heard.from));
            if let Some(message) = message {
                reply = reply.message(message);
            }
            if let Some(data) = data {
                reply = reply.data(data);
            }
            for (name, value) in heard.headers {
                reply = reply.header(name, value);
            }
            reply.send(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpi::modules::LOCATIONS;
    use crate::ocpi::role::InterfaceRole;

    // R-13, U-06
    #[test]
    fn segments_are_cut_out_as_they_were_written() {
        let interface = LOCATIONS.interface(InterfaceRole::Receiver);
        let cut = |path: &str| interface.map(|interface| segments(path, interface)).unwrap_or_default();
        assert_eq!(
            cut("/ocpi/2.2.1/receiver/locations/DE/ABC/a%2Fb%20c/DE*ABC*1"),
            ["DE", "ABC", "a%2Fb%20c", "DE*ABC*1"]
        );
        assert!(cut("/ocpi/2.2.1/receiver/locations").is_empty());
    }
}
