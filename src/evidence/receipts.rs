//! What became of a CDR: found for those who may know, and told in the words of design.md 3.4.

use serde_json::{Value, json};

use super::assess::Status;
use super::intake::written_remark;
use crate::metering::finding::Code;
use crate::ocpi::time;
use crate::store::evidence::{AttemptRow, CdrRow};

/// Who asks for a CDR: the parties it acts as, by role, as `DE/ABC`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// As CPO.
    pub cpo_keys: Vec<String>,
    /// As eMSP.
    pub emsp_keys: Vec<String>,
}

impl Asking {
    /// Whether this CDR is one of theirs: its CPO's always, its eMSP's from when it may see it (design.md 3.6.3).
    #[must_use]
    pub fn may_see(&self, cdr: &CdrRow) -> bool {
        self.cpo_keys.contains(&cdr.cpo_key) || (cdr.visible_at.is_some() && self.emsp_keys.contains(&cdr.emsp_key))
    }
}

/// The delivery receipt of a CDR.
#[must_use]
pub fn receipt(cdr: &CdrRow, attempts: &[AttemptRow]) -> Value {
    json!({
        "cdr": {"country_code": cdr.country_code, "party_id": cdr.party_id, "id": cdr.cdr_id},
        "emsp": cdr.emsp_key,
        "received_at": time::write(cdr.received_at),
        "visible_at": cdr.visible_at.map(time::write),
        "delivery": cdr.delivery,
        "attempts": attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

/// One attempt to deliver it.
#[must_use]
pub fn attempt(row: &AttemptRow) -> Value {
    json!({
        "at": time::write(row.at),
        "http_status": row.http_status,
        "status_code": row.status_code,
        "outcome": row.outcome,
    })
}

/// What the CPO hears about a verdict, from the verdict as it was written down.
#[must_use]
pub fn remark_of(report: &str) -> Option<String> {
    let report: Value = serde_json::from_str(report).ok()?;
    let status = Status::ALL
        .into_iter()
        .find(|status| report["status"] == status.as_str())?;
    let of = |severity: &str| {
        let mut codes: Vec<&str> = Vec::new();
        for finding in report["findings"].as_array().into_iter().flatten() {
            let code = finding["code"].as_str().unwrap_or_default();
            if finding["severity"] == severity && !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    };
    let mut reasons = of("ERROR");
    if reasons.is_empty() {
        reasons = of("WARNING")
            .into_iter()
            .filter(|code| *code == Code::KeyNotRegistered.as_str())
            .collect();
    }
    written_remark(status, &reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_the_same_from_the_written_verdict() {
        let report = |status: &str, findings: Value| json!({"status": status, "findings": findings}).to_string();
        let bad = json!([
            {"code": "SIGNATURE_MISMATCH", "severity": "ERROR"}, {"code": "SIGNATURE_MISMATCH", "severity": "ERROR"},
            {"code": "ENERGY_MISMATCH", "severity": "ERROR"}, {"code": "PAGINATION_GAP", "severity": "WARNING"}
        ]);
        assert_eq!(
            remark_of(&report("INVALID", bad)).as_deref(),
            Some("metering INVALID: SIGNATURE_MISMATCH, ENERGY_MISMATCH")
        );
        let unregistered = json!([{"code": "KEY_NOT_REGISTERED", "severity": "WARNING"}]);
        assert_eq!(
            remark_of(&report("INTEGRITY_ONLY", unregistered)).as_deref(),
            Some("metering INTEGRITY_ONLY: KEY_NOT_REGISTERED")
        );
        assert_eq!(
            remark_of(&report(
                "VERIFIED",
                json!([{"code": "PAGINATION_GAP", "severity": "WARNING"}])
            )),
            None
        );
        assert_eq!(remark_of(&report("NOT_APPLICABLE", json!([]))), None);
        assert_eq!(remark_of("no verdict"), None);
    }
}
