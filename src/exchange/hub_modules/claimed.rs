//! A registration as an operator puts it: members read strictly where they matter, the rest ignored, so that what was read can be put.
//!
//! No message repeats what was written: it may have been a private key (PC-17).

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::metering::limits::{MAX_KEY_TEXT, MAX_SAMPLE};
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::{PartyId, fold, key_of};
use crate::ocpi::refusal::{Refusal, Violation};
use crate::ocpi::time;
use crate::registry::checks::NewKey;
use crate::registry::record::{KeyPair, Reason, Signs, Unit};

const MEMBERS: [&str; 26] = [
    "country_code",
    "party_id",
    "id",
    "public_key",
    "evse_id",
    "evse_uid",
    "location_id",
    "parallel_units",
    "valid_from",
    "valid_to",
    "calibrated",
    "reason",
    "supersedes",
    "encoding_method",
    "signing_method",
    "sample",
    "key_pair",
    "meter_serial",
    "gateway_serial",
    "signs",
    "manufacturer",
    "model",
    "manufactured",
    "type_approval",
    "calibrated_until",
    "firmware",
];

/// Reads what was put under a URL of this owner and id.
///
/// # Errors
/// 400 for what is no JSON object, 2001 naming the member.
pub(super) fn read(body: &[u8], owner: &PartyId, id: &str) -> Result<NewKey, Refusal> {
    let put = Put(Fields::of_body(body, MEMBERS)?);
    put.is_of(owner, id)?;
    let gateway_serial = put.text("gateway_serial", 64)?;
    let signs = Signs::named(put.text("signs", 13)?.as_deref(), gateway_serial.is_some())
        .ok_or_else(|| put.wrong("signs", "must be METER, GATEWAY or METER+GATEWAY"))?;
    let reason = match put.text("reason", 20)? {
        None => Reason::Commissioning,
        Some(word) => Reason::parse(&word).ok_or_else(|| put.wrong("reason", "is no reason that is known here"))?,
    };
    let key_pair = match put.text("key_pair", 9)? {
        None => None,
        Some(word) => Some(KeyPair::parse(&word).ok_or_else(|| put.wrong("key_pair", "must be EXISTED or GENERATED"))?),
    };
    let claim = NewKey {
        public_key: put.required("public_key", MAX_KEY_TEXT)?,
        unit: Unit {
            meter_serial: put.text("meter_serial", 64)?,
            gateway_serial,
            signs,
            manufacturer: put.text("manufacturer", 100)?,
            model: put.text("model", 100)?,
            manufactured: put.year("manufactured")?,
            type_approval: put.text("type_approval", 100)?,
            calibrated_until: put.instant("calibrated_until")?,
            firmware: put.text("firmware", 100)?,
        },
        evse_id: put.required("evse_id", 48)?,
        evse_uid: put.text("evse_uid", 36)?,
        location_id: put.text("location_id", 36)?,
        parallel_units: put.0.boolean("parallel_units")?.unwrap_or(false),
        cpo: owner.clone(),
        valid_from: put
            .instant("valid_from")?
            .ok_or_else(|| put.wrong("valid_from", "is missing"))?,
        valid_to: put.instant("valid_to")?,
        calibrated: put.0.boolean("calibrated")?.unwrap_or(true),
        reason,
        supersedes: put.text("supersedes", 36)?,
        encoding_method: put.text("encoding_method", 36)?,
        signing_method: put.text("signing_method", 36)?,
        sample: put.text("sample", MAX_SAMPLE)?,
        key_pair,
        // The push of the registration is the confirmation here (key-registry.md 4.5).
        confirm_to: None,
    };
    match claim.unsaid() {
        Some(name) => Err(put.wrong(name, "is missing").into()),
        None => Ok(claim),
    }
}

/// What a PATCH asks for: that a registration ends, at an instant gone by or now, or that it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It ended then; now, without.
    Deactivate(Option<DateTime<Utc>>),
    /// It never counted.
    Withdraw,
}

/// Reads a PATCH.
///
/// # Errors
/// 400 for what is no JSON object, 2001 naming the member: everything else of a registration is changed by another registration.
pub(super) fn end(body: &[u8]) -> Result<End, Refusal> {
    let fields = Fields::of_body(body, ["state", "valid_to"])?;
    let state = fields.text("state")?;
    let at = fields.text("valid_to")?;
    let at = at.map(|text| time::parse(&text).map_err(|error| fields.violation("valid_to", error.to_string())));
    let at = at.transpose()?;
    match (state.as_deref(), at) {
        (Some("DEACTIVATED"), at) => Ok(End::Deactivate(at)),
        (None, Some(at)) => Ok(End::Deactivate(Some(at))),
        (Some("WITHDRAWN"), None) => Ok(End::Withdraw),
        _ => Err(fields
            .violation(
                "state",
                "must be DEACTIVATED or WITHDRAWN; what else changes is a registration of its own",
            )
            .into()),
    }
}

struct Put<'a>(Fields<'a, 26>);

