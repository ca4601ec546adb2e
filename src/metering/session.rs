//! Records looked at, one by one and as a session.
//!
//! Each record is unwrapped, read and verified; then, if all of them could be read, they are held against each other
//! (signed-metering-formats.md sections 2.3, 5.5 and 15). Order in the list means nothing, labels are unsigned: the labels give the order, the
//! signed numbers and times must agree with it.
//!
//! Start with [`examine`].

use rust_decimal::Decimal;

use super::examined::{Carried, Evidence, carried};
pub use super::examined::{ChargePoint, RecordExamination};
use super::finding::{Code, Finding, Outcome, Place};
use super::formats::signed_record::Malformed;
use super::formats::{FormatName, ReadRecord};
use super::key::{Curve, KeyError, PublicKey};
use super::pairing::{self, Sheet};
use super::reading::Reading;
use super::record::{Given, Identification, JudgedAs, MAX_RECORDS, Nature, SignedValue};
use super::verdict::{self, KeyTexts, SignatureAnswer};

/// What was found out about a list of records.
#[derive(Debug, Clone)]
pub struct Examination {
    /// One for each value, in the order of the list.
    pub records: Vec<RecordExamination>,
    /// What concerns more than one record, or none in particular.
    pub findings: Vec<Finding>,
    /// The worst of all findings.
    pub outcome: Outcome,
    /// Record and reading that begin the session, if one can be told.
    pub begin: Option<(usize, usize)>,
    /// Record and reading that end it.
    pub end: Option<(usize, usize)>,
    /// Whether the records were judged as one session.
    is_session: bool,
}

/// Examines records. Never panics, whatever was carried; takes no longer than its input is long.
pub fn examine(values: &[SignedValue<'_>], given: &Given<'_>, judged_as: JudgedAs) -> Examination {
    open(values, given.encoding_method, judged_as).verify(given)
}

/// Unwraps, reads and compares records without asking for a key yet: what they say tells which key to look for.
pub fn open<'a>(values: &[SignedValue<'a>], encoding_method: Option<&str>, judged_as: JudgedAs) -> Opened<'a> {
    let mut opened = Opened {
        examination: Examination::blank(),
        evidence: Vec::new(),
        texts: KeyTexts::default(),
    };
    if values.len() > MAX_RECORDS {
        opened.examination.add(
            Code::UndecodableSignedData,
            Place::Session,
            "there are more signed values than any session has",
        );
        return opened;
    }
    for (index, value) in values.iter().enumerate() {
        opened.open_value(index, value, encoding_method);
    }
    opened.compare(encoding_method, judged_as);
    opened
}

/// Examines records that somebody has read already: those of a file of many sessions, taken apart by whoever knows which of them are one.
pub fn examine_read(records: Vec<ReadRecord<'_>>, given: &Given<'_>, judged_as: JudgedAs) -> Examination {
    let mut opened = Opened {
        examination: Examination::blank(),
        evidence: Vec::new(),
        texts: KeyTexts::default(),
    };
    let nothing = SignedValue::default();
    for (index, read) in records.into_iter().enumerate() {
        let mut record = RecordExamination::blank(index, &nothing);
        let evidence = record.take(read, &nothing);
        opened.examination.records.push(record);
        opened.evidence.push(evidence);
    }
    opened.compare(given.encoding_method, judged_as);
    opened.verify(given)
}

/// Records that were read and not yet verified. Everything they say is only a claim.
pub struct Opened<'a> {
    examination: Examination,
    evidence: Vec<Option<Evidence<'a>>>,
    texts: KeyTexts,
}

impl<'a> Opened<'a> {
    /// The records, as far as they can be believed without a key: not at all.
    pub fn claims(&self) -> &Examination {
        &self.examination
    }

    /// The curve that the first readable record names: the hint for reading a bare key.
    pub fn curve(&self) -> Option<Curve> {
        self.examination.records.iter().find_map(|record| record.curve)
    }

    /// Reads the text of a key that came along, on the curve the records name; the key is not read again when verifying.
    pub fn read_key(&mut self, text: &str) -> Result<PublicKey, KeyError> {
        let curve = self.curve();
        self.texts.read(text, curve)
    }

    /// Reads the key inside the records, if they have one.
    pub fn embedded_key(&mut self) -> Option<PublicKey> {
        let evidence = self.evidence.iter().flatten().find(|it| it.embedded_key.is_some())?;
        let text = evidence.embedded_key.as_deref()?;
        self.texts.read(text, evidence.curve()).ok()
    }

    /// Whether every readable signature fits under this key: for choosing among several that are registered.
    pub fn would_fit(&self, key: &PublicKey) -> bool {
        let mut blocks = self
            .evidence
            .iter()
            .flatten()
            .flat_map(|evidence| &evidence.blocks)
            .peekable();
        blocks.peek().is_some()
            && blocks.all(|block| {
                block.signature.as_ref().is_ok_and(|signature| {
                    verdict::verify(key, signature.curve, &block.octets, &signature.signature)
                        .0
                        .fits()
                })
            })
    }

