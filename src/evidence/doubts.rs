//! What casts doubt on earlier values of a meter goes into a case, for a person to clear up (key-registry.md SAF-44).
//!
//! Looked for behind every new verdict, away from the request that brought the CDR: in the verdict itself (a key that is not the meter's, a
//! counter of events that moved), and between CDRs of one meter, whose counter only goes up. Verdicts are not touched by it: a case is about
//! what came before, and what came before was judged with what was known.
//!
//! What is to be looked through is in the database, and is gone from there in the commit that notes what was found.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::clock::SharedClock;
use crate::metering::finding::Code;
use crate::metering::reading::{Obis, exact_decimal};
use crate::parties::Fault;
use crate::store::Store;
use crate::store::evidence::{CaseDoubt, CaseSubject, Examined, MeterNeighbour, TraceKind, Traces};

/// CDRs that are looked through at once.
const PORTION: u32 = 200;

/// How many CDRs before or after one are held against it: one of them must have a counter to compare.
const NEIGHBOURS: u32 = 8;

/// How far back the last good value is looked for.
const BACK: u32 = 10_000;

/// Between two looks when there is nothing to do.
const TICK: Duration = Duration::from_secs(1);

/// Findings at one CDR that say something about those before it.
const RETROACTIVE: [Code; 7] = [
    Code::MeterWentBackwards,
    Code::KeyConflict,
    Code::KeyChanged,
    Code::KeyChangedDuringSession,
    Code::SerialChanged,
    Code::EventCounterChanged,
    Code::LogbookChanged,
];

/// Looks through new verdicts.
pub struct Doubts {
    store: Store,
    clock: SharedClock,
}

