//! What casts doubt on earlier values of a meter goes into a case, for a person to clear up (key-registry.md SAF-44).
//!
//! Looked for behind every new verdict, away from the request that brought the CDR: in the verdict itself (a key that is not the meter's, a
//! counter of events that moved), and between CDRs of one meter, whose counter only goes up. Verdicts are not touched by it: a case is about
//! what came before, and what came before was judged with what was known.
//!
//! What is to be looked through is in the database, and is gone from there in the commit that notes what was found.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::clock::SharedClock;
use crate::metering::finding::Code;
use crate::metering::reading::{Obis, exact_decimal};
use crate::parties::Fault;
use crate::store::Store;
use crate::store::evidence::{CaseDoubt, CaseSubject, Examined, MeterNeighbour, MeterSpan, TraceKind, Traces};

/// CDRs that are looked through at once.
const PORTION: u32 = 200;

/// How many CDRs before and after one are looked at: one of them must have a counter to compare. The nearest nearly always has.
const NEIGHBOURS: [u32; 2] = [2, 8];

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
            let mut looked: Vec<Looked> = found.into_iter().map(Looked::at).collect();
            self.look_beside(&mut looked).await?;
            let mut clean = Vec::with_capacity(looked.len());
            for one in looked {
                match self.doubt(&one).await? {
                    Some(doubt) => {
                        let case = self.store.case_doubt(&one.row_id, doubt, self.clock.now()).await;
                        let case = case.map_err(failed)?;
                        log::warn!(case = case.as_str(), cdr = one.row_id.as_str(); "earlier values of a meter are in doubt");
                    }
                    None => clean.push((one.row_id, one.subject)),
                }
            }
            self.store.examined(clean).await.map_err(failed)?;
        }
    }

    /// Finds, for all at once, the nearest CDR before and the nearest after that have the same counter.
    async fn look_beside(&self, looked: &mut [Looked]) -> Result<(), Fault> {
        for limit in NEIGHBOURS {
            let (open, spans): (Vec<&mut Looked>, Vec<MeterSpan>) = looked
                .iter_mut()
                .filter(|one| !one.is_settled)
                .filter_map(|one| one.span().map(|span| (one, span)))
                .unzip();
            if open.is_empty() {
                return Ok(());
            }
            let found = self.store.meter_neighbours(spans, limit).await;
            let found = found.map_err(|error| Fault::new("reading the CDRs of a meter", error))?;
            for (one, sides) in open.into_iter().zip(found) {
                one.stands_beside(&sides, limit as usize);
            }
        }
        Ok(())
    }

    async fn doubt(&self, cdr: &Looked) -> Result<Option<CaseDoubt>, Fault> {
        let Some(subject) = &cdr.subject else { return Ok(None) };
        let findings = cdr.doubts();
        if findings.is_empty() {
            return Ok(None);
        }
        Ok(Some(CaseDoubt {
            subject: subject.clone(),
            shown_as: subject.name.clone(),
            findings,
            last_good: self.last_good(subject, cdr).await?,
        }))
    }

    /// The last CDR of the meter that nothing speaks against: verified, and no higher than the counter that is in doubt.
    async fn last_good(&self, subject: &CaseSubject, cdr: &Looked) -> Result<Option<(String, i64)>, Fault> {
        let counter = cdr.counter.as_ref();
        let Some(began) = counter.map(|counter| counter.began).or(cdr.began) else {
            return Ok(None);
        };
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
            if let Some(good) = page
                .iter()
                .find(|one| one.row_id != cdr.row_id && is_good(one, counter))
            {
                return Ok(Some((good.row_id.clone(), good.ended_at)));
            }
            skip += PORTION;
        }
        Ok(None)
    }
}

/// A CDR that is looked through: what its verdict says, and what stands beside it.
struct Looked {
    row_id: String,
    /// What a case would be about; `None` also where nothing is looked for.
    subject: Option<CaseSubject>,
    began: Option<DateTime<Utc>>,
    counter: Option<Counter>,
    /// Findings of its own that say something about those before it.
    retroactive: Vec<(String, String)>,
    before: Option<Counter>,
    after: Option<Counter>,
    /// Whether more neighbours would change nothing.
    is_settled: bool,
}

