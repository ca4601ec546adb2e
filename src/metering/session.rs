//! Records looked at, one by one and as a session.
//!
//! Each record is unwrapped, read and verified; then, if all of them could be read, they are held against each other
//! (signed-metering-formats.md sections 2.3, 5.5 and 15). Order in the list means nothing, labels are unsigned: the labels give the order, the
//! signed numbers and times must agree with it.
//!
//! Start with [`examine`].

use std::borrow::Cow;
use std::ops::Range;

use rust_decimal::Decimal;

use super::deviation::Deviation;
use super::finding::{Code, Finding, Outcome, Place};
use super::formats::ocmf::{self, Malformed, Ocmf, Pagination, SignatureProblem, SignatureSection};
use super::formats::transport::{self, Unwrapped};
use super::formats::FormatName;
use super::json;
use super::key::{Curve, KeyError, PublicKey};
use super::pairing::{self, Sheet};
use super::reading::{Marker, Reading};
use super::record::{Given, Identification, JudgedAs, KeyTrust, MAX_RECORDS, Nature, SignedValue};
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

/// What was found out about one record.
#[derive(Debug, Clone)]
pub struct RecordExamination {
    /// What the record is, as far as it was recognised.
    pub format: Option<FormatName>,
    /// The curve its signature is on.
    pub curve: Option<Curve>,
    /// The cryptographic answer alone.
    pub signature: SignatureAnswer,
    /// The key it was held against, and on whose word.
    pub key: Option<(PublicKey, KeyTrust)>,
    /// Everything it says, in its own order.
    pub readings: Vec<Reading>,
    /// What concerns this record alone.
    pub findings: Vec<Finding>,
    /// Identity of the signed octets, for recognising replays; see [`verdict::block_digest`].
    pub block_digest: Option<[u8; 32]>,
    /// Serial number of the meter.
    pub meter_serial: Option<String>,
    /// Serial number of the gateway that signs.
    pub gateway_serial: Option<String>,
    /// The charge point it names.
    pub charge_point: Option<ChargePoint>,
    /// Whom it names.
    pub identification: Option<Identification>,
    /// How well that was checked, as written.
    pub identification_level: Option<String>,
    /// Its number.
    pub pagination: Option<Pagination>,
    /// Its label, as carried.
    pub nature: Option<String>,
    /// Harmless departures from the format.
    pub deviations: Vec<Deviation>,
}

/// A charge point as a record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargePoint {
    /// `EVSEID` or `CBIDC`, as written.
    pub kind: Option<String>,
    /// The id.
    pub id: String,
}

impl ChargePoint {
    /// Whether the id is that of an EVSE.
    pub fn is_evse(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("EVSEID"))
    }
}

/// Examines records. Never panics, whatever was carried; takes no longer than its input is long.
pub fn examine(values: &[SignedValue<'_>], given: &Given<'_>, judged_as: JudgedAs) -> Examination {
    open(values, given.encoding_method, judged_as).verify(given)
}

/// Unwraps, reads and compares records without asking for a key yet: what they say tells which key to look for.
pub fn open<'a>(values: &[SignedValue<'a>], encoding_method: Option<&str>, judged_as: JudgedAs) -> Opened<'a> {
    let mut opened = Opened { examination: Examination::blank(), evidence: Vec::new(), texts: KeyTexts::default() };
    if values.len() > MAX_RECORDS {
        opened.examination.add(Code::UndecodableSignedData, Place::Session, "there are more signed values than any session has");
        return opened;
    }
    for (index, value) in values.iter().enumerate() {
        opened.open_record(index, value, encoding_method);
    }
    let session = &mut opened.examination;
    if values.is_empty() {
        session.add(Code::NoSignedData, Place::Session, "there is no signed value");
    }
    session.compare_with_label(encoding_method);
    match judged_as {
        JudgedAs::Record => session.judge_each(),
        JudgedAs::Session => session.judge_together(values),
    }
    opened
}

/// Records that were read and not yet verified. Everything they say is only a claim.
pub struct Opened<'a> {
    examination: Examination,
    evidence: Vec<Option<Evidence<'a>>>,
    texts: KeyTexts,
}