impl Doubts {
    /// For this process.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock) -> Arc<Doubts> {
        Arc::new(Doubts { store, clock })
    }

    /// Works until aborted, which is safe at any point.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(fault) = self.round().await {
                log::error!("{}", fault.chain());
            }
        }
    }

    /// Looks through everything there is.
    ///
    /// # Errors
    /// When the database fails; what was looked through is noted.
    pub async fn round(&self) -> Result<(), Fault> {
        let failed = |error| Fault::new("looking through verdicts for doubts", error);
        loop {
            let found = self.store.unexamined(PORTION).await.map_err(failed)?;
            if found.is_empty() {
                return Ok(());
            }
            let mut clean = Vec::with_capacity(found.len());
            for one in found {
                let traces = self.store.traces_of(&one.row_id).await.map_err(failed)?;
                let subject = traces.as_ref().and_then(|traces| subject_of(&one.cpo_key, traces));
                let doubt = match &subject {
                    Some((subject, shown_as)) => self.doubt(&one, subject, shown_as).await?,
                    None => None,
                };
                match doubt {
                    Some(doubt) => {
                        let case = self.store.case_doubt(&one.row_id, doubt, self.clock.now()).await;
                        let case = case.map_err(failed)?;
                        log::warn!(case = case.as_str(), cdr = one.row_id.as_str(); "earlier values of a meter are in doubt");
                    }
                    None => clean.push((one.row_id, subject.map(|(subject, _)| subject))),
                }
            }
            self.store.examined(clean).await.map_err(failed)?;
        }
    }

    async fn doubt(&self, cdr: &Examined, subject: &CaseSubject, shown_as: &str) -> Result<Option<CaseDoubt>, Fault> {
        if cdr.delivery == super::intake::word::REJECTED {
            return Ok(None);
        }
        let report: Value = serde_json::from_str(&cdr.report).unwrap_or_default();
        let counter = Counter::of(&report);
        let mut findings = retroactive(&report);
        if let Some(counter) = &counter {
            for (neighbour, is_before) in self.neighbours(subject, counter, &cdr.row_id).await? {
                let (earlier, later) = if is_before {
                    (&neighbour, counter)
                } else {
                    (counter, &neighbour)
                };
                if earlier.end > later.begin {
                    let code = Code::MeterWentBackwards.as_str().to_owned();
                    let sentence = format!(
                        "the counter stood at {} kWh at {} and at {} kWh at {}",
                        earlier.end, earlier.ended, later.begin, later.began
                    );
                    findings.retain(|(known, _)| *known != code);
                    findings.push((code, sentence));
                }
            }
        }
        if findings.is_empty() {
            return Ok(None);
        }
        let last_good = self.last_good(subject, counter.as_ref(), &cdr.row_id).await?;
        Ok(Some(CaseDoubt {
            subject: subject.clone(),
            shown_as: shown_as.to_owned(),
            findings,
            last_good,
        }))
    }

    /// The nearest CDR before and the nearest after that have the same counter.
    async fn neighbours(
        &self,
        subject: &CaseSubject,
        counter: &Counter,
        row_id: &str,
    ) -> Result<Vec<(Counter, bool)>, Fault> {
        let failed = |error| Fault::new("reading the CDRs of a meter", error);
        let before = self
            .store
            .meter_before(subject, counter.began.timestamp_micros(), 0, NEIGHBOURS);
        let before = before.await.map_err(failed)?;
        let after = self
            .store
            .meter_after(subject, counter.ended.timestamp_micros(), NEIGHBOURS);
        let after = after.await.map_err(failed)?;
        let comparable = |neighbour: &MeterNeighbour| {
            let other = Counter::of(&serde_json::from_str(&neighbour.report).ok()?)?;
            (neighbour.row_id != row_id && other.register == counter.register).then_some(other)
        };
        let before = before
            .iter()
            .filter_map(comparable)
            .find(|other| other.ended <= counter.began);
        let after = after
            .iter()
            .filter_map(comparable)
            .find(|other| other.began >= counter.ended);
        Ok(before
            .map(|other| (other, true))
            .into_iter()
            .chain(after.map(|other| (other, false)))
            .collect())
    }

    /// The last CDR of the meter that nothing speaks against: verified, and no higher than the counter that is in doubt.
    async fn last_good(
        &self,
        subject: &CaseSubject,
        counter: Option<&Counter>,
        row_id: &str,
    ) -> Result<Option<(String, i64)>, Fault> {
        let traces = self.store.traces_of(row_id).await;
        let traces = traces.map_err(|error| Fault::new("reading the names of a CDR", error))?;
        let began = counter
            .map(|counter| counter.began)
            .or(traces.and_then(|traces| traces.began));
        let Some(began) = began else { return Ok(None) };
        let mut skip = 0;
        while skip < BACK {
            let page = self
                .store
                .meter_before(subject, began.timestamp_micros(), skip, PORTION)
                .await;
            let page = page.map_err(|error| Fault::new("reading the CDRs of a meter", error))?;
            if page.is_empty() {
                break;
            }
            if let Some(good) = page.iter().find(|one| one.row_id != row_id && is_good(one, counter)) {
                return Ok(Some((good.row_id.clone(), good.ended_at)));
            }
            skip += PORTION;
        }
        Ok(None)
    }
}

fn is_good(one: &MeterNeighbour, counter: Option<&Counter>) -> bool {
    let report: Value = serde_json::from_str(&one.report).unwrap_or_default();
    let stands = report["status"] == "VERIFIED" || report["status"] == "INTEGRITY_ONLY";
    let is_lower = match (Counter::of(&report), counter) {
        (Some(earlier), Some(later)) if earlier.register == later.register => earlier.end <= later.begin,
        _ => true,
    };
    stands && is_lower && retroactive(&report).is_empty()
}

/// What a case is about: the meter, or what stands for it where the records name none; folded, and as people write it.
fn subject_of(cpo_key: &str, traces: &Traces) -> Option<(CaseSubject, String)> {
    let names = [
        (TraceKind::Meter, traces.meters.first()),
        (TraceKind::Gateway, traces.gateways.first()),
        (TraceKind::Evse, traces.evse.as_ref()),
    ];
    let (kind, name) = names.into_iter().find_map(|(kind, name)| Some((kind, name?)))?;
    let subject = CaseSubject {
        cpo_key: cpo_key.to_owned(),
        kind,
        name: name.clone(),
    };
    Some((subject, name.clone()))
}

fn retroactive(report: &Value) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for finding in report["findings"].as_array().into_iter().flatten() {
        let code = finding["code"].as_str().unwrap_or_default();
        let counts = RETROACTIVE.iter().any(|one| one.as_str() == code);
        if counts && finding["severity"] == "ERROR" && !found.iter().any(|(known, _)| known == code) {
            let message = finding["message"].as_str().unwrap_or_default();
            found.push((code.to_owned(), message.to_owned()));
        }
    }
    found
}