    /// Verifies every signature and concludes.
    pub fn verify(self, given: &Given<'_>) -> Examination {
        let Opened {
            examination: mut session,
            evidence,
            mut texts,
        } = self;
        for (record, evidence) in session.records.iter_mut().zip(&evidence) {
            let Some((evidence, curve)) = evidence
                .as_ref()
                .and_then(|evidence| Some((evidence, evidence.curve()?)))
            else {
                continue;
            };
            let own = (evidence.own_key.as_deref(), evidence.embedded_key.as_deref());
            let choice = verdict::choose(&mut texts, given, own, curve);
            for remark in choice.remarks {
                if !session.findings.contains(&remark) {
                    session.findings.push(remark);
                }
            }
            record.verify(&evidence.blocks, choice.key);
        }
        session.check_keys();
        session.outcome = Outcome::of(session.all_findings());
        session
    }

    /// Holds the records against the label and against each other.
    fn compare(&mut self, encoding_method: Option<&str>, judged_as: JudgedAs) {
        let session = &mut self.examination;
        if session.records.is_empty() {
            session.add(Code::NoSignedData, Place::Session, "there is no signed value");
        }
        session.compare_with_label(encoding_method);
        match judged_as {
            JudgedAs::Record => session.judge_each(),
            JudgedAs::Session => session.judge_together(),
        }
    }

    fn open_value(&mut self, index: usize, value: &SignedValue<'a>, encoding_method: Option<&str>) {
        let mut record = RecordExamination::blank(index, value);
        match carried(value) {
            Carried::Records(records) => {
                if self.examination.records.len() + records.len() > MAX_RECORDS {
                    record.undecidable(
                        Code::UndecodableSignedData,
                        "there are more records than any session has",
                    );
                    self.examination.records.push(record);
                    self.evidence.push(None);
                    return;
                }
                // The label of a value that holds several records is the label of none of them.
                if records.len() > 1 {
                    record.nature = None;
                }
                for read in records {
                    let mut record = record.clone();
                    let evidence = record.take(read, value);
                    self.examination.records.push(record);
                    self.evidence.push(evidence);
                }
                return;
            }
            Carried::Empty => record.undecidable(Code::NoSignedData, "the value is empty"),
            Carried::TooLong => record.undecidable(Code::UndecodableSignedData, "the value is longer than any record"),
            Carried::Unrecognised(text) => {
                match encoding_method.map(|label| (label, FormatName::from_encoding_method(label))) {
                    Some((_, Some(format))) if format.is_wanted_by(&text) => record.malformed(&Malformed::new(
                        format,
                        "the value does not begin like a record of the format that its label names",
                    )),
                    Some((label, None)) if !label.trim().is_empty() => {
                        record.undecidable(
                            Code::UnsupportedEncodingMethod,
                            "neither the label nor the content is of a known format",
                        );
                    }
                    _ => record.undecidable(
                        Code::UndecodableSignedData,
                        "no record of a known format can be unwrapped from the value",
                    ),
                }
            }
        }
        self.examination.records.push(record);
        self.evidence.push(None);
    }
}

/// The energy between begin and end, in kWh; `None` unless both are there and exact.
pub fn signed_energy_kwh(examination: &Examination) -> Option<Decimal> {
    let begin = examination.begin_reading()?.kilowatt_hours()?;
    let end = examination.end_reading()?.kilowatt_hours()?;
    end.checked_sub(begin)
}

impl Examination {
    fn blank() -> Examination {
        Examination {
            records: Vec::new(),
            findings: Vec::new(),
            outcome: Outcome::Valid,
            begin: None,
            end: None,
            is_session: false,
        }
    }

