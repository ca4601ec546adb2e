//! What is odd about a body that only passes through: noted in the journal, never refused, never altered, and nobody waits (N-08, D-05).
//!
//! The hub depends on little of what it carries and passes on the rest as it came. That a partner sends what its neighbours
//! will stumble over should still be seen; so the octets are held against the specification's table by whoever writes the journal,
//! behind the answer.

use bytes::Bytes;

use super::incoming::Incoming;
use crate::mirror::intake;
use crate::ocpi::json::JsonError;
use crate::ocpi::modules::{CHARGING_PROFILES, COMMANDS, SESSIONS, TOKENS};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::InterfaceRole::{Receiver, Sender};
use crate::ocpi::v2_2_1::structure::{self, Finding, Structure};
use crate::ocpi::versions::Version;

/// How many oddities of one body are written out; the others are counted.
const TOLD: usize = 3;

/// A body that went by, and the table it should fit.
pub struct Passed {
    structure: &'static Structure,
    is_patch: bool,
    version: Version,
    body: Bytes,
}

impl Passed {
    /// The body of a request; `None` where there is none, or no table for it.
    #[must_use]
    pub fn of(incoming: &Incoming) -> Option<Passed> {
        Some(Passed {
            structure: grammar(incoming)?,
            is_patch: incoming.route.method == "PATCH",
            version: incoming.version,
            body: incoming.body.clone()?,
        })
    }

    /// How many octets are kept meanwhile.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.body.len()
    }

    fn found(&self) -> Result<Vec<Finding>, JsonError> {
        let found = if self.is_patch {
            structure::validate_patch(self.structure, &self.body)
        } else {
            structure::validate(self.structure, &self.body)
        };
        found.map(|found| intake::of_version(self.version, found))
    }

    /// Why a platform that is held to the letter may not send this (N-09): its first error; what is merely odd passes.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self.found() {
            Ok(found) => structure::first_error(&found),
            Err(no_object) => Some(no_object.into()),
        }
    }

    /// What is odd, by JSON pointer and without what stands there: `/kwh: is missing`. `None` where all is well.
    #[must_use]
    pub fn oddities(&self) -> Option<String> {
        let found = match self.found() {
            Ok(found) => found,
            Err(no_object) => return Some(no_object.to_string()),
        };
        let told: Vec<String> = found.iter().take(TOLD).map(told).collect();
        match found.len().saturating_sub(TOLD) {
            0 => Some(told.join(", ")).filter(|told| !told.is_empty()),
            more => Some(format!("{} and {more} more", told.join(", "))),
        }
    }
}

fn told(finding: &Finding) -> String {
    format!("{}: {}", finding.pointer, finding.reason)
}

/// The table of what is sent there.
fn grammar(incoming: &Incoming) -> Option<&'static Structure> {
    let (module, method) = (incoming.module, incoming.route.method);
    match (incoming.interface.role, method) {
        (Receiver, "POST") if module == &COMMANDS => command(&incoming.parameter("command").ok()??),
        (Receiver, "PUT") if module == &CHARGING_PROFILES => Some(&structure::SET_CHARGING_PROFILE),
        (Sender, "PUT") if module == &CHARGING_PROFILES => Some(&structure::ACTIVE_CHARGING_PROFILE),
        (Sender, "PUT") if module == &SESSIONS => Some(&structure::CHARGING_PREFERENCES),
        (Sender, "POST") if module == &TOKENS => Some(&structure::LOCATION_REFERENCES),
        (Receiver, "PUT" | "PATCH") if incoming.route.names_owner() => {
            intake::grammar(module, incoming.segments.len().saturating_sub(2))
        }
        _ => None,
    }
}

fn command(name: &str) -> Option<&'static Structure> {
    Some(match name {
        "CANCEL_RESERVATION" => &structure::CANCEL_RESERVATION,
        "RESERVE_NOW" => &structure::RESERVE_NOW,
        "START_SESSION" => &structure::START_SESSION,
        "STOP_SESSION" => &structure::STOP_SESSION,
        "UNLOCK_CONNECTOR" => &structure::UNLOCK_CONNECTOR,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // N-08, D-05
    #[test]
    fn oddities_are_told_by_pointer_and_never_by_what_stands_there() {
        let odd = |body: &'static str, is_patch| {
            let passed = Passed {
                structure: &structure::SESSION,
                is_patch,
                version: Version::V2_2_1,
                body: Bytes::from_static(body.as_bytes()),
            };
            passed.oddities()
        };
        let one = odd(r#"{"kwh":"SECRET","last_updated":"2026-11-21T10:00:00Z"}"#, true).unwrap_or_default();
        assert!(
            one.starts_with("/kwh: ") && !one.contains("SECRET") && !one.contains("more"),
            "{one}"
        );
        let many = odd("{}", false).unwrap_or_default();
        assert!(many.contains(" and ") && many.ends_with(" more"), "{many}");
        assert_eq!(odd(r#"{"kwh":1.5,"last_updated":"2026-11-21T10:00:00Z"}"#, true), None);
        assert!(odd("[]", false).is_some());
    }
}