impl Looked {
    fn at(one: Examined) -> Looked {
        let is_rejected = one.delivery == super::intake::word::REJECTED;
        let subject = one.traces.as_ref().and_then(|traces| subject_of(&one.cpo_key, traces));
        let judged = Judged::read(&one.report);
        Looked {
            counter: Counter::of(&judged).filter(|_| !is_rejected),
            retroactive: if is_rejected { Vec::new() } else { judged.retroactive() },
            row_id: one.row_id,
            subject,
            began: one.traces.and_then(|traces| traces.began),
            before: None,
            after: None,
            is_settled: false,
        }
    }

    /// Where its neighbours are looked for; `None` when there is nothing to hold against them.
    fn span(&self) -> Option<MeterSpan> {
        let (subject, counter) = (self.subject.as_ref()?, self.counter.as_ref()?);
        Some(MeterSpan {
            subject: subject.clone(),
            began_at: counter.began.timestamp_micros(),
            ended_at: counter.ended.timestamp_micros(),
        })
    }

    /// Takes the nearest on each side that can be compared; `asked` is how many there may be.
    fn stands_beside(&mut self, sides: &[Vec<MeterNeighbour>; 2], asked: usize) {
        let Some(counter) = &self.counter else { return };
        let comparable = |neighbour: &MeterNeighbour| {
            let other = Counter::of(&Judged::read(&neighbour.report))?;
            (neighbour.row_id != self.row_id && other.register == counter.register).then_some(other)
        };
        let [before, after] = sides;
        let earlier = before
            .iter()
            .filter_map(comparable)
            .find(|other| other.ended <= counter.began);
        let later = after
            .iter()
            .filter_map(comparable)
            .find(|other| other.began >= counter.ended);
        let could_be_more = |found: &Option<Counter>, side: &[MeterNeighbour]| found.is_none() && side.len() == asked;
        self.is_settled = !could_be_more(&earlier, before) && !could_be_more(&later, after);
        (self.before, self.after) = (earlier, later);
    }

    /// What it casts doubt with: code, and a sentence.
    fn doubts(&self) -> Vec<(String, String)> {
        let mut findings = self.retroactive.clone();
        let pairs = [
            (self.before.as_ref(), self.counter.as_ref()),
            (self.counter.as_ref(), self.after.as_ref()),
        ];
        for pair in pairs {
            if let (Some(earlier), Some(later)) = pair
                && earlier.end > later.begin
            {
                let code = Code::MeterWentBackwards.as_str().to_owned();
                let sentence = format!(
                    "the counter stood at {} kWh at {} and at {} kWh at {}",
                    earlier.end, earlier.ended, later.begin, later.began
                );
                findings.retain(|(known, _)| *known != code);
                findings.push((code, sentence));
            }
        }
        findings
    }
}

fn is_good(one: &MeterNeighbour, counter: Option<&Counter>) -> bool {
    let judged = Judged::read(&one.report);
    let stands = judged.status == "VERIFIED" || judged.status == "INTEGRITY_ONLY";
    let is_lower = match (Counter::of(&judged), counter) {
        (Some(earlier), Some(later)) if earlier.register == later.register => earlier.end <= later.begin,
        _ => true,
    };
    stands && is_lower && judged.retroactive().is_empty()
}

/// What a case is about: the meter, or what stands for it where the records name none; folded.
fn subject_of(cpo_key: &str, traces: &Traces) -> Option<CaseSubject> {
    let names = [
        (TraceKind::Meter, traces.meters.first()),
        (TraceKind::Gateway, traces.gateways.first()),
        (TraceKind::Evse, traces.evse.as_ref()),
    ];
    let (kind, name) = names.into_iter().find_map(|(kind, name)| Some((kind, name?)))?;
    Some(CaseSubject {
        cpo_key: cpo_key.to_owned(),
        kind,
        name: name.clone(),
    })
}

/// What a verdict, as written down, says that matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Judged<'r> {
    #[serde(borrow)]
    status: Cow<'r, str>,
    #[serde(borrow)]
    goals: Goals<'r>,
    #[serde(borrow)]
    readings: Vec<SignedReading<'r>>,
    #[serde(borrow)]
    findings: Vec<Finding<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Goals<'r> {
    #[serde(borrow)]
    integrity: Cow<'r, str>,
}