    /// Every finding: those of the records first, in their order, then those of the session.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.records
            .iter()
            .flat_map(|record| &record.findings)
            .chain(&self.findings)
    }

    /// The reading that begins the session.
    pub fn begin_reading(&self) -> Option<&Reading> {
        self.reading(self.begin)
    }

    /// The reading that ends the session.
    pub fn end_reading(&self) -> Option<&Reading> {
        self.reading(self.end)
    }

    /// Whether every signature fits (and there is one).
    pub fn all_fit(&self) -> bool {
        !self.records.is_empty() && self.records.iter().all(|record| record.signature.fits())
    }

    fn reading(&self, at: Option<(usize, usize)>) -> Option<&Reading> {
        let (record, reading) = at?;
        self.records.get(record)?.statement.readings.get(reading)
    }

    fn add(&mut self, code: Code, place: Place, message: &str) {
        if !self
            .findings
            .iter()
            .any(|finding| finding.code == code && finding.place == place)
        {
            self.findings.push(Finding::new(code, place, message));
        }
    }

    /// The label is a hint (2.1): one that names another format, or none, is worth a warning and nothing more.
    fn compare_with_label(&mut self, label: Option<&str>) {
        let Some(label) = label else { return };
        let named = FormatName::from_encoding_method(label);
        let other = self
            .records
            .iter()
            .filter_map(|record| record.format)
            .find(|format| named != Some(*format));
        if let Some(format) = other {
            self.add(
                Code::EncodingMethodMislabelled,
                Place::Label,
                &format!("the content is {}, the label says otherwise", format.as_str()),
            );
        }
    }

    fn judge_each(&mut self) {
        let alone = self.records.len() == 1;
        for index in 0..self.records.len() {
            let record = &mut self.records[index];
            if let Some(nature) = record.labelled_nature() {
                record.place_readings(nature);
            }
            if record.statement.readings.is_empty() {
                continue;
            }
            let value = record.value;
            let pair = pairing::pair(
                &mut [Sheet {
                    record: index,
                    readings: &mut record.statement.readings,
                    has_one_register: record.statement.has_one_register,
                }],
                false,
            );
            let placed = pair.findings.into_iter().map(|mut finding| {
                if finding.place == Place::Record(index) {
                    finding.place = Place::Record(value);
                }
                finding
            });
            record.findings.extend(placed);
            if alone {
                (self.begin, self.end) = (pair.begin, pair.end);
            }
        }
    }

    fn judge_together(&mut self) {
        self.is_session = true;
        let formats: Vec<FormatName> = self.records.iter().filter_map(|record| record.format).collect();
        if formats.windows(2).any(|pair| pair[0] != pair[1]) {
            self.add(
                Code::MixedFormats,
                Place::Session,
                "the records are of different formats",
            );
        }
        // What could not be read may hold the reading that seems to be missing.
        if self.records.is_empty() || self.records.iter().any(|record| record.statement.readings.is_empty()) {
            return;
        }
        let order = self.order();
        self.check_natures();
        self.check_identity(&order);
        self.check_pagination(&order);
        self.place_by_label(&order);
        self.forgive_begin_lists();

        let mut sheets: Vec<Sheet<'_>> = self
            .records
            .iter_mut()
            .enumerate()
            .map(|(record, examined)| Sheet {
                record,
                readings: &mut examined.statement.readings,
                has_one_register: examined.statement.has_one_register,
            })
            .collect();
        sheets.sort_by_key(|sheet| order.iter().position(|record| *record == sheet.record));
        let pair = pairing::pair(&mut sheets, true);
        (self.begin, self.end) = (pair.begin, pair.end);
        for mut finding in pair.findings {
            match finding.place {
                Place::Record(index) if index < self.records.len() => {
                    finding.place = Place::Record(self.records[index].value);
                    self.records[index].findings.push(finding);
                }
                _ => self.findings.push(finding),
            }
        }
    }

    /// Records in the order of the session: by label where there is one, else by what they hold; between begin and end by their numbers.
    fn order(&self) -> Vec<usize> {
        let rank = |index: &usize| {
            let record = &self.records[*index];
            let nature = record.labelled_nature().unwrap_or_else(|| record.nature_by_content());
            let number = match nature {
                Nature::Intermediate => record.statement.pagination.map_or(0, |pagination| pagination.number),
                Nature::Start | Nature::End => 0,
            };
            (nature, number)
        };
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        order.sort_by_key(rank);
        order
    }

    /// Where the format has no word for begin and end, the label has; where there is no label either, the first record begins and the last ends.
    fn place_by_label(&mut self, order: &[usize]) {
        for (position, index) in order.iter().enumerate() {
            let record = &mut self.records[*index];
            let by_position = match position {
                0 => Nature::Start,
                last if last + 1 == order.len() => Nature::End,
                _ => Nature::Intermediate,
            };
            record.place_readings(record.labelled_nature().unwrap_or(by_position));
        }
    }

    /// A record made while charging went on is no bill, but beside the one that ends the session it is what it should be (9).
    fn forgive_begin_lists(&mut self) {
        if self.records.iter().any(RecordExamination::ends) {
            for record in self.records.iter_mut().filter(|record| !record.ends()) {
                record.findings.retain(|finding| finding.code != Code::NotFinalRecord);
            }
        }
    }

    /// A label that says begin on a record that only ends, or the other way round.
    fn check_natures(&mut self) {
        for record in &mut self.records {
            let (begins, ends) = (record.begins(), record.ends());
            let contradiction = match record.labelled_nature() {
                Some(Nature::Start) => ends && !begins,
                Some(Nature::End) => begins && !ends,
                Some(Nature::Intermediate) | None => false,
            };
            if contradiction {
                record.add(
                    Code::NatureMismatch,
                    Place::Nature(record.value),
                    "the label of the value contradicts what the record holds",
                );
            }
        }
    }

    /// One meter, one user, one session; no record twice.
    fn check_identity(&mut self, order: &[usize]) {
        let records: Vec<&RecordExamination> = order.iter().map(|index| &self.records[*index]).collect();
        let changed: Vec<&Constant> = CONSTANTS
            .iter()
            .filter(|constant| {
                let mut named = records.iter().filter_map(|record| (constant.of)(record));
                let first = named.next();
                named.any(|other| Some(other) != first)
            })
            .collect();
        let twice = records.iter().enumerate().any(|(at, record)| {
            let is_known = |digest| {
                records[..at]
                    .iter()
                    .any(|earlier| earlier.block_digests.contains(digest))
            };
            record.block_digests.iter().any(is_known)
        });
        for constant in changed {
            self.add(constant.code, Place::Session, constant.message);
        }
        if twice {
            self.add(Code::DuplicateRecord, Place::Session, "the same record stands twice");
        }
    }

    /// One key for all records of a session (15).
    fn check_keys(&mut self) {
        let mut fitting = self.records.iter().filter_map(|record| match &record.signature {
            SignatureAnswer::Fits(proof) => Some(proof.key()),
            _ => None,
        });
        let first = fitting.next();
        if fitting.any(|key| Some(key) != first) && self.is_session {
            self.add(
                Code::KeyChanged,
                Place::Session,
                "the records were signed with different keys",
            );
        }
    }

    /// Numbers rise from record to record in one series; a gap is legitimate, other connectors and fiscal readings share the counter (15).
    fn check_pagination(&mut self, order: &[usize]) {
        for pair in order.windows(2) {
            let (Some(before), Some(after)) = (
                self.records[pair[0]].statement.pagination,
                self.records[pair[1]].statement.pagination,
            ) else {
                continue;
            };
            let place = Place::Record(self.records[pair[1]].value);
            if before.series != after.series {
                self.add(
                    Code::PaginationContextChanged,
                    place,
                    "the records are numbered in different series",
                );
            } else if after.number <= before.number {
                self.add(
                    Code::PaginationNotIncreasing,
                    place,
                    "the record's number is not higher than that of the record before",
                );
            } else if after.number - before.number > 1 {
                self.add(Code::PaginationGap, place, "the meter made other records in between");
            }
        }
    }
}

