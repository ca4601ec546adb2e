//! Does the bill follow from the readings? Arithmetic on plain values; who sent the bill and in what form is not known here.
//!
//! signed-metering-formats.md section 16. Every comparison says nothing where one side says nothing.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::finding::{Code, Finding, Place};
use super::reading::{Reading, SignedTime, TimeStatus};
use super::record::Identification;
use super::session::{Examination, signed_energy_kwh};

/// What the bill says, as far as a record can contradict it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bill<'a> {
    /// Billed energy in kWh.
    pub total_energy_kwh: Option<Decimal>,
    /// Begin of the session; `None` if the bill leaves it open.
    pub start: Option<DateTime<Utc>>,
    /// End of the session.
    pub end: Option<DateTime<Utc>>,
    /// The EVSE in eMI3 notation, with or without separators.
    pub evse_id: Option<&'a str>,
    /// The meter.
    pub meter_id: Option<&'a str>,
    /// Every name of the one who pays: card number, contract.
    pub payer: Option<Payer<'a>>,
}

/// The names of the one who pays. Compared, never shown.
#[derive(Clone, Copy)]
pub struct Payer<'a>(pub &'a [&'a str]);

impl std::fmt::Debug for Payer<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Payer(hidden)")
    }
}

/// How far bill and record may be apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerances {
    /// In seconds, for begin and end each.
    pub time_s: i64,
    /// In kWh.
    pub energy_kwh: Decimal,
}

impl Tolerances {
    fn agrees(&self, signed: DateTime<Utc>, billed: DateTime<Utc>) -> bool {
        let most = chrono::TimeDelta::try_seconds(self.time_s).unwrap_or(chrono::TimeDelta::MAX);
        (signed - billed).abs() <= most
    }
}

impl Default for Tolerances {
    /// One minute and ten watt-hours (section 16).
    fn default() -> Tolerances {
        Tolerances {
            time_s: 60,
            energy_kwh: Decimal::new(1, 2),
        }
    }
}

/// Holds the bill against the records.
pub fn against_bill(examination: &Examination, bill: &Bill<'_>, tolerances: &Tolerances) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(energy(examination, bill, tolerances));
    findings.extend(times(examination, bill, tolerances));
    if names_other_evse(examination, bill) {
        findings.push(Finding::new(
            Code::EvseMismatch,
            Place::BilledEvse,
            "the record names another EVSE than the bill",
        ));
    }
    if names_other_meter(examination, bill) {
        findings.push(Finding::new(
            Code::MeterIdMismatch,
            Place::BilledMeter,
            "the record names another meter than the bill",
        ));
    }
    if names_the_payer(examination, bill) == Some(false) {
        findings.push(Finding::new(
            Code::ContractMismatch,
            Place::BilledPayer,
            "the identification in the record is not the one on the bill",
        ));
    }
    findings
}

/// Whether the records name the one who pays: yes, no, or not at all. Identifications may be hashed or masked; a "no" is a question, not a proof.
pub fn names_the_payer(examination: &Examination, bill: &Bill<'_>) -> Option<bool> {
    let names: Vec<String> = bill
        .payer?
        .0
        .iter()
        .map(|name| folded(name))
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return None;
    }
    let mut named = examination
        .records
        .iter()
        .filter_map(|record| record.statement.identification.as_ref())
        .map(|identification| folded(Identification::reveal(identification)))
        .filter(|identification| !identification.is_empty())
        .peekable();
    named.peek()?;
    Some(named.all(|identification| names.contains(&identification)))
}

/// Letters and digits only, in upper case: `DE*SYN*E1` and `deSYNE1` name the same thing.
pub fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// Whether the bill can be held against this time at all: the meter vouches for it (section 16: status S or R), and a relative end rests on a
/// begin it vouched for. KEBA's end counts from a begin that was never synchronised; its duration is right and its date is 1970.
pub fn comparable_times(examination: &Examination) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let (begin, end) = (examination.begin_reading(), examination.end_reading());
    let instant = |reading: Option<&Reading>| {
        reading
            .map(|reading| &reading.time)
            .filter(|time| time.is_dependable())
            .and_then(|time| time.instant)
            .map(|instant| instant.to_utc())
    };
    let rests_on_begin = end.is_some_and(|end| end.time.status == TimeStatus::Relative);
    let begin_dependable = begin.is_none_or(|begin| SignedTime::is_dependable(&begin.time));
    (
        instant(begin),
        instant(end).filter(|_| !rests_on_begin || begin_dependable),
    )
}

/// When charging began and ended: the signed time if the meter vouches for it, or gives it for information and the bill agrees with it;
/// otherwise the time of the bill (key-registry.md 4.6, step 2).
pub fn times_of_charging(
    examination: &Examination,
    (start, end): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    tolerances: &Tolerances,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let comparable = comparable_times(examination);
    let time = |comparable: Option<DateTime<Utc>>, reading: Option<&Reading>, billed: Option<DateTime<Utc>>| {
        let informative = || {
            let time = reading.map(|reading| &reading.time);
            let time = time.filter(|time| time.status == TimeStatus::Informative);
            let signed = time.and_then(|time| time.instant)?.to_utc();
            tolerances.agrees(signed, billed?).then_some(signed)
        };
        comparable.or_else(informative).or(billed)
    };
    (
        time(comparable.0, examination.begin_reading(), start),
        time(comparable.1, examination.end_reading(), end),
    )
}

