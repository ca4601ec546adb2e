//! What EVSEs say of themselves: that they are calibrated (key-registry.md SAF-13, SAF-36, SAF-38).
//!
//! OCPI has no word for it. An EVSE in a Location may carry the extension member `"metering_conformity": {"calibrated": true}`; the hub
//! passes it on like every other octet and neither adds nor removes it. It is a claim and proves nothing: whether it holds is what the registry
//! says of the EVSE, and a claim without a confirmed key is a finding that both sides can read.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::index::Index;
use super::lifecycle::{Standing, State};
use super::record::Registration;
use crate::ocpi::time;
use crate::store::MirrorRow;

/// The name of the extension member.
pub const MEMBER: &str = "metering_conformity";

/// The finding about a claim that the registry does not confirm.
pub const NOT_CONFIRMED: &str = "CONFORMITY_NOT_CONFIRMED";

/// An EVSE that claims to be calibrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvseClaim {
    /// The operator, `DE/ABC`.
    pub cpo_key: String,
    /// The operator's own id of the location.
    pub location_id: String,
    /// The operator's own id of the EVSE.
    pub evse_uid: Option<String>,
    /// The EVSE-ID.
    pub evse_id: Option<String>,
    /// `last_updated` of the EVSE, else of its location.
    pub claimed_at: DateTime<Utc>,
}

/// The EVSEs of a location that claim to be calibrated, in its order.
#[must_use]
pub fn claims_of(location: &MirrorRow) -> Vec<EvseClaim> {
    let Ok(document) = serde_json::from_str::<Value>(&location.body) else {
        return Vec::new();
    };
    let text = |evse: &Value, name: &str| Some(evse.get(name)?.as_str()?.to_owned());
    let evses = document.get("evses").and_then(Value::as_array);
    evses
        .into_iter()
        .flatten()
        .filter(|evse| evse.get(MEMBER).and_then(|claim| claim.get("calibrated")) == Some(&Value::Bool(true)))
        .map(|evse| EvseClaim {
            cpo_key: location.owner_key.clone(),
            location_id: location.object_id.clone(),
            evse_uid: text(evse, "uid"),
            evse_id: text(evse, "evse_id"),
            claimed_at: text(evse, "last_updated")
                .and_then(|at| time::parse(&at).ok())
                .unwrap_or(location.last_updated),
        })
        .collect()
}

/// What the registry says of an EVSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upheld {
    /// Whether a confirmed registration says now that it is calibrated.
    pub is_confirmed: bool,
    /// That registration, or the one that comes nearest.
    pub registration: Option<Registration>,
}

/// Holds a claim against the registry at an instant.
#[must_use]
pub fn hold(claim: &EvseClaim, index: &Index, now: DateTime<Utc>) -> Upheld {
    let at_evse = index.at_evse(
        &claim.cpo_key,
        claim.evse_id.as_deref(),
        claim.evse_uid.as_deref(),
        index.record_time(now),
    );
    let own: Vec<&Registration> = at_evse
        .iter()
        .map(|one| one.now())
        .filter(|one| one.cpo == claim.cpo_key)
        .collect();
    let confirms = |one: &&&Registration| one.state == State::Confirmed && one.calibrated && one.covers(now);
    if let Some(confirmed) = own.iter().find(confirms) {
        return Upheld {
            is_confirmed: true,
            registration: Some((*confirmed).clone()),
        };
    }
    let pending = own.iter().rev().find(|one| one.state.standing() == Standing::Pending);
    let nearest = pending.or_else(|| own.iter().rev().find(|one| one.state.standing() == Standing::Held));
    Upheld {
        is_confirmed: false,
        registration: nearest.map(|one| (*one).clone()),
    }
}

impl Upheld {
    /// Why the claim does not hold, as a sentence; `None` where it does.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        if self.is_confirmed {
            return None;
        }
        Some(match &self.registration {
            None => "the location claims that the EVSE is calibrated, and no key is registered for it".to_owned(),
            Some(one) if one.state == State::Confirmed => {
                "the location claims that the EVSE is calibrated, and the registration of its key does not say so now"
                    .to_owned()
            }
            Some(one) => format!(
                "the location claims that the EVSE is calibrated, and the registration of its key is {}",
                one.state
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::{at, key, registration};
    use super::*;

    fn location(evses: &str) -> MirrorRow {
        MirrorRow {
            id: "1".to_owned(),
            module: "locations".to_owned(),
            country_code: "DE".to_owned(),
            party_id: "ABC".to_owned(),
            owner_key: "DE/ABC".to_owned(),
            object_id: "L1".to_owned(),
            object_key: "L1".to_owned(),
            shelf: "DE/ABC".to_owned(),
            version: "2.2.1".to_owned(),
            last_updated: at("2026-05-01T00:00:00Z"),
            revision: 1,
            deleted_at: None,
            listed: false,
            body: format!(r#"{{"id":"L1","evses":{evses}}}"#),
        }
    }

    // SAF-38
    #[test]
    fn only_an_evse_that_says_true_claims_anything() {
        let evses = r#"[
            {"uid":"1","evse_id":"DE*ABC*E1","metering_conformity":{"calibrated":true},"last_updated":"2026-04-01T00:00:00Z"},
            {"uid":"2","metering_conformity":{"calibrated":false}},
            {"uid":"3","metering_conformity":"yes"},
            {"uid":"4"},
            7,
            {"metering_conformity":{"calibrated":true,"more":1}}
        ]"#;
        let claims = claims_of(&location(evses));
        let uids: Vec<_> = claims
            .iter()
            .map(|one| (one.evse_uid.as_deref(), one.claimed_at))
            .collect();
        assert_eq!(
            uids,
            [
                (Some("1"), at("2026-04-01T00:00:00Z")),
                (None, at("2026-05-01T00:00:00Z"))
            ]
        );
        for nonsense in ["{}", "null", "[[]]"] {
            assert_eq!(claims_of(&location(nonsense)), [], "{nonsense}");
        }
    }

    // SAF-36
    #[test]
    fn a_claim_holds_only_while_a_registration_is_confirmed_and_says_so() {
        let evse = r#"[{"uid":"e-1","evse_id":"DEABCE1","metering_conformity":{"calibrated":true}}]"#;
        let claim = claims_of(&location(evse)).remove(0);
        let now = at("2026-06-01T00:00:00Z");
        for state in State::ALL {
            let mut index = Index::default();
            index.put(
                Registration {
                    state,
                    ..registration("1", &key(1))
                },
                now,
            );
            let standing = hold(&claim, &index, now);
            assert_eq!(standing.is_confirmed, state == State::Confirmed, "{state}");
            assert_eq!(standing.complaint().is_none(), state == State::Confirmed, "{state}");
        }
        let not_so = [
            Registration {
                calibrated: false,
                ..registration("1", &key(1))
            },
            Registration {
                valid_to: Some(now),
                ..registration("1", &key(1))
            },
            Registration {
                cpo: "DE/XYZ".to_owned(),
                ..registration("1", &key(1))
            },
        ];
        for one in not_so {
            let mut index = Index::default();
            index.put(one, now);
            assert!(!hold(&claim, &index, now).is_confirmed);
        }
        let nobody = hold(&claim, &Index::default(), now);
        assert_eq!((nobody.is_confirmed, nobody.registration), (false, None));
    }
}
