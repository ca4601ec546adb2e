//! The names by which a CDR and a change of the registry find each other.
//!
//! Folded to letters and digits, coarser than any registry compares: what is found too much costs a second look that changes nothing; what
//! is not found keeps a wrong verdict. Pure.

use super::assess::KeyQuestion;
use crate::metering::plausible::folded;
use crate::registry::changes::Change;
use crate::store::evidence::{TraceKind, TraceQuery, Traces};

/// Longer names are no registration's (PC-07: 64 characters), and an index keeps none of any length.
const LONGEST: usize = 256;

/// What a CDR would ask the registry for.
#[must_use]
pub fn of(question: &KeyQuestion) -> Traces {
    let all = |names: &[String]| {
        let mut all: Vec<String> = Vec::new();
        for name in names.iter().filter_map(|name| named(name)) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    };
    Traces {
        evse: question.evse_id.as_deref().and_then(named),
        uid: question.evse_uid.as_deref().and_then(|uid| uid_of(&question.cpo, uid)),
        meters: all(&question.meter_serials),
        gateways: all(&question.gateway_serials),
        fingerprint: question.delivered_fingerprint.clone(),
        began: question.from,
        ended: question.to,
    }
}

/// The CDRs a change is about. A serial number is looked for in the place of either unit: operators write one for the other.
#[must_use]
pub fn affected_by(change: &Change) -> TraceQuery {
    let serials = [change.meter_serial.as_ref(), change.gateway_serial.as_ref()];
    let serials = serials.into_iter().flatten().filter_map(|serial| named(serial));
    let mut names: Vec<(TraceKind, String)> = serials
        .flat_map(|serial| [(TraceKind::Meter, serial.clone()), (TraceKind::Gateway, serial)])
        .collect();
    names.extend(named(&change.evse_id).map(|evse| (TraceKind::Evse, evse)));
    let uid = change.evse_uid.as_deref().and_then(|uid| uid_of(&change.cpo, uid));
    names.extend(uid.map(|uid| (TraceKind::Uid, uid)));
    names.push((TraceKind::Fingerprint, change.fingerprint.clone()));
    TraceQuery {
        names,
        from: change.from,
        to: change.to,
        arrived_after: String::new(),
    }
}

/// A name as traces have it; `None` for one that no registration can have.
#[must_use]
pub fn named(name: &str) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let folded = folded(name);
    (!folded.is_empty()).then_some(folded)
}

fn uid_of(cpo: &str, uid: &str) -> Option<String> {
    Some(format!("{}/{}", cpo.to_ascii_uppercase(), named(uid)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cdr_and_a_registration_meet_in_every_spelling_of_a_name() {
        let question = KeyQuestion {
            cpo: "de/abc".to_owned(),
            evse_id: Some("deabce1".to_owned()),
            evse_uid: Some("E-1".to_owned()),
            meter_serials: vec!["1 abc-7".to_owned(), "1ABC7".to_owned()],
            gateway_serials: vec!["G1".to_owned()],
            ..KeyQuestion::default()
        };
        let traces = of(&question);
        assert_eq!(traces.meters, ["1ABC7"], "one meter, spelled twice");
        let change = Change {
            number: 1,
            registration: "r1".to_owned(),
            fingerprint: "ff".to_owned(),
            meter_serial: Some("1ABC-7".to_owned()),
            gateway_serial: None,
            evse_id: "DE*ABC*E1".to_owned(),
            evse_uid: Some("e1".to_owned()),
            cpo: "DE/ABC".to_owned(),
            from: None,
            to: None,
        };
        let names = affected_by(&change).names;
        for (kind, name) in [
            (TraceKind::Evse, traces.evse),
            (TraceKind::Uid, traces.uid),
            (TraceKind::Meter, traces.meters.first().cloned()),
        ] {
            assert!(names.contains(&(kind, name.unwrap())), "{kind:?}");
        }
    }

    #[test]
    fn a_name_that_no_registration_can_have_is_no_trace() {
        assert_eq!(named("\u{0}--"), None);
        assert_eq!(named(&"x".repeat(300)), None);
        assert_eq!(named("M\u{0}1").as_deref(), Some("M1"));
    }
}
