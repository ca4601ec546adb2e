//! Keys and serial numbers heard of without a registration, and what they say about one that is submitted.
//!
//! Two ways in: CDRs name them (see `evidence::sightings`), and an operator passes on what its charge points report of themselves
//! ([`Registry::report`]). Nothing follows from one by itself: it is somebody's word. But a key that is submitted is held against what the
//! charge point said (PC-21) and against what was verified before (PC-19), and a person looks where they differ.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Registry;
use super::checks::NewKey;
use super::evse_id::EvseId;
use super::lifecycle::Standing;
use super::record::Registration;
use crate::metering::key::PublicKey;
use crate::metering::plausible::folded;
use crate::ocpi::ids::fold;
use crate::store::evidence::{TracePlace, VerifiedQuery};
use crate::store::{ObservationRow, StoreError};

/// Where it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeardIn {
    /// A CDR.
    Cdr,
    /// What a charge point sends by OCPP.
    Ocpp,
    /// What a charge point answers when asked for its configuration.
    GetConfiguration,
}

impl HeardIn {
    /// Every way.
    pub const ALL: [HeardIn; 3] = [HeardIn::Cdr, HeardIn::Ocpp, HeardIn::GetConfiguration];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            HeardIn::Cdr => "CDR",
            HeardIn::Ocpp => "OCPP",
            HeardIn::GetConfiguration => "GET_CONFIGURATION",
        }
    }

    /// Reads the exact word.
    #[must_use]
    pub fn parse(word: &str) -> Option<HeardIn> {
        HeardIn::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

impl fmt::Display for HeardIn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A key, and the units it was heard with.
    Key(Box<PublicKey>),
    /// A meter whose records came without a key.
    Meter(String),
    /// A gateway, likewise.
    Gateway(String),
}

/// Something heard once.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The operator, `DE/ABC`.
    pub cpo_key: String,
    /// The EVSE-ID as written.
    pub evse_id: Option<String>,
    /// The operator's own id of the EVSE.
    pub evse_uid: Option<String>,
    /// What.
    pub subject: Subject,
    /// The meter it was heard with.
    pub meter_serial: Option<String>,
    /// The gateway it was heard with.
    pub gateway_serial: Option<String>,
    /// Where.
    pub source: HeardIn,
    /// When.
    pub at: DateTime<Utc>,
    /// The CDR it stood in.
    pub cdr: Option<String>,
}

/// The longest serial number a registration can have (PC-07).
const LONGEST_SERIAL: usize = 64;
/// The longest EVSE-ID (OCPI 2.2.1, EVSE: CiString(48)).
const LONGEST_EVSE_ID: usize = 48;
/// The longest uid (OCPI 2.2.1, EVSE: CiString(36)).
const LONGEST_UID: usize = 36;

impl Heard {
    /// As it is kept; `None` for a serial number that no registration can have.
    #[must_use]
    pub fn row(self) -> Option<ObservationRow> {
        let serial = |text: Option<String>| text.as_deref().and_then(|text| kept(text, LONGEST_SERIAL));
        let evse_id = self.evse_id.as_deref().and_then(|id| kept(id, LONGEST_EVSE_ID));
        let evse_uid = self.evse_uid.as_deref().and_then(|uid| kept(uid, LONGEST_UID));
        let (kind, name, key) = match self.subject {
            Subject::Key(key) => ("KEY", key.fingerprint(), Some(key)),
            Subject::Meter(text) => ("METER", kept(&text, LONGEST_SERIAL)?, None),
            Subject::Gateway(text) => ("GATEWAY", kept(&text, LONGEST_SERIAL)?, None),
        };
        Some(ObservationRow {
            id: Uuid::now_v7().to_string(),
            evse: place(evse_id.as_deref(), evse_uid.as_deref()),
            cpo_key: self.cpo_key,
            source: self.source.as_str().to_owned(),
            kind: kind.to_owned(),
            name,
            evse_id,
            evse_uid,
            public_key: key.as_ref().map(|key| hex::encode(key.to_spki_der())),
            curve: key.as_ref().map(|key| key.curve().name().to_owned()),
            meter_serial: serial(self.meter_serial),
            gateway_serial: serial(self.gateway_serial),
            first_seen: self.at,
            last_seen: self.at,
            times: 1,
            last_cdr: self.cdr,
        })
    }
}

/// By what an EVSE is found again in every spelling.
fn place(evse_id: Option<&str>, evse_uid: Option<&str>) -> String {
    match (evse_id, evse_uid) {
        (Some(id), _) => EvseId::read(id).map_or_else(|| fold(id), |evse| evse.to_string()),
        (None, Some(uid)) => fold(uid),
        (None, None) => String::new(),
    }
}

/// A name that somebody sent, if it can be one: what no registration can have is not worth a row.
fn kept(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let is_name = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    is_name.then(|| text.to_owned())
}

/// CDRs that are held against a claim at once.
const PORTION: u32 = 500;