fn energy(examination: &Examination, bill: &Bill<'_>, tolerances: &Tolerances) -> Option<Finding> {
    let (signed, billed) = (signed_energy_kwh(examination)?, bill.total_energy_kwh?);
    let apart = signed.checked_sub(billed).map(|difference| difference.abs());
    if apart.is_some_and(|apart| apart <= tolerances.energy_kwh) {
        return None;
    }
    let sentence = format!(
        "{} kWh are billed, {} kWh are signed",
        billed.normalize(),
        signed.normalize()
    );
    Some(Finding::new(Code::EnergyMismatch, Place::BilledEnergy, sentence))
}

fn times(examination: &Examination, bill: &Bill<'_>, tolerances: &Tolerances) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (begin, end) = comparable_times(examination);
    let sides = [
        (
            examination.begin_reading(),
            begin,
            bill.start,
            Code::StartTimeMismatch,
            Place::BilledStart,
            "begins",
        ),
        (
            examination.end_reading(),
            end,
            bill.end,
            Code::EndTimeMismatch,
            Place::BilledEnd,
            "ends",
        ),
    ];
    for (reading, signed, billed, code, place, verb) in sides {
        let (Some(reading), Some(billed)) = (reading, billed) else {
            continue;
        };
        match signed {
            None => {
                let sentence = match reading.time.status {
                    TimeStatus::Unzoned => {
                        "the record does not say in which time zone its time is, so it cannot contradict the bill"
                    }
                    _ => "the meter does not vouch for its clock, so its time cannot contradict the bill",
                };
                findings.push(Finding::new(Code::TimeNotComparable, place, sentence));
            }
            Some(signed) if !tolerances.agrees(signed, billed) => {
                let sentence = format!(
                    "the bill {verb} at {}, the record at {}",
                    billed.format("%FT%TZ"),
                    signed.format("%FT%TZ")
                );
                findings.push(Finding::new(code, place, sentence));
            }
            Some(_) => {}
        }
    }
    findings
}

fn names_other_evse(examination: &Examination, bill: &Bill<'_>) -> bool {
    let Some(billed) = bill.evse_id.map(folded).filter(|id| !id.is_empty()) else {
        return false;
    };
    let mut named = examination
        .records
        .iter()
        .filter_map(|record| record.statement.charge_point.as_ref())
        .filter(|point| point.is_evse());
    named.any(|point| folded(&point.id) != billed)
}

