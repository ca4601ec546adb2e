//! What was found out about a CDR, told to its CPO: the object of the module `cdrvalidations` (SAF-46, key-registry.md 4.5).
//!
//! A verdict that does not hold is owed to the CPO's platform in the commit that makes it, if that platform listens; and so is one that
//! takes the place of such a verdict, so that nobody goes on looking for an error that is gone.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::intake::Intake;
use crate::delivery::notice::listener;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::routing::custom::OwnModule;
use crate::store::evidence::CdrRow;
use crate::store::{Message, NewNotice};

/// The object: which CDR, who says so, and what. `None` for a report that cannot be read.
#[must_use]
pub fn object(cdr: &CdrRow, report: &str, reporter: &PartyId) -> Option<Value> {
    let report: Value = serde_json::from_str(report).ok()?;
    let session = Fields::of_body(cdr.body.as_bytes(), ["session_id"]).ok();
    let session_id = session.and_then(|fields| Some(fields.text("session_id").ok()??.into_owned()));
    let mut object = json!({
        "country_code": cdr.country_code,
        "party_id": cdr.party_id,
        "cdr_id": cdr.cdr_id,
        "session_id": session_id,
        "reporter": {"country_code": reporter.country_code(), "party_id": reporter.party_id()},
        "verdict": report.get("status")?,
        "billable": report.get("billable")?,
        "findings": report.get("findings")?,
        "key_fingerprint": report.get("key")?.get("fingerprint")?,
        "checked_at": report.get("checked_at")?,
        "software": report.get("software")?,
        "last_updated": report.get("checked_at")?,
    });
    // OCPI leaves out what is not there.
    object.as_object_mut()?.retain(|_, value| !value.is_null());
    Some(object)
}

/// Whether a verdict, as it was written down, lets the CDR be billed.
pub(super) fn is_billable(report: &str) -> bool {
    let report: Option<Value> = serde_json::from_str(report).ok();
    report.is_some_and(|report| report["billable"] == true)
}

impl Intake {
    /// What the CPO is owed for a verdict; `None` where its platform does not listen.
    pub(super) fn notice(&self, cdr: &CdrRow, report: &str, now: DateTime<Utc>) -> Option<NewNotice> {
        const MODULE: OwnModule = OwnModule::CdrValidations;
        let snapshot = self.delivery().directory();
        let directory = snapshot.directory();
        let platform = directory.platform(&PlatformId::from(cdr.cpo_platform.as_str()))?;
        listener(directory, &platform, MODULE)?;
        let message = Message {
            identifier: MODULE.identifier(&directory.hub),
            method: "POST".to_owned(),
            path: Vec::new(),
            to_party: cdr.cpo_key.clone(),
            object: format!("{}/{}", cdr.cpo_key, cdr.cdr_key),
            body: object(cdr, report, &directory.hub)?.to_string(),
            shown: None,
        };
        // One for each CDR: a later verdict takes the place of one that was not told yet.
        Some(self.delivery().new_notice(MODULE, &platform.id, &cdr.id, message, now))
    }
}