impl Put<'_> {
    /// Owner and id in the body, where they stand there, must be those of the URL (T-27, T-28).
    fn is_of(&self, owner: &PartyId, id: &str) -> Result<(), Violation> {
        for (member, expected) in [("country_code", owner.country_code()), ("party_id", owner.party_id())] {
            if self
                .0
                .text(member)?
                .is_some_and(|written| fold(&written) != fold(expected))
            {
                return Err(self.wrong(member, "differs from the owner in the URL"));
            }
        }
        match self.0.text("id")? {
            Some(written) if key_of(&written) != key_of(id) => Err(self.wrong("id", "differs from the id in the URL")),
            _ => Ok(()),
        }
    }

    fn text(&self, name: &str, most: usize) -> Result<Option<String>, Violation> {
        let Some(text) = self.0.text(name)? else {
            return Ok(None);
        };
        let fits = (1..=most).contains(&text.chars().count());
        // A key in PEM and a record have line breaks.
        let is_long = matches!(name, "public_key" | "sample");
        if !fits || (!is_long && text.chars().any(char::is_control)) {
            return Err(self.wrong(
                name,
                &format!("must have 1 to {most} characters and no control characters"),
            ));
        }
        Ok(Some(Cow::into_owned(text)))
    }

    fn required(&self, name: &str, most: usize) -> Result<String, Violation> {
        self.text(name, most)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Violation> {
        let Some(text) = self.0.text(name)? else {
            return Ok(None);
        };
        let read = time::parse(&text).map_err(|error| self.wrong(name, &error.to_string()));
        read.map(Some)
    }

    fn year(&self, name: &str) -> Result<Option<i32>, Violation> {
        let Some(raw) = self.0.raw(name).filter(|raw| *raw != "null") else {
            return Ok(None);
        };
        let year = raw.parse().ok().filter(|year| (1950..=2200).contains(year));
        year.map(Some).ok_or_else(|| self.wrong(name, "must be a year"))
    }

    fn wrong(&self, name: &str, reason: &str) -> Violation {
        self.0.violation(name, reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn cpo() -> PartyId {
        PartyId::from_slash("DE/ABC").unwrap()
    }

    fn good() -> Value {
        json!({
            "country_code": "de", "party_id": "ABC", "id": "my-1", "public_key": "04", "evse_id": "DE*ABC*E1", "meter_serial": "M1",
            "valid_from": "2026-01-01T00:00:00Z", "manufactured": 2024, "manufacturer": "ACME", "model": "Post 1",
            "key_pair": "EXISTED", "state": "CONFIRMED", "unknown": {"a": 1},
        })
    }

    #[test]
    fn what_was_read_can_be_put_and_what_is_wrong_is_named_and_not_repeated() {
        let read = |value: &Value| read(value.to_string().as_bytes(), &cpo(), "MY-1");
        let claim = read(&good()).unwrap();
        assert_eq!(
            (claim.unit.manufactured, claim.calibrated, claim.reason, claim.key_pair),
            (Some(2024), true, Reason::Commissioning, Some(KeyPair::Existed))
        );
        for (member, value) in [
            ("country_code", json!("NL")),
            ("id", json!("MY-2")),
            ("public_key", json!("")),
            ("public_key", json!(null)),
            ("meter_serial", json!("secret\u{7}")),
            ("valid_from", json!("secret")),
            ("signs", json!("secret")),
            ("reason", json!("secret")),
            ("key_pair", json!("secret")),
            // SAF-10
            ("key_pair", json!(null)),
            ("manufacturer", json!(null)),
            ("model", json!(null)),
            ("manufactured", json!("secret")),
            ("manufactured", json!(99999)),
            ("parallel_units", json!("secret")),
            ("calibrated_until", json!("secret")),
        ] {
            let mut wrong = good();
            wrong[member] = value;
            let Err(refusal) = read(&wrong) else { panic!("{member}") };
            assert_eq!(refusal.code().0, 2001);
            assert!(
                refusal.message.contains(&format!("/{member}")) && !refusal.message.contains("secret"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_patch_ends_a_registration_and_changes_nothing_else() {
        let noon = "2026-11-21T12:00:00Z".parse().unwrap();
        for (body, wanted) in [
            (json!({"state": "DEACTIVATED"}), End::Deactivate(None)),
            (
                json!({"state": "DEACTIVATED", "valid_to": "2026-11-21T12:00:00Z"}),
                End::Deactivate(Some(noon)),
            ),
            (json!({"valid_to": "2026-11-21T12:00:00Z"}), End::Deactivate(Some(noon))),
            (json!({"state": "WITHDRAWN"}), End::Withdraw),
        ] {
            assert_eq!(end(body.to_string().as_bytes()), Ok(wanted));
        }
        for body in [
            json!({}),
            json!({"state": "CONFIRMED"}),
            json!({"valid_to": "soon"}),
            json!({"meter_serial": "M2"}),
            json!([]),
        ] {
            assert!(end(body.to_string().as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_readers_panic(text in ".{0,80}") {
            let _ = (read(text.as_bytes(), &cpo(), "1"), end(text.as_bytes()));
        }
    }
}
