//! Why nothing is at a path: it is unknown, or its interface has no such method at all (U-08).

use actix_web::http::Method;

use crate::ocpi::modules::{Interface, MODULES};
use crate::ocpi::refusal::Refusal;

/// Why nothing is at a path below an interface: the interface has no such method at all (U-08), or no such path.
pub(super) fn why_not(path: &str, method: &Method) -> Refusal {
    let rest = path.split('/').skip(3).collect::<Vec<_>>();
    let interfaces = MODULES.iter().flat_map(|module| module.interfaces);
    let called = interfaces
        .filter(|interface| !interface.offered_by.is_empty())
        .find(|interface| interface.path.split('/').skip(1).eq(rest.iter().take(2).copied()));
    let has_method = |interface: &Interface| interface.routes.iter().any(|line| line.method == method.as_str());
    match called {
        Some(interface) if !has_method(interface) => {
            Refusal::method_not_allowed(format!("{method} is no method of this interface"))
        }
        _ => Refusal::not_found("there is nothing at this URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpi::refusal::Situation;

    // U-08, LOC-06, SES-06, TAR-02, TOK-07, CMD-01, CDR-04
    #[test]
    fn a_method_an_interface_does_not_have_is_405_at_every_path_and_an_unknown_path_404() {
        let said = |method: &str, path: &str| {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
            why_not(&format!("/ocpi/2.2.1/{path}"), &method).situation
        };
        for (method, path) in [
            ("POST", "receiver/locations"),
            ("DELETE", "receiver/locations/DE/ABC/L1/E1/1/2"),
            ("PUT", "sender/locations/L1"),
            ("POST", "receiver/sessions/DE/ABC/S1"),
            ("PATCH", "receiver/tariffs/DE/ABC"),
            ("DELETE", "receiver/tokens"),
            ("GET", "receiver/commands"),
            ("PUT", "receiver/cdrs/1"),
        ] {
            assert_eq!(said(method, path), Situation::MethodNotAllowed, "{method} {path}");
        }
        for (method, path) in [
            ("GET", "sender/sessions/S1"),
            ("GET", "sender/bookings"),
            ("PUT", "receiver/tokens/DE"),
            ("GET", "sender"),
            ("GET", ""),
            ("PATCH", "credentials/x"),
        ] {
            assert_eq!(said(method, path), Situation::NotFound, "{method} {path}");
        }
    }
}