#[derive(Deserialize)]
struct SignedReading<'r> {
    #[serde(borrow)]
    obis: Cow<'r, str>,
    #[serde(borrow)]
    time: Cow<'r, str>,
    #[serde(borrow)]
    value: Cow<'r, str>,
    #[serde(borrow)]
    unit: Cow<'r, str>,
}

#[derive(Deserialize)]
struct Finding<'r> {
    #[serde(borrow)]
    code: Cow<'r, str>,
    #[serde(borrow)]
    severity: Cow<'r, str>,
    #[serde(borrow)]
    message: Cow<'r, str>,
}

impl<'r> Judged<'r> {
    /// One that cannot be read says nothing.
    fn read(report: &'r str) -> Judged<'r> {
        serde_json::from_str(report).unwrap_or_default()
    }

    fn retroactive(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.severity == "ERROR") {
            let counts = RETROACTIVE.iter().any(|one| one.as_str() == finding.code);
            if counts && !found.iter().any(|(known, _)| *known == finding.code) {
                found.push((finding.code.to_string(), finding.message.to_string()));
            }
        }
        found
    }
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
    fn of(judged: &Judged<'_>) -> Option<Counter> {
        if judged.goals.integrity != "PASS" {
            return None;
        }
        let mut stands: Vec<(Obis, DateTime<Utc>, Decimal)> = judged
            .readings
            .iter()
            .filter_map(|reading| {
                let register = Obis::read(&reading.obis).filter(counts_a_lifetime)?;
                let at = DateTime::parse_from_rfc3339(&reading.time).ok()?.to_utc();
                let kwh = kilowatt_hours(&reading.value, &reading.unit)?;
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

    fn report(obis: &str, unit: &str, begin: &str, end: &str, integrity: &str) -> String {
        json!({"goals": {"integrity": integrity}, "readings": [
            {"obis": obis, "unit": unit, "value": begin, "time": "2026-01-01T09:00:00Z"},
            {"obis": obis, "unit": unit, "value": end, "time": "2026-01-01T10:00:00Z"},
        ]})
        .to_string()
    }

    fn counter(obis: &str, unit: &str, begin: &str, end: &str, integrity: &str) -> Option<Counter> {
        Counter::of(&Judged::read(&report(obis, unit, begin, end, integrity)))
    }

    #[test]
    fn only_a_counter_of_a_lifetime_is_held_against_another() {
        let known = counter("1-0:1.8.0", "Wh", "1000", "1500.5", "PASS").unwrap();
        assert_eq!(
            (known.begin.to_string(), known.end.to_string()),
            ("1.000".into(), "1.5005".into())
        );
        let other = counter("01-00:01.08.00*FF", "kWh", "1", "2", "PASS").unwrap();
        assert_eq!(other.register, known.register);
        for transaction in ["1-0:1.8.0*198", "01-00:B2.08.00*FF", "1-0:2.8.0", "nonsense"] {
            assert_eq!(counter(transaction, "kWh", "1", "2", "PASS"), None, "{transaction}");
        }
        assert_eq!(
            counter("1-0:1.8.0", "kWh", "1", "2", "FAIL"),
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
        let retroactive = Judged::read(&report.to_string()).retroactive();
        assert_eq!(retroactive, [("KEY_CHANGED".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn more_neighbours_are_asked_for_only_where_none_of_the_nearest_can_be_compared() {
        let neighbour = |row_id: &str, report: &str| MeterNeighbour {
            row_id: row_id.to_owned(),
            ended_at: 0,
            report: report.to_owned(),
        };
        let mut one = Looked::at(Examined {
            row_id: "one".to_owned(),
            cpo_key: "DE/ABC".to_owned(),
            delivery: "delivered".to_owned(),
            report: report("1-0:1.8.0", "kWh", "7", "8", "PASS"),
            traces: None,
        });
        let unsigned = [neighbour("a", "{}"), neighbour("b", "{}")];
        one.stands_beside(&[unsigned.to_vec(), Vec::new()], 2);
        assert!(!one.is_settled && one.doubts().is_empty());
        one.stands_beside(&[unsigned.to_vec(), Vec::new()], 8);
        assert!(one.is_settled, "there are no more");
        let itself = neighbour("one", &report("1-0:1.8.0", "kWh", "1", "2", "PASS"));
        one.stands_beside(&[Vec::new(), vec![itself]], 2);
        assert!(one.is_settled && one.doubts().is_empty());
    }
}