/// Where a counter that is never set back stood at the begin and at the end of a session, as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counter {
    register: Obis,
    begin: Decimal,
    end: Decimal,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
}

impl Counter {
    /// From a verdict as written down; `None` where nothing of the kind was signed and verified.
    fn of(report: &Value) -> Option<Counter> {
        if report["goals"]["integrity"] != "PASS" {
            return None;
        }
        let mut stands: Vec<(Obis, DateTime<Utc>, Decimal)> = report["readings"]
            .as_array()?
            .iter()
            .filter_map(|reading| {
                let register = Obis::read(reading["obis"].as_str()?).filter(counts_a_lifetime)?;
                let at = DateTime::parse_from_rfc3339(reading["time"].as_str()?).ok()?.to_utc();
                let kwh = kilowatt_hours(reading["value"].as_str()?, reading["unit"].as_str()?)?;
                Some((register, at, kwh))
            })
            .collect();
        stands.sort_by_key(|(_, at, _)| *at);
        let (register, began, begin) = *stands.first()?;
        let (_, ended, end) = *stands.iter().rev().find(|(other, ..)| *other == register)?;
        Some(Counter {
            register: Obis {
                b: None,
                f: None,
                ..register
            },
            begin,
            end,
            began,
            ended,
        })
    }
}

/// A register that begins anew with every transaction says nothing about the one before (signed-metering-formats.md 5.4, 17).
fn counts_a_lifetime(register: &Obis) -> bool {
    register.a == 1
        && register.d == 8
        && matches!(register.c, 0x01 | 0xB0 | 0xB1)
        && matches!(register.e, None | Some(0))
        && matches!(register.f, None | Some(0 | 255))
}

fn kilowatt_hours(value: &str, unit: &str) -> Option<Decimal> {
    let value = exact_decimal(value)?;
    match unit {
        "kWh" => Some(value),
        "Wh" => {
            let mut shifted = value;
            shifted.set_scale(value.scale().checked_add(3)?).ok()?;
            Some(shifted)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn report(obis: &str, unit: &str, begin: &str, end: &str) -> Value {
        json!({"goals": {"integrity": "PASS"}, "readings": [
            {"obis": obis, "unit": unit, "value": begin, "time": "2026-01-01T09:00:00Z"},
            {"obis": obis, "unit": unit, "value": end, "time": "2026-01-01T10:00:00Z"},
        ]})
    }

    #[test]
    fn only_a_counter_of_a_lifetime_is_held_against_another() {
        let counter = Counter::of(&report("1-0:1.8.0", "Wh", "1000", "1500.5")).unwrap();
        assert_eq!(
            (counter.begin.to_string(), counter.end.to_string()),
            ("1.000".into(), "1.5005".into())
        );
        assert_eq!(
            Counter::of(&report("01-00:01.08.00*FF", "kWh", "1", "2"))
                .unwrap()
                .register,
            counter.register
        );
        for transaction in ["1-0:1.8.0*198", "01-00:B2.08.00*FF", "1-0:2.8.0", "nonsense"] {
            assert_eq!(
                Counter::of(&report(transaction, "kWh", "1", "2")),
                None,
                "{transaction}"
            );
        }
        let mut broken = report("1-0:1.8.0", "kWh", "1", "2");
        broken["goals"]["integrity"] = json!("FAIL");
        assert_eq!(
            Counter::of(&broken),
            None,
            "numbers under a broken signature are not the meter's"
        );
    }

    #[test]
    fn a_warning_is_no_doubt_and_a_code_counts_once() {
        let report = json!({"findings": [
            {"code": "KEY_CHANGED", "severity": "ERROR", "message": "a"},
            {"code": "KEY_CHANGED", "severity": "ERROR", "message": "b"},
            {"code": "EVENT_COUNTER_CHANGED", "severity": "WARNING", "message": "c"},
            {"code": "ENERGY_MISMATCH", "severity": "ERROR", "message": "d"},
        ]});
        assert_eq!(retroactive(&report), [("KEY_CHANGED".to_owned(), "a".to_owned())]);
    }
}