/// What all records of a session must say alike, those that say it at all (15).
struct Constant {
    of: fn(&RecordExamination) -> Option<&str>,
    code: Code,
    message: &'static str,
}

const CONSTANTS: [Constant; 6] = [
    Constant {
        of: |record| record.statement.meter_serial.as_deref(),
        code: Code::SerialChanged,
        message: "the records name different meters",
    },
    Constant {
        of: |record| record.statement.gateway_serial.as_deref(),
        code: Code::SerialChanged,
        message: "the records name different meters",
    },
    Constant {
        of: |record| record.statement.identification.as_ref().map(Identification::reveal),
        code: Code::ContractChanged,
        message: "the records name different users",
    },
    Constant {
        of: |record| record.statement.logbook.as_deref(),
        code: Code::LogbookChanged,
        message: "something was written into the meter's logbook during the session",
    },
    Constant {
        of: |record| record.statement.session_id.as_deref(),
        code: Code::SessionIdChanged,
        message: "the meter counts the records to different sessions",
    },
    Constant {
        of: |record| record.statement.adapter.as_deref(),
        code: Code::AdapterChanged,
        message: "the records were made by different adapters",
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::record::KeyTrust;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{AlfenDataset, Edl40Fields, alfen, edl_40_sig};
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    fn meter(curve: Curve) -> SigningMeter {
        SigningMeter::from_seed(curve, b"a meter for the tests of sessions").unwrap()
    }

    fn key(meter: &SigningMeter) -> String {
        hex::encode(meter.public_key().to_spki_der())
    }

    /// One reading; `extra` members win because they replace what stands there.
    fn reading(marker: &str, time: &str, value: &str) -> String {
        format!(
            r#"{{"TM":"2026-01-01T{time}:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","EF":"","ST":"G"}}"#
        )
    }

    fn payload(page: &str, readings: &[String]) -> String {
        format!(
            r#"{{"FV":"1.0","GS":"G1","MS":"M1","PG":"{page}","IL":"VERIFIED","ID":"04AA","RD":[{}]}}"#,
            readings.join(",")
        )
    }

    fn pair() -> [String; 2] {
        [
            payload("T1", &[reading("B", "10:00", "10.000")]),
            payload("T2", &[reading("E", "11:00", "17.500")]),
        ]
    }

    fn judge(payloads: &[(Option<&str>, String)]) -> Examination {
        let meter = meter(Curve::Secp256r1);
        let records: Vec<(Option<&str>, String)> = payloads
            .iter()
            .map(|(nature, payload)| (*nature, meter.ocmf(payload)))
            .collect();
        let values: Vec<SignedValue<'_>> = records
            .iter()
            .map(|(nature, record)| SignedValue {
                nature: *nature,
                signed_data: record,
                ..SignedValue::default()
            })
            .collect();
        let key = key(&meter);
        examine(
            &values,
            &Given {
                delivered_key: Some(&key),
                ..Given::default()
            },
            JudgedAs::Session,
        )
    }

    fn codes(examination: &Examination) -> Vec<&'static str> {
        examination
            .all_findings()
            .map(|finding| finding.code.as_str())
            .collect()
    }

    #[test]
    fn begin_and_end_of_one_meter_under_one_key_are_a_session_on_every_curve_of_the_table() {
        for curve in Curve::SUPPORTED {
            let meter = meter(curve);
            let records = pair().map(|payload| BASE64_STANDARD.encode(meter.ocmf(&payload)));
            let values = records.each_ref().map(|record| SignedValue {
                signed_data: record,
                ..SignedValue::default()
            });
            let key = key(&meter);
            let given = Given {
                encoding_method: Some("OCMF"),
                delivered_key: Some(&key),
                ..Given::default()
            };
            let examination = examine(&values, &given, JudgedAs::Session);
            assert_eq!(
                examination.outcome,
                Outcome::Valid,
                "{curve}: {:?}",
                codes(&examination)
            );
            assert_eq!(signed_energy_kwh(&examination).unwrap().to_string(), "7.500");
            assert_eq!(examination.records[0].curve, Some(curve));
        }
    }

    #[test]
    fn order_in_the_list_means_nothing_and_labels_give_it() {
        let [begin, end] = pair();
        let turned = judge(&[(Some("END"), end.clone()), (Some("start"), begin.clone())]);
        assert_eq!(
            (turned.outcome, turned.begin, turned.end),
            (Outcome::Valid, Some((1, 0)), Some((0, 0)))
        );
        let exchanged = judge(&[(Some("End"), begin), (Some("Start"), end)]);
        assert_eq!(exchanged.outcome, Outcome::Invalid);
        assert!(
            codes(&exchanged).contains(&"NATURE_MISMATCH") && codes(&exchanged).contains(&"PAGINATION_NOT_INCREASING")
        );
    }

    #[test]
    fn each_rule_of_a_session_has_its_finding() {
        let [begin, end] = pair();
        let changed = |from: &str, to: &str| vec![begin.clone(), end.replacen(from, to, 1)];
        let begin_changed = |from: &str, to: &str| vec![begin.replacen(from, to, 1), end.clone()];
        let cases: Vec<(&str, Vec<String>)> = vec![
            ("METER_WENT_BACKWARDS", changed("17.500", "9.999")),
            ("TIME_WENT_BACKWARDS", changed("11:00", "09:00")),
            ("SERIAL_CHANGED", changed("M1", "M2")),
            ("SERIAL_CHANGED", changed("G1", "G2")),
            ("CONTRACT_CHANGED", changed("04AA", "04BB")),
            ("PAGINATION_NOT_INCREASING", changed("T2", "T1")),
            ("PAGINATION_CONTEXT_CHANGED", changed("T2", "F2")),
            ("PAGINATION_GAP", changed("T2", "T9")),
            ("REGISTER_MISMATCH", changed("1-0:1.8.0", "1-0:9E.8.0")),
            ("METER_STATUS_NOT_OK", changed("\"ST\":\"G\"", "\"ST\":\"M\"")),
            ("METER_STATUS_MISSING", changed("\"ST\":\"G\"", "\"ST\":\"\"")),
            ("ENERGY_ERROR_FLAG", changed("\"EF\":\"\"", "\"EF\":\"tE\"")),
            ("TIME_ERROR_FLAG", changed("\"EF\":\"\"", "\"EF\":\"t\"")),
            ("ID_LEVEL_ERROR", changed("VERIFIED", "MISMATCH")),
            ("EXCEPTION_MARKER", begin_changed("\"TX\":\"B\"", "\"TX\":\"X\"")),
            (
                "NO_BILLING_REGISTER",
                vec![begin.replace("1.8.0", "2.8.0"), end.replace("1.8.0", "2.8.0")],
            ),
            ("UNIT_NOT_ENERGY", changed("kWh", "sec")),
            ("READING_UNREADABLE", changed("17.500", "1e99")),
            ("TIME_SYNC_INCONSISTENT", begin_changed("+0100 S", "+0100 R")),
            ("TIME_NOT_SYNCHRONISED", begin_changed("+0100 S", "+0100 I")),
            (
                "EVENT_COUNTER_CHANGED",
                vec![
                    begin.replace("\"RV\"", "\"EI\":1,\"RV\""),
                    end.replace("\"RV\"", "\"EI\":2,\"RV\""),
                ],
            ),
            ("MISSING_END", vec![begin.clone()]),
            ("MISSING_BEGIN", vec![end.clone()]),
            ("DUPLICATE_RECORD", vec![begin.clone(), begin.clone()]),
            (
                "MULTIPLE_BEGIN",
                vec![
                    begin.clone(),
                    payload(
                        "T2",
                        &[reading("B", "10:00", "10.001"), reading("E", "11:00", "17.500")],
                    ),
                ],
            ),
            (
                "MULTIPLE_END",
                vec![
                    begin.clone(),
                    payload(
                        "T2",
                        &[reading("E", "10:59", "17.000"), reading("E", "11:00", "17.500")],
                    ),
                ],
            ),
        ];
        for (expected, payloads) in cases {
            let examination = judge(&payloads.into_iter().map(|payload| (None, payload)).collect::<Vec<_>>());
            assert!(
                codes(&examination).contains(&expected),
                "{expected}: {:?}",
                codes(&examination)
            );
            let is_fatal = Code::from_name(expected).unwrap().severity() == super::super::finding::Severity::Error;
            assert!(!is_fatal || examination.outcome == Outcome::Invalid, "{expected}");
        }
    }

    #[test]
    fn an_end_record_may_repeat_the_begin_and_readings_in_between_must_lie_in_between() {
        let begin = payload("T1", &[reading("B", "10:00", "10.000")]);
        let both = |middle: &str| {
            payload(
                "T2",
                &[
                    reading("B", "10:00", "10.000"),
                    reading("T", "10:30", middle),
                    reading("E", "11:00", "17.500"),
                ],
            )
        };
        assert_eq!(
            judge(&[(None, begin.clone()), (None, both("12"))]).outcome,
            Outcome::Valid
        );
        assert!(codes(&judge(&[(None, begin.clone()), (None, both("18"))])).contains(&"METER_WENT_BACKWARDS"));
        assert!(codes(&judge(&[(None, begin), (None, both("9"))])).contains(&"METER_WENT_BACKWARDS"));
    }

    #[test]
    fn the_compensated_register_is_billed_before_any_other() {
        let of = |register: &str, begin: &str, end: &str| {
            [
                reading("B", "10:00", begin).replace("1-0:1.8.0", register),
                reading("E", "11:00", end).replace("1-0:1.8.0", register),
            ]
        };
        let readings = [of("01-00:B0.08.00*FF", "1", "31"), of("01-00:B1.08.00*FF", "1", "30")].concat();
        let examination = judge(&[(None, payload("T1", &readings))]);
        assert_eq!(signed_energy_kwh(&examination).unwrap().to_string(), "29");
    }

    #[test]
    fn keys_are_preferred_by_whose_word_they_are_and_may_not_contradict() {
        let (mine, other) = (
            meter(Curve::Secp256r1),
            SigningMeter::from_seed(Curve::Secp256r1, b"another").unwrap(),
        );
        let record = mine.ocmf(&pair()[0]);
        let value = [SignedValue {
            signed_data: &record,
            ..SignedValue::default()
        }];
        let (mine_text, other_text) = (key(&mine), key(&other));
        let judge = |given: Given<'_>| {
            let examination = examine(&value, &given, JudgedAs::Record);
            let trust = examination.records[0].key.as_ref().map(|(_, trust)| *trust);
            (examination.outcome, trust, codes(&examination))
        };
        let registered = Given {
            registered_key: Some(mine.public_key()),
            ..Given::default()
        };
        assert_eq!(judge(registered), (Outcome::Valid, Some(KeyTrust::Registered), vec![]));
        assert_eq!(
            judge(Given {
                delivered_key: Some(&mine_text),
                ..registered
            })
            .0,
            Outcome::Valid
        );
        let (outcome, _, found) = judge(Given {
            delivered_key: Some(&other_text),
            ..registered
        });
        assert_eq!((outcome, found), (Outcome::Invalid, vec!["KEY_CONFLICT"]));
        assert_eq!(
            judge(Given {
                delivered_key: Some("nonsense"),
                ..registered
            })
            .0,
            Outcome::Valid
        );
        let unreadable = Given {
            delivered_key: Some("nonsense"),
            ..registered
        };
        assert_eq!(
            judge(unreadable),
            (
                Outcome::Valid,
                Some(KeyTrust::Registered),
                vec!["PUBLIC_KEY_UNREADABLE"]
            )
        );
        assert_eq!(
            judge(Given {
                given_key: Some(&mine_text),
                ..Given::default()
            })
            .1,
            Some(KeyTrust::Given)
        );
        assert_eq!(
            judge(Given {
                delivered_key: Some("nonsense"),
                ..Given::default()
            })
            .2,
            ["PUBLIC_KEY_UNREADABLE"]
        );
        assert_eq!(
            judge(Given {
                delivered_key: Some(" "),
                ..Given::default()
            })
            .2,
            ["NO_PUBLIC_KEY"]
        );
        let p384 = key(&meter(Curve::Secp384r1));
        assert_eq!(
            judge(Given {
                delivered_key: Some(&p384),
                ..Given::default()
            })
            .2,
            ["KEY_ALGORITHM_MISMATCH"]
        );
    }

    #[test]
    fn a_record_may_travel_in_the_readable_field_or_split_over_both() {
        let meter = meter(Curve::Secp256r1);
        let key = key(&meter);
        let record = meter.ocmf(&pair()[0]);
        let signature = record.rsplit_once('|').unwrap().1;
        let judge = |plain_data: &str, signed_data: &str| {
            let value = SignedValue {
                plain_data,
                signed_data,
                ..SignedValue::default()
            };
            codes(&examine(
                &[value],
                &Given {
                    delivered_key: Some(&key),
                    ..Given::default()
                },
                JudgedAs::Record,
            ))
        };
        let none: Vec<&str> = vec![];
        assert_eq!(judge(&record, ""), none);
        assert_eq!(judge(&pair()[0], signature), none);
        assert_eq!(
            judge(
                &pair()[0]
                    .replace(':', " :")
                    .replace("T10 :00 :00", "T10:00:00")
                    .replace("1-0 :", "1-0:"),
                &record
            ),
            none
        );
        assert_eq!(judge("see signed_data", &record), none);
        assert_eq!(
            judge(&pair()[0].replace("10.000", "10.001"), &record),
            ["PLAIN_DATA_MISMATCH"]
        );
        assert_eq!(judge("", ""), ["NO_SIGNED_DATA"]);
    }

    /// An Alfen session of a meter, begin and end, the end changed before it is signed; what is found in it.
    fn alfen_session(meter: &SigningMeter, change: impl Fn(&mut AlfenDataset)) -> Vec<&'static str> {
        let records = [0, 1].map(|kind| {
            let mut dataset = AlfenDataset {
                paging: 5 + u32::from(kind),
                ..AlfenDataset::default()
            };
            if kind == 1 {
                change(&mut dataset);
            }
            alfen(meter, kind, &dataset)
        });
        let values = records.each_ref().map(|record| SignedValue {
            signed_data: record,
            ..SignedValue::default()
        });
        let given = Given {
            registered_key: Some(meter.public_key()),
            ..Given::default()
        };
        codes(&examine(&values, &given, JudgedAs::Session))
    }

    #[test]
    fn what_a_meter_and_its_adapter_count_must_go_on_within_a_session() {
        let meter = meter(Curve::Secp192r1);
        let found = |change: fn(&mut AlfenDataset)| alfen_session(&meter, change);
        let none: Vec<&str> = vec![];
        assert_eq!(found(|_| {}), none);
        assert_eq!(found(|end| end.session = 2), ["SESSION_ID_CHANGED"]);
        assert_eq!(found(|end| end.adapter[9] = 7), ["ADAPTER_CHANGED"]);
        assert_eq!(found(|end| end.meter[9] = 7), ["SERIAL_CHANGED"]);
        assert_eq!(found(|end| end.user = "04AA".into()), ["CONTRACT_CHANGED"]);
        assert_eq!(found(|end| end.value = 0), ["METER_WENT_BACKWARDS"]);
        assert_eq!(found(|end| end.time -= 1), ["TIME_WENT_BACKWARDS"]);
        // The clock can be set, the counter of operating seconds cannot.
        assert_eq!(found(|end| end.second_index -= 1), ["TIME_WENT_BACKWARDS"]);
        assert_eq!(found(|end| end.adapter_status = 1), ["METER_STATUS_NOT_OK"]);
        assert_eq!(found(|end| end.obis[2] = 2), ["REGISTER_MISMATCH"]);
    }

    #[test]
    fn where_a_format_has_one_register_a_record_alone_is_not_asked_whether_it_may_be_billed() {
        let meter = meter(Curve::Secp192r1);
        let export = alfen(
            &meter,
            0,
            &AlfenDataset {
                obis: [1, 0, 2, 8, 0, 255],
                ..AlfenDataset::default()
            },
        );
        let value = SignedValue {
            signed_data: &export,
            ..SignedValue::default()
        };
        assert_eq!(
            codes(&examine(&[value], &Given::default(), JudgedAs::Record)),
            ["KEY_SELF_ASSERTED"]
        );
        assert!(codes(&examine(&[value], &Given::default(), JudgedAs::Session)).contains(&"NO_BILLING_REGISTER"));
    }

    #[test]
    fn a_key_inside_the_record_is_compared_with_every_other() {
        let [meter, other] =
            [&b"one"[..], b"other"].map(|seed| SigningMeter::from_seed(Curve::Secp192r1, seed).unwrap());
        let record = alfen(&meter, 0, &AlfenDataset::default());
        let value = SignedValue {
            signed_data: &record,
            ..SignedValue::default()
        };
        let judge = |given: &Given<'_>| {
            let examination = examine(&[value], given, JudgedAs::Record);
            (examination.outcome, codes(&examination))
        };
        let (own, foreign) = (key(&meter), key(&other));
        let delivered = |text| Given {
            delivered_key: Some(text),
            ..Given::default()
        };
        assert_eq!(judge(&delivered(&own)), (Outcome::Valid, vec![]));
        assert_eq!(judge(&Given::default()), (Outcome::Valid, vec!["KEY_SELF_ASSERTED"]));
        assert_eq!(
            judge(&delivered("garbage")),
            (Outcome::Valid, vec!["PUBLIC_KEY_UNREADABLE"])
        );
        let (outcome, found) = judge(&delivered(&foreign));
        assert!(
            outcome == Outcome::Invalid && found.contains(&"PUBLIC_KEY_CONFLICT"),
            "{found:?}"
        );
        let (outcome, found) = judge(&Given {
            registered_key: Some(other.public_key()),
            ..Given::default()
        });
        assert!(
            outcome == Outcome::Invalid && found.contains(&"KEY_CONFLICT"),
            "{found:?}"
        );
    }

    #[test]
    fn local_time_may_stand_still_for_an_hour_while_the_meter_goes_on() {
        let meter = meter(Curve::Secp192r1);
        let begin = Edl40Fields::default();
        let found = |seconds_back: u32, seconds_counted: u32| {
            let end = Edl40Fields {
                utc: begin.utc - seconds_back,
                second_index: begin.second_index + seconds_counted,
                pagination: begin.pagination + 1,
                ..begin.clone()
            };
            let records = [&begin, &end].map(|fields| edl_40_sig(&meter, fields));
            let values = [("Start", &records[0]), ("End", &records[1])].map(|(nature, record)| SignedValue {
                nature: Some(nature),
                signed_data: record,
                ..SignedValue::default()
            });
            let given = Given {
                registered_key: Some(meter.public_key()),
                ..Given::default()
            };
            codes(&examine(&values, &given, JudgedAs::Session))
        };
        let none: Vec<&str> = vec![];
        assert_eq!(found(1800, 1800), none);
        assert_eq!(found(1800, 0), ["TIME_WENT_BACKWARDS"]);
        assert_eq!(found(3601, 5000), ["TIME_WENT_BACKWARDS"]);
    }

    #[test]
    fn more_values_than_a_session_has_are_not_looked_at() {
        let values = vec![SignedValue::default(); MAX_RECORDS + 1];
        let examination = examine(&values, &Given::default(), JudgedAs::Session);
        assert_eq!(
            (examination.outcome, examination.records.len()),
            (Outcome::Unverifiable, 0)
        );
    }

    #[test]
    fn what_was_carried_and_whom_it_names_never_shows_in_debug_output() {
        let examination = judge(&pair().map(|payload| (None, payload)));
        assert!(!format!("{examination:?}").contains("04AA"));
        let value = SignedValue {
            signed_data: "secret-record",
            plain_data: "secret-copy",
            ..SignedValue::default()
        };
        assert!(!format!("{value:?}").contains("secret"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// CAL-R3a: one changed octet anywhere in what is signed is noticed.
        #[test]
        fn one_changed_bit_in_the_payload_is_never_valid(at in 0usize..1000, bit in 0u8..7) {
            let meter = meter(Curve::Secp256r1);
            let record = meter.ocmf(&pair()[0]);
            let signed = "OCMF|".len()..record.rfind('|').unwrap();
            let mut octets = record.clone().into_bytes();
            octets[signed.start + at % signed.len()] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(octets) else { return Ok(()) };
            let value = SignedValue { signed_data: &changed, ..SignedValue::default() };
            let given = Given { encoding_method: Some("OCMF"), registered_key: Some(meter.public_key()), ..Given::default() };
            prop_assert_ne!(examine(&[value], &given, JudgedAs::Record).outcome, Outcome::Valid);
        }

        #[test]
        fn no_values_make_an_examination_panic(values in proptest::collection::vec(("\\PC{0,30}", "(OCMF\\|)?[{}\\[\\]\":|,a-zA-Z0-9.]{0,60}", "\\PC{0,60}"), 0..4)) {
            let values: Vec<SignedValue<'_>> = values
                .iter()
                .map(|(nature, signed_data, plain_data)| SignedValue { nature: Some(nature), plain_data, signed_data, delivered_key: Some(plain_data) })
                .collect();
            examine(&values, &Given { encoding_method: Some("OCMF"), ..Given::default() }, JudgedAs::Session);
        }
    }
}