impl Registry {
    /// Notes what a charge point reported of itself, in its operator's words. How it stands now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, heard: Heard) -> Result<Option<ObservationRow>, StoreError> {
        let Some(row) = heard.row() else { return Ok(None) };
        self.store().observe(vec![row.clone()]).await?;
        self.store().observation_of(&row).await
    }

    /// The registration that says of an observation what it lacked, if there is one by now: as much of it as that operator may know.
    #[must_use]
    pub fn registered_meanwhile(&self, heard: &ObservationRow) -> Option<Registration> {
        let index = self.index();
        let own = |one: &&Registration| one.cpo == heard.cpo_key;
        let found: Vec<Registration> = match heard.kind.as_str() {
            "KEY" => index
                .of_fingerprint(&heard.name)
                .map(|one| one.now())
                .filter(|one| own(one) || one.state.is_public())
                .cloned()
                .collect(),
            "METER" => index
                .of_serial(&heard.name)
                .map(|one| one.now())
                .filter(own)
                .cloned()
                .collect(),
            _ => index
                .of_gateway(&heard.name)
                .map(|one| one.now())
                .filter(own)
                .cloned()
                .collect(),
        };
        let with = |standing: Standing| found.iter().rev().find(|one| one.state.standing() == standing);
        with(Standing::Held).or_else(|| with(Standing::Pending)).cloned()
    }

    /// PC-21: the key that the charge point at the EVSE of a claim reported for that time. `None` when it reported none.
    pub(super) async fn reported_fingerprint(
        &self,
        claim: &NewKey,
        fingerprint: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(evse) = EvseId::read(&claim.evse_id) else {
            return Ok(None);
        };
        let reported = self.store().keys_reported(&claim.cpo.key(), evse.as_str()).await?;
        let is_about = |one: &&ObservationRow| {
            // Where one of the two names no meter, nothing speaks against it.
            let meters = one.meter_serial.as_ref().zip(claim.unit.meter_serial.as_ref());
            let same_meter = meters.is_none_or(|(reported, claimed)| folded(reported) == folded(claimed));
            let same_time = one.last_seen >= claim.valid_from && claim.valid_to.is_none_or(|end| one.first_seen < end);
            same_meter && same_time
        };
        let mut about = reported.iter().filter(is_about);
        // Of several units at once each has a key of its own.
        if claim.parallel_units && about.clone().any(|one| one.name == fingerprint) {
            return Ok(Some(fingerprint.to_owned()));
        }
        Ok(about.next().map(|one| one.name.clone()))
    }

    /// PC-19: whether CDRs of the meter of a claim, of that operator and time, were verified with another key.
    pub(super) async fn verified_with_another_key(
        &self,
        claim: &NewKey,
        fingerprint: &str,
    ) -> Result<bool, StoreError> {
        let query = VerifiedQuery {
            cpo_key: claim.cpo.key(),
            meter: claim.unit.meter_serial.as_deref().map(folded).unwrap_or_default(),
            but_fingerprint: fingerprint.to_owned(),
            from: claim.valid_from,
            to: claim.valid_to,
        };
        if query.meter.is_empty() {
            return Ok(false);
        }
        let mut after = TracePlace::start();
        loop {
            let found = self.store().verified_of_meter(&query, &after, PORTION).await?;
            let Some(last) = found.last() else { return Ok(false) };
            after = TracePlace {
                ended_at: last.ended_at,
                row_id: last.row_id.clone(),
            };
            let by_another = |report: &str| {
                let report: Value = serde_json::from_str(report).unwrap_or_default();
                let used = report["key"]["fingerprint"].as_str();
                report["status"] == "VERIFIED" && used.is_some_and(|used| used != fingerprint)
            };
            if found.iter().any(|one| by_another(&one.report)) {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::{at, key};
    use super::*;

    fn heard(subject: Subject) -> Heard {
        Heard {
            cpo_key: "DE/ABC".to_owned(),
            evse_id: Some("deabce1".to_owned()),
            evse_uid: Some("E-1".to_owned()),
            subject,
            meter_serial: None,
            gateway_serial: None,
            source: HeardIn::Cdr,
            at: at("2026-01-01T00:00:00Z"),
            cdr: None,
        }
    }

    #[test]
    fn one_evse_is_one_place_in_every_spelling() {
        let row = heard(Subject::Key(Box::new(key(1)))).row().unwrap();
        assert_eq!((row.evse.as_str(), row.kind.as_str()), ("DE*ABC*E1", "KEY"));
        assert_eq!(row.name, key(1).fingerprint());
        assert_eq!(place(None, Some("e-1")), "E-1");
        assert_eq!(place(None, None), "");
    }

    #[test]
    fn a_name_that_no_registration_can_have_is_not_kept() {
        for text in ["", "  ", "M\u{0}1", &"x".repeat(65)] {
            assert!(heard(Subject::Meter(text.to_owned())).row().is_none(), "{text:?}");
        }
        assert_eq!(heard(Subject::Gateway(" G1 ".to_owned())).row().unwrap().name, "G1");
        let mut odd = heard(Subject::Meter("M1".to_owned()));
        odd.evse_id = Some("x".repeat(10_000));
        assert_eq!(odd.row().unwrap().evse, "E-1", "then the operator's own id");
    }
}