fn names_other_meter(examination: &Examination, bill: &Bill<'_>) -> bool {
    let Some(billed) = bill.meter_id.map(folded).filter(|id| !id.is_empty()) else {
        return false;
    };
    examination.records.iter().any(|record| {
        let mut serials = [&record.statement.meter_serial, &record.statement.gateway_serial]
            .into_iter()
            .flatten()
            .peekable();
        serials.peek().is_some() && !serials.any(|serial| folded(serial) == billed)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::record::{Given, JudgedAs, SignedValue};
    use crate::metering::session::examine;

    fn examined(begin_status: char, end_status: char) -> Examination {
        let record = format!(
            r#"OCMF|{{"FV":"1.0","GS":"G-1","MS":"M 1","PG":"T1","CT":"EVSEID","CI":"DE*ABC*E1*1","ID":"04aa","RD":[{{"TM":"2026-01-01T10:00:00,000+0100 {begin_status}","TX":"B","RV":10.0,"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}},{{"TM":"2026-01-01T11:00:00,000+0100 {end_status}","TX":"E","RV":17500,"RU":"Wh"}}]}}|{{"SD":"3006020101020101"}}"#
        );
        examine(
            &[SignedValue {
                signed_data: &record,
                ..SignedValue::default()
            }],
            &Given::default(),
            JudgedAs::Session,
        )
    }

    fn bill<'a>() -> Bill<'a> {
        Bill {
            total_energy_kwh: Some(Decimal::new(75, 1)),
            start: Some("2026-01-01T09:00:30Z".parse().unwrap()),
            end: Some("2026-01-01T09:59:00Z".parse().unwrap()),
            evse_id: Some("deabc-e11"),
            meter_id: Some("m1"),
            payer: Some(Payer(&["04AA", "DE-ABC-C1"])),
        }
    }

    fn codes(examination: &Examination, bill: &Bill<'_>) -> Vec<&'static str> {
        against_bill(examination, bill, &Tolerances::default())
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
    }

    #[test]
    fn a_bill_that_follows_from_the_readings_has_no_findings() {
        assert!(codes(&examined('S', 'S'), &bill()).is_empty());
        assert!(codes(&examined('S', 'R'), &bill()).is_empty());
        assert!(
            codes(
                &examined('S', 'S'),
                &Bill {
                    meter_id: Some("G1"),
                    ..bill()
                }
            )
            .is_empty()
        );
        assert!(codes(&examined('S', 'S'), &Bill::default()).is_empty());
    }

    // key-registry.md 4.6, step 2.
    #[test]
    fn a_time_for_information_counts_where_the_bill_agrees_with_it_and_the_bill_counts_where_it_does_not() {
        let instant = |text: &str| Some(text.parse().unwrap());
        let signed = (instant("2026-01-01T09:00:00Z"), instant("2026-01-01T10:00:00Z"));
        let near = (bill().start, bill().end);
        let far = (instant("2026-01-01T08:58:59Z"), instant("2026-01-01T10:01:01Z"));
        let charged = |status, billed| times_of_charging(&examined(status, status), billed, &Tolerances::default());
        for (status, with_near, with_far) in [('S', signed, signed), ('I', signed, far), ('U', near, far)] {
            assert_eq!(charged(status, near), with_near, "{status}");
            assert_eq!(charged(status, far), with_far, "{status}");
        }
        let unbilled = (None, None);
        assert_eq!(charged('I', unbilled), unbilled);
    }

    #[test]
    fn each_contradiction_has_its_finding() {
        let at = |text: &str| Some(text.parse().unwrap());
        let cases = [
            (
                "ENERGY_MISMATCH",
                Bill {
                    total_energy_kwh: Some(Decimal::new(7511, 3)),
                    ..bill()
                },
            ),
            (
                "ENERGY_MISMATCH",
                Bill {
                    total_energy_kwh: Some(Decimal::new(-75, 1)),
                    ..bill()
                },
            ),
            (
                "ENERGY_MISMATCH",
                Bill {
                    total_energy_kwh: Some(Decimal::MIN),
                    ..bill()
                },
            ),
            (
                "START_TIME_MISMATCH",
                Bill {
                    start: at("2026-01-01T09:01:01Z"),
                    ..bill()
                },
            ),
            (
                "END_TIME_MISMATCH",
                Bill {
                    end: at("2026-01-01T11:00:00Z"),
                    ..bill()
                },
            ),
            (
                "EVSE_MISMATCH",
                Bill {
                    evse_id: Some("DE*ABC*E1*2"),
                    ..bill()
                },
            ),
            (
                "METER_ID_MISMATCH",
                Bill {
                    meter_id: Some("M2"),
                    ..bill()
                },
            ),
            (
                "CONTRACT_MISMATCH",
                Bill {
                    payer: Some(Payer(&["04BB"])),
                    ..bill()
                },
            ),
        ];
        for (expected, bill) in cases {
            assert_eq!(codes(&examined('S', 'S'), &bill), [expected]);
        }
    }

    #[test]
    fn the_edge_of_a_tolerance_is_inside_it() {
        let at_the_edge = Bill {
            total_energy_kwh: Some(Decimal::new(751, 2)),
            start: Some("2026-01-01T09:01:00Z".parse().unwrap()),
            ..bill()
        };
        assert!(codes(&examined('S', 'S'), &at_the_edge).is_empty());
    }

    #[test]
    fn a_clock_nobody_vouches_for_contradicts_nothing() {
        let late = Bill {
            start: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            end: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            ..bill()
        };
        assert_eq!(
            codes(&examined('U', 'I'), &late),
            ["TIME_NOT_COMPARABLE", "TIME_NOT_COMPARABLE"]
        );
        // KEBA: the end counts from a begin that was never synchronised.
        assert_eq!(
            codes(&examined('U', 'R'), &late),
            ["TIME_NOT_COMPARABLE", "TIME_NOT_COMPARABLE"]
        );
    }

    #[test]
    fn a_time_without_a_zone_contradicts_nothing_and_one_with_an_offset_does() {
        use crate::metering::key::Curve;
        use crate::metering::sign::SigningMeter;
        use crate::metering::sign::records::{Edl40Fields, edl_40_p, edl_40_sig};
        let meter = SigningMeter::from_seed(Curve::Secp192r1, b"a clock").unwrap();
        let fields = Edl40Fields::default();
        let late = Bill {
            start: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            ..Bill::default()
        };
        let found = |record: &str| {
            let value = SignedValue {
                nature: Some("Start"),
                signed_data: record,
                ..SignedValue::default()
            };
            codes(&examine(&[value], &Given::default(), JudgedAs::Session), &late)
        };
        assert_eq!(found(&edl_40_sig(&meter, &fields)), ["TIME_NOT_COMPARABLE"]);
        assert_eq!(found(&hex::encode(edl_40_p(&meter, &fields))), ["START_TIME_MISMATCH"]);
    }

    #[test]
    fn findings_about_the_payer_do_not_name_him() {
        let findings = against_bill(
            &examined('S', 'S'),
            &Bill {
                payer: Some(Payer(&["04BB"])),
                ..bill()
            },
            &Tolerances::default(),
        );
        assert!(
            findings.iter().all(|finding| !finding.message.contains("04")),
            "{findings:?}"
        );
        assert!(!format!("{:?}", bill()).contains("04AA"));
    }
}