/// What is needed to verify one record.
struct Evidence<'a> {
    text: Cow<'a, str>,
    signed_at: Range<usize>,
    signature: Option<SignatureSection>,
    own_key: Option<&'a str>,
}

impl Evidence<'_> {
    /// The signed octets: a slice of what arrived.
    fn signed(&self) -> &[u8] {
        self.text.get(self.signed_at.clone()).unwrap_or_default().as_bytes()
    }
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

    /// Whether every readable signature fits under this key: for choosing among several that are registered.
    pub fn would_fit(&self, key: &PublicKey) -> bool {
        let mut evidence = self.evidence.iter().flatten().peekable();
        evidence.peek().is_some()
            && evidence.all(|evidence| {
                evidence.signature.as_ref().is_some_and(|section| {
                    verdict::verify(key, section.curve, evidence.signed(), &section.signature).0.fits()
                })
            })
    }

    /// Verifies every signature and concludes.
    pub fn verify(self, given: &Given<'_>) -> Examination {
        let Opened { examination: mut session, evidence, mut texts } = self;
        for (index, evidence) in evidence.iter().enumerate() {
            let Some((evidence, section)) = evidence.as_ref().and_then(|evidence| Some((evidence, evidence.signature.as_ref()?))) else {
                continue;
            };
            let choice = verdict::choose(&mut texts, given, evidence.own_key, section.curve);
            if let Some(conflict) = choice.conflict
                && !session.findings.contains(&conflict)
            {
                session.findings.push(conflict);
            }
            session.records[index].verify(index, evidence.signed(), section, choice.key);
        }
        session.check_keys();
        session.outcome = Outcome::of(session.all_findings());
        session
    }

    fn open_record(&mut self, index: usize, value: &SignedValue<'a>, encoding_method: Option<&str>) {
        let mut record = RecordExamination::blank(value);
        let mut evidence = None;
        match carried(value) {
            Carried::Record(text) => {
                let parts = record.read(index, Ocmf::read(&text), value);
                evidence = parts.map(|parts| (text, parts));
            }
            Carried::Parts { payload, signature } => {
                let parts = record.read(index, Ocmf::from_parts(&payload, &signature), value);
                evidence = parts.map(|parts| (payload, parts));
            }
            Carried::Foreign(format) => record.cannot_be_read_yet(index, format),
            Carried::Empty => record.undecidable(index, Code::NoSignedData, "the value is empty"),
            Carried::TooLong => record.undecidable(index, Code::UndecodableSignedData, "the value is longer than any record"),
            Carried::Unrecognised { is_text } => match encoding_method.map(|label| (label, FormatName::from_encoding_method(label))) {
                Some((_, Some(FormatName::Ocmf))) if is_text => {
                    record.format = Some(FormatName::Ocmf);
                    record.malformed(index, &Malformed::Header);
                }
                Some((_, Some(format))) if !format.is_readable() => record.cannot_be_read_yet(index, format),
                Some((label, None)) if !label.trim().is_empty() => {
                    record.undecidable(index, Code::UnsupportedEncodingMethod, "neither the label nor the content is of a known format");
                }
                _ => record.undecidable(index, Code::UndecodableSignedData, "no record of a known format can be unwrapped from the value"),
            },
        }
        self.examination.records.push(record);
        self.evidence.push(evidence.map(|(text, (signed_at, signature))| Evidence { text, signed_at, signature, own_key: value.delivered_key }));
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
        Examination { records: Vec::new(), findings: Vec::new(), outcome: Outcome::Valid, begin: None, end: None, is_session: false }
    }

    /// Every finding: those of the records first, in their order, then those of the session.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.records.iter().flat_map(|record| &record.findings).chain(&self.findings)
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
        self.records.get(record)?.readings.get(reading)
    }

    fn add(&mut self, code: Code, place: Place, message: &str) {
        if !self.findings.iter().any(|finding| finding.code == code && finding.place == place) {
            self.findings.push(Finding::new(code, place, message));
        }
    }

    /// The label is a hint (2.1): one that names another format, or none, is worth a warning and nothing more.
    fn compare_with_label(&mut self, label: Option<&str>) {
        let Some(label) = label else { return };
        let named = FormatName::from_encoding_method(label);
        let other = self.records.iter().filter_map(|record| record.format).find(|format| named != Some(*format));
        if let Some(format) = other {
            self.add(Code::EncodingMethodMislabelled, Place::Label, &format!("the content is {}, the label says otherwise", format.as_str()));
        }
    }

    fn judge_each(&mut self) {
        let alone = self.records.len() == 1;
        for index in 0..self.records.len() {
            let record = &mut self.records[index];
            if record.readings.is_empty() {
                continue;
            }
            let pair = pairing::pair(&mut [Sheet { record: index, readings: &mut record.readings }], false);
            record.findings.extend(pair.findings);
            if alone {
                (self.begin, self.end) = (pair.begin, pair.end);
            }
        }
    }

    fn judge_together(&mut self, values: &[SignedValue<'_>]) {
        self.is_session = true;
        let formats: Vec<FormatName> = self.records.iter().filter_map(|record| record.format).collect();
        if formats.windows(2).any(|pair| pair[0] != pair[1]) {
            self.add(Code::MixedFormats, Place::Session, "the records are of different formats");
        }
        // What could not be read may hold the reading that seems to be missing.
        if self.records.is_empty() || self.records.iter().any(|record| record.readings.is_empty()) {
            return;
        }
        let order = self.order(values);
        self.check_natures(values);
        self.check_identity(&order);
        self.check_pagination(&order);

        let mut sheets: Vec<Sheet<'_>> =
            self.records.iter_mut().enumerate().map(|(record, examined)| Sheet { record, readings: &mut examined.readings }).collect();
        sheets.sort_by_key(|sheet| order.iter().position(|record| *record == sheet.record));
        let pair = pairing::pair(&mut sheets, true);
        (self.begin, self.end) = (pair.begin, pair.end);
        for finding in pair.findings {
            match finding.place {
                Place::Record(index) if index < self.records.len() => self.records[index].findings.push(finding),
                _ => self.findings.push(finding),
            }
        }
    }

    /// Records in the order of the session: by label where there is one, else by what they hold; between begin and end by their numbers.
    fn order(&self, values: &[SignedValue<'_>]) -> Vec<usize> {
        let rank = |index: &usize| {
            let record = &self.records[*index];
            let nature = values[*index].nature.and_then(Nature::read).unwrap_or_else(|| record.nature_by_content());
            let number = match nature {
                Nature::Intermediate => record.pagination.map_or(0, |pagination| pagination.number),
                Nature::Start | Nature::End => 0,
            };
            (nature, number)
        };
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        order.sort_by_key(rank);
        order
    }

    /// A label that says begin on a record that only ends, or the other way round.
    fn check_natures(&mut self, values: &[SignedValue<'_>]) {
        for (index, value) in values.iter().enumerate() {
            let record = &mut self.records[index];
            let (begins, ends) = (record.begins(), record.ends());
            let contradiction = match value.nature.and_then(Nature::read) {
                Some(Nature::Start) => ends && !begins,
                Some(Nature::End) => begins && !ends,
                Some(Nature::Intermediate) | None => false,
            };
            if contradiction {
                record.add(Code::NatureMismatch, Place::Nature(index), "the label of the value contradicts what the record holds");
            }
        }
    }

    /// One meter, one user; no record twice.
    fn check_identity(&mut self, order: &[usize]) {
        let records: Vec<&RecordExamination> = order.iter().map(|index| &self.records[*index]).collect();
        let changes = |of: fn(&RecordExamination) -> Option<&str>| {
            let mut named = records.iter().filter_map(|record| of(record));
            let first = named.next();
            named.any(|other| Some(other) != first)
        };
        let serial_changed = changes(|record| record.meter_serial.as_deref()) || changes(|record| record.gateway_serial.as_deref());
        let contract_changed = changes(|record| record.identification.as_ref().map(Identification::reveal));
        let twice = records.iter().enumerate().any(|(at, record)| {
            record.block_digest.is_some() && records[..at].iter().any(|earlier| earlier.block_digest == record.block_digest)
        });
        if serial_changed {
            self.add(Code::SerialChanged, Place::Session, "the records name different meters");
        }
        if contract_changed {
            self.add(Code::ContractChanged, Place::Session, "the records name different users");
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
            self.add(Code::KeyChanged, Place::Session, "the records were signed with different keys");
        }
    }

    /// Numbers rise from record to record in one series; a gap is legitimate, other connectors and fiscal readings share the counter (15).
    fn check_pagination(&mut self, order: &[usize]) {
        for pair in order.windows(2) {
            let (Some(before), Some(after)) = (self.records[pair[0]].pagination, self.records[pair[1]].pagination) else { continue };
            if before.series != after.series {
                self.add(Code::PaginationContextChanged, Place::Record(pair[1]), "the records are numbered in different series");
            } else if after.number <= before.number {
                self.add(Code::PaginationNotIncreasing, Place::Record(pair[1]), "the record's number is not higher than that of the record before");
            } else if after.number - before.number > 1 {
                self.add(Code::PaginationGap, Place::Record(pair[1]), "the meter made other records in between");
            }
        }
    }
}

impl RecordExamination {
    fn blank(value: &SignedValue<'_>) -> RecordExamination {
        RecordExamination {
            format: None,
            curve: None,
            signature: SignatureAnswer::CannotTell(Code::UndecodableSignedData),
            key: None,
            readings: Vec::new(),
            findings: Vec::new(),
            block_digest: None,
            meter_serial: None,
            gateway_serial: None,
            charge_point: None,
            identification: None,
            identification_level: None,
            pagination: None,
            nature: value.nature.map(str::to_owned),
            deviations: Vec::new(),
        }
    }

    /// The serial number that identifies whoever signs: the meter's, otherwise the gateway's.
    pub fn identifying_serial(&self) -> Option<&str> {
        self.meter_serial.as_deref().or(self.gateway_serial.as_deref())
    }

    fn add(&mut self, code: Code, place: Place, message: &str) {
        self.findings.push(Finding::new(code, place, message));
    }

    fn undecidable(&mut self, index: usize, code: Code, message: &str) {
        self.signature = SignatureAnswer::CannotTell(code);
        self.add(code, Place::Record(index), message);
    }

    fn wrong(&mut self, index: usize, code: Code, message: &str) {
        self.signature = SignatureAnswer::DoesNotFit(code);
        self.add(code, Place::Record(index), message);
    }

    fn cannot_be_read_yet(&mut self, index: usize, format: FormatName) {
        self.format = Some(format);
        self.undecidable(index, Code::UnsupportedFormat, &format!("records in the format {} cannot be checked yet", format.as_str()));
    }

    fn malformed(&mut self, index: usize, malformed: &Malformed) {
        self.wrong(index, Code::MalformedRecord, &malformed.to_string());
    }

    /// Takes over what the record says. Returns where its signed octets stand, and its signature if that can be checked at all.
    fn read(&mut self, index: usize, read: Result<Ocmf<'_>, Malformed>, value: &SignedValue<'_>) -> Option<(Range<usize>, Option<SignatureSection>)> {
        self.format = Some(FormatName::Ocmf);
        let ocmf = match read {
            Ok(ocmf) => ocmf,
            Err(malformed) => {
                self.malformed(index, &malformed);
                return None;
            }
        };
        self.block_digest = Some(verdict::block_digest(FormatName::Ocmf.as_str(), ocmf.signed.as_bytes()));
        match &ocmf.signature {
            Ok(section) => self.curve = Some(section.curve),
            Err(problem @ SignatureProblem::Malformed(_)) => self.wrong(index, Code::SignatureMalformed, &problem.to_string()),
            Err(problem @ SignatureProblem::Unsupported(_)) => self.undecidable(index, Code::UnsupportedAlgorithm, &problem.to_string()),
        }
        if plain_data_differs(value, ocmf.signed) {
            self.add(Code::PlainDataMismatch, Place::PlainData(index), "the readable copy says something else than the signed record");
        }
        let payload = ocmf.payload;
        if payload.identification_level.as_deref().is_some_and(|level| FAILED_LEVELS.contains(&level)) {
            self.add(Code::IdLevelError, Place::Record(index), "the record says that the user could not be assigned");
        }
        self.readings = payload.readings;
        self.meter_serial = payload.meter_serial;
        self.gateway_serial = payload.gateway_serial;
        self.charge_point = payload.charge_point_id.map(|id| ChargePoint { kind: payload.charge_point_type, id });
        self.identification = payload.identification;
        self.identification_level = payload.identification_level;
        self.pagination = payload.pagination;
        self.deviations = ocmf.deviations;
        Some((ocmf.signed_at, ocmf.signature.ok()))
    }

    fn verify(&mut self, index: usize, signed: &[u8], section: &SignatureSection, key: Result<(PublicKey, KeyTrust), (Code, String)>) {
        let (key, trust) = match key {
            Ok(chosen) => chosen,
            Err((code, sentence)) => return self.undecidable(index, code, &sentence),
        };
        let (answer, sentence) = verdict::verify(&key, section.curve, signed, &section.signature);
        if let SignatureAnswer::DoesNotFit(code) | SignatureAnswer::CannotTell(code) = &answer {
            self.add(*code, Place::Record(index), sentence);
        }
        self.signature = answer;
        self.key = Some((key, trust));
    }

    fn begins(&self) -> bool {
        self.readings.iter().any(|reading| reading.marker == Some(Marker::Begin))
    }

    fn ends(&self) -> bool {
        self.readings.iter().any(|reading| reading.marker.as_ref().is_some_and(Marker::is_end))
    }

    fn nature_by_content(&self) -> Nature {
        match (self.begins(), self.ends()) {
            (_, true) => Nature::End,
            (true, false) => Nature::Start,
            (false, false) => Nature::Intermediate,
        }
    }
}

/// Levels of identification that are errors (5.3, `IL`).
const FAILED_LEVELS: [&str; 4] = ["MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"];

/// What a value turned out to carry.
enum Carried<'a> {
    Record(Cow<'a, str>),
    Parts { payload: Cow<'a, str>, signature: Cow<'a, str> },
    Foreign(FormatName),
    Unrecognised { is_text: bool },
    Empty,
    TooLong,
}

/// Finds the record in the two fields of a value (2.2): where it belongs, in the readable field, or split over both.
fn carried<'a>(value: &SignedValue<'a>) -> Carried<'a> {
    let text = match transport::unwrap(value.signed_data) {
        Unwrapped::Recognised(FormatName::Ocmf, record) => return Carried::Record(record),
        Unwrapped::Recognised(format, _) => return Carried::Foreign(format),
        Unwrapped::TooLong => return Carried::TooLong,
        Unwrapped::Text(text) => text,
    };
    match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(FormatName::Ocmf, record) if text.is_empty() => Carried::Record(record),
        Unwrapped::Recognised(format, _) if text.is_empty() => Carried::Foreign(format),
        Unwrapped::Text(payload) if ocmf::is_signature_section(&text) && ocmf::payload_of(&payload).is_some() => {
            Carried::Parts { payload, signature: text }
        }
        _ if text.is_empty() => Carried::Empty,
        // A separator or a brace is in no transport encoding: this wants to be a record and is none.
        _ => Carried::Unrecognised { is_text: text.contains(['|', '{']) },
    }
}

/// The readable copy is no evidence, but one that is a payload and says something else contradicts (2.2).
fn plain_data_differs(value: &SignedValue<'_>, signed: &str) -> bool {
    if value.plain_data.trim().is_empty() {
        return false;
    }
    let plain = match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(FormatName::Ocmf, text) | Unwrapped::Text(text) => text,
        _ => return false,
    };
    match (ocmf::payload_of(&plain), json::read(signed)) {
        (Some(copy), Ok(signed)) => !copy.same_as(signed),
        _ => false,
    }
}
