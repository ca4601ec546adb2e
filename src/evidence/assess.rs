//! From a CDR and what the registry knows to a verdict.
//!
//! Two steps, so that the second can be repeated when another process was faster: [`assess`] reads, asks for keys and verifies;
//! [`Assessment::verdict`] adds which signed blocks were used before and concludes. design.md 3.5, key-registry.md 4.6.
//!
//! Which key: the registered one that held for this EVSE and meter at charging time. Only if there is none, the one that came along, and then
//! the verdict is at most `INTEGRITY_ONLY`.

use chrono::{DateTime, Utc};

use super::claim::{Claim, Identity, NotACdr, SignedData, SignedPart};
use crate::metering::finding::{Code, Finding, Outcome, Place, Severity};
use crate::metering::key::{Curve, PublicKey};
use crate::metering::plausible::{self, Tolerances, folded};
use crate::metering::reading::Reading;
use crate::metering::record::{Given, JudgedAs, KeyTrust};
use crate::metering::session::{self, Examination, Opened, signed_energy_kwh};
use crate::metering::verdict::SignatureAnswer;

/// What a registry is asked for one CDR. Everything is as the CDR and its records say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyQuestion {
    /// The operator, `DE/ABC`, upper case.
    pub cpo: String,
    /// `cdr_location.evse_id`
    pub evse_id: Option<String>,
    /// `cdr_location.evse_uid`
    pub evse_uid: Option<String>,
    /// The meters the records name.
    pub meter_serials: Vec<String>,
    /// The gateways the records name.
    pub gateway_serials: Vec<String>,
    /// Fingerprint of the key that came along, if it could be read.
    pub delivered_fingerprint: Option<String>,
    /// When charging began: the signed time where the meter vouches for it, otherwise the CDR's.
    pub from: Option<DateTime<Utc>>,
    /// When it ended, the same.
    pub to: Option<DateTime<Utc>>,
}

/// What the registry answers. Plain data, at all times: which of it held at charging time is decided here.
#[derive(Debug, Clone, Default)]
pub struct KeyKnowledge {
    /// Registrations found by EVSE (id, or uid within the operator) or by a serial number the records name.
    pub for_evse: Vec<RegisteredKey>,
    /// Registrations of the key that came along, wherever.
    pub by_fingerprint: Vec<RegisteredKey>,
    /// Whether the EVSE is registered as calibrated at charging time: then a CDR without signed values is not complete.
    pub calibrated: bool,
}

/// One registration: this key belongs to this meter at this EVSE, from when until when.
#[derive(Debug, Clone)]
pub struct RegisteredKey {
    /// Id of the registration.
    pub id: String,
    /// The key.
    pub key: PublicKey,
    /// The meter.
    pub meter_serial: Option<String>,
    /// The gateway that signs for it.
    pub gateway_serial: Option<String>,
    /// The EVSE by its eMI3 id.
    pub evse_id: Option<String>,
    /// The EVSE by its uid at the operator.
    pub evse_uid: Option<String>,
    /// The operator, `DE/ABC`; compared without case.
    pub cpo: String,
    /// First instant at which it holds.
    pub valid_from: DateTime<Utc>,
    /// First instant at which it no longer holds.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether the EVSE is calibrated with it.
    pub calibrated: bool,
    /// When the registry learned of it.
    pub registered_at: Option<DateTime<Utc>>,
}

/// Which keys are good enough to bill on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPolicy {
    /// Only registered ones.
    #[default]
    Registered,
    /// Also one that came along with the CDR.
    Delivered,
}

/// What an operator may decide about verdicts.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Which keys are good enough to bill on.
    pub key_policy: KeyPolicy,
    /// How far bill and readings may be apart.
    pub tolerances: Tolerances,
    /// Other severities than the default ones; ignored for what cannot be configured away ([`Code::is_adjustable`]).
    pub severities: Vec<(Code, Severity)>,
}

/// One signed block under one key: what may serve only one CDR.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsedBlock {
    /// SHA-256 over format and signed octets, lower-case hex.
    pub digest: String,
    /// Fingerprint of the key it verified under, lower-case hex. Part of the identity, so that nobody can use up another's block by
    /// signing its octets with a key of his own.
    pub fingerprint: String,
}

/// The outcome for a CDR (design.md 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Proven with the registered key of that meter and EVSE at charging time; everything agrees.
    Verified,
    /// The signature is right, but the key is only the sender's word.
    IntegrityOnly,
    /// Disproven.
    Invalid,
    /// Neither proven nor disproven.
    Unverifiable,
    /// The EVSE is calibrated, and nothing signed came.
    Missing,
    /// Nothing signed came, and nothing had to.
    NotApplicable,
}

impl Status {
    /// Every outcome.
    pub const ALL: [Status; 6] = [
        Status::Verified,
        Status::IntegrityOnly,
        Status::Invalid,
        Status::Unverifiable,
        Status::Missing,
        Status::NotApplicable,
    ];

    /// The word of design.md 3.5.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Verified => "VERIFIED",
            Status::IntegrityOnly => "INTEGRITY_ONLY",
            Status::Invalid => "INVALID",
            Status::Unverifiable => "UNVERIFIABLE",
            Status::Missing => "MISSING",
            Status::NotApplicable => "NOT_APPLICABLE",
        }
    }

    /// Whether nothing is left to be desired; of everything else the CPO hears in the answer to its POST.
    pub fn is_settled(self) -> bool {
        matches!(self, Status::Verified | Status::NotApplicable)
    }
}

/// The answer to one protection goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Reached.
    Pass,
    /// Missed.
    Fail,
    /// Cannot be said.
    Unknown,
}

impl Goal {
    /// `PASS`, `FAIL` or `UNKNOWN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Goal::Pass => "PASS",
            Goal::Fail => "FAIL",
            Goal::Unknown => "UNKNOWN",
        }
    }
}

/// The five protection goals, reported separately (key-registry.md SAF-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goals {
    /// Readings and CDR agree; unknown while integrity is not proven.
    pub truthfulness: Goal,
    /// The signature.
    pub integrity: Goal,
    /// The key belongs to that meter and EVSE at that time.
    pub authenticity: Goal,
    /// The identification names the payer.
    pub imputability: Goal,
    /// The record is kept and can be exported.
    pub availability: Goal,
}

/// The key a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUsed {
    /// On whose word.
    pub trust: KeyTrust,
    /// Its fingerprint.
    pub fingerprint: Option<String>,
    /// Its curve.
    pub curve: Option<Curve>,
    /// The meter: as registered, otherwise as the record says.
    pub meter_serial: Option<String>,
    /// The registration it comes from.
    pub registration: Option<String>,
}

/// A finding with its place in the CDR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointedFinding {
    /// Its name.
    pub code: Code,
    /// How much it matters, configuration applied.
    pub severity: Severity,
    /// JSON pointer into the CDR; empty for the whole.
    pub pointer: String,
    /// A sentence for people.
    pub message: String,
}

/// A reading as verdicts show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReading {
    /// The label of its value.
    pub nature: Option<String>,
    /// The reading.
    pub reading: Reading,
}

/// What is known about a CDR's signed values. Append-only once stored: a re-check makes another one.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which CDR.
    pub cdr: Identity,
    /// The outcome.
    pub status: Status,
    /// Whether it may be billed on.
    pub billable: bool,
    /// `encoding_method` as sent.
    pub encoding_method: Option<String>,
    /// The five goals.
    pub goals: Goals,
    /// The key.
    pub key: KeyUsed,
    /// The billed readings; all there are if none is billed.
    pub readings: Vec<ShownReading>,
    /// Signed energy between begin and end, in kWh, exact.
    pub signed_energy_kwh: Option<String>,
    /// `total_energy` as written.
    pub cdr_energy_kwh: Option<String>,
    /// Everything that was found, errors first.
    pub findings: Vec<PointedFinding>,
    /// The blocks this CDR uses up when it is taken.
    pub blocks: Vec<UsedBlock>,
}

impl Verdict {
    /// The names that say why the CDR is not simply verified: errors, or for lack of any the warnings about the key. Each once, in order.
    pub fn reasons(&self) -> Vec<&'static str> {
        let named = |wanted: &dyn Fn(&PointedFinding) -> bool| {
            let mut names: Vec<&'static str> = Vec::new();
            for name in self.findings.iter().filter(|finding| wanted(finding)).map(|finding| finding.code.as_str()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let errors = named(&|finding| finding.severity == Severity::Error);
        if errors.is_empty() { named(&|finding| finding.code == Code::KeyNotRegistered) } else { errors }
    }
}

/// Reads a CDR, asks for keys once, and verifies. `registry` answers from memory; it is not asked when there is nothing to verify a key for
/// except whether the EVSE is calibrated.
pub fn assess(body: &[u8], registry: impl FnOnce(&KeyQuestion) -> KeyKnowledge, policy: &Policy) -> Result<Assessment, NotACdr> {
    let claim = Claim::read(body)?;
    let inquiry = Inquiry::of(&claim);
    let knowledge = registry(inquiry.question());
    Ok(inquiry.assess(&knowledge, policy))
}

/// A CDR whose records were read and not yet verified: it knows what to ask the registry.
pub struct Inquiry<'c> {
    claim: &'c Claim<'c>,
    opened: Option<Opened<'c>>,
    delivered: Option<PublicKey>,
    question: KeyQuestion,
}

impl<'c> Inquiry<'c> {
    /// Reads the records of a CDR.
    pub fn of(claim: &'c Claim<'c>) -> Inquiry<'c> {
        let mut question = KeyQuestion {
            cpo: claim.identity.owner_key(),
            evse_id: claim.evse_id.as_deref().map(str::to_owned),
            evse_uid: claim.evse_uid.as_deref().map(str::to_owned),
            from: claim.start,
            to: claim.end,
            ..KeyQuestion::default()
        };
        let SignedPart::Present(signed) = &claim.signed else {
            return Inquiry { claim, opened: None, delivered: None, question };
        };
        let mut opened = session::open(&signed.signed_values(), signed.encoding_method.as_deref(), JudgedAs::Session);
        let delivered = delivered_key(signed, &mut opened);
        question.delivered_fingerprint = delivered.as_ref().map(PublicKey::fingerprint);
        let claims = opened.claims();
        for record in &claims.records {
            add_once(&mut question.meter_serials, record.meter_serial.as_deref());
            add_once(&mut question.gateway_serials, record.gateway_serial.as_deref());
        }
        let (from, to) = plausible::comparable_times(claims);
        (question.from, question.to) = (from.or(question.from), to.or(question.to));
        Inquiry { claim, opened: Some(opened), delivered, question }
    }

    /// What to ask the registry.
    pub fn question(&self) -> &KeyQuestion {
        &self.question
    }

    /// The curve the signatures are on, if one can be told: some take long enough to be verified elsewhere.
    pub fn curve(&self) -> Option<Curve> {
        self.opened.as_ref().and_then(Opened::curve)
    }

    /// Chooses the key, verifies, and holds the bill against the readings.
    pub fn assess(self, knowledge: &KeyKnowledge, policy: &Policy) -> Assessment {
        let Inquiry { claim, opened, delivered, question } = self;
        let mut assessment = Assessment::blank(claim, policy.key_policy);
        let (Some(opened), SignedPart::Present(signed)) = (opened, &claim.signed) else {
            assessment.without_signed_values(&claim.signed, knowledge.calibrated);
            return assessment;
        };
        if signed.values.is_empty() {
            assessment.without_signed_values(&claim.signed, knowledge.calibrated);
            assessment.encoding_method = signed.encoding_method.as_deref().map(str::to_owned);
            return assessment;
        }
        let selection = Selection::make(&question, knowledge, delivered.as_ref(), &opened);
        let given = Given {
            encoding_method: signed.encoding_method.as_deref(),
            delivered_key: signed.public_key.as_deref(),
            registered_key: selection.registration.map(|registration| &registration.key),
            given_key: None,
        };
        let examination = opened.verify(&given);
        assessment.encoding_method = signed.encoding_method.as_deref().map(str::to_owned);
        assessment.conclude(claim, examination, selection, policy);
        assessment
    }
}

/// A CDR that was read, verified and compared. Only one question is left: whether its blocks were used before.
#[derive(Debug, Clone)]
pub struct Assessment {
    cdr: Identity,
    key_policy: KeyPolicy,
    encoding_method: Option<String>,
    situation: Situation,
    /// By record: the block it uses, if its signature fits.
    blocks: Vec<Option<UsedBlock>>,
    integrity: Goal,
    imputability: Goal,
    key: KeyUsed,
    readings: Vec<ShownReading>,
    signed_energy_kwh: Option<String>,
    cdr_energy_kwh: Option<String>,
    findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Signed,
    Missing,
    NotApplicable,
}

impl Assessment {
    /// The blocks to look up: which of them serve another CDR already?
    pub fn blocks(&self) -> Vec<UsedBlock> {
        self.blocks.iter().flatten().cloned().collect()
    }

    /// Concludes. `replayed` are those of [`Assessment::blocks`] that serve another CDR: not this one again, not the CDR that this one credits,
    /// not one that was refused, rejected or credited since (design.md 3.5).
    pub fn verdict(&self, replayed: &[UsedBlock]) -> Verdict {
        let mut findings = self.findings.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            if block.as_ref().is_some_and(|block| replayed.contains(block)) {
                findings.push(Finding::new(Code::ReplayedRecord, Place::Record(index), "this signed record already serves another CDR"));
            }
        }
        // Errors first; within one severity as they were found.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = match (self.situation, Outcome::of(&findings)) {
            (Situation::Missing, _) => Status::Missing,
            (Situation::NotApplicable, _) => Status::NotApplicable,
            (Situation::Signed, Outcome::Invalid) => Status::Invalid,
            (Situation::Signed, Outcome::Unverifiable) => Status::Unverifiable,
            (Situation::Signed, Outcome::Valid) if self.key.trust == KeyTrust::Registered => Status::Verified,
            (Situation::Signed, Outcome::Valid) => Status::IntegrityOnly,
        };
        Verdict {
            cdr: self.cdr.clone(),
            status,
            billable: match status {
                Status::Verified | Status::NotApplicable => true,
                Status::IntegrityOnly => self.key_policy == KeyPolicy::Delivered,
                Status::Invalid | Status::Unverifiable | Status::Missing => false,
            },
            encoding_method: self.encoding_method.clone(),
            goals: self.goals(&findings),
            key: self.key.clone(),
            readings: self.readings.clone(),
            signed_energy_kwh: self.signed_energy_kwh.clone(),
            cdr_energy_kwh: self.cdr_energy_kwh.clone(),
            blocks: self.blocks(),
            findings: findings.into_iter().map(PointedFinding::from).collect(),
        }
    }

    fn goals(&self, findings: &[Finding]) -> Goals {
        let wrong = |about: fn(Code) -> bool| {
            findings.iter().any(|finding| finding.severity == Severity::Error && !finding.code.is_undecidable() && about(finding.code))
        };
        let authenticity = if wrong(is_about_keys) {
            Goal::Fail
        } else if self.key.trust == KeyTrust::Registered && self.integrity == Goal::Pass {
            Goal::Pass
        } else {
            Goal::Unknown
        };
        let truthfulness = match self.integrity {
            Goal::Pass if wrong(|code| !is_about_keys(code)) => Goal::Fail,
            Goal::Pass => Goal::Pass,
            Goal::Fail | Goal::Unknown => Goal::Unknown,
        };
        Goals {
            truthfulness,
            integrity: self.integrity,
            authenticity,
            imputability: self.imputability,
            availability: match self.situation {
                Situation::Signed => Goal::Pass,
                Situation::Missing => Goal::Fail,
                Situation::NotApplicable => Goal::Unknown,
            },
        }
    }

    fn blank(claim: &Claim<'_>, key_policy: KeyPolicy) -> Assessment {
        Assessment {
            cdr: claim.identity.clone(),
            key_policy,
            encoding_method: None,
            situation: Situation::Signed,
            blocks: Vec::new(),
            integrity: Goal::Unknown,
            imputability: Goal::Unknown,
            key: KeyUsed { trust: KeyTrust::None, fingerprint: None, curve: None, meter_serial: None, registration: None },
            readings: Vec::new(),
            signed_energy_kwh: None,
            cdr_energy_kwh: claim.total_energy_text.map(str::to_owned),
            findings: Vec::new(),
        }
    }

    /// Nothing signed came, or nothing that could be. On a calibrated EVSE that is a fault of its own (key-registry.md SAF-47).
    fn without_signed_values(&mut self, part: &SignedPart<'_>, calibrated: bool) {
        if calibrated && !matches!(part, SignedPart::Unreadable) {
            self.situation = Situation::Missing;
            self.findings.push(Finding::new(Code::SignedDataMissing, Place::Session, "the EVSE is registered as calibrated, but the CDR has no signed values"));
            return;
        }
        match part {
            SignedPart::Absent => self.situation = Situation::NotApplicable,
            SignedPart::Unreadable => {
                self.findings.push(Finding::new(Code::UndecodableSignedData, Place::Session, "signed_data is not an object with a list of signed values"));
            }
            SignedPart::Present(_) => {
                self.findings.push(Finding::new(Code::NoSignedData, Place::Session, "signed_data has no signed values"));
            }
        }
    }

    fn conclude(&mut self, claim: &Claim<'_>, examination: Examination, selection: Selection<'_>, policy: &Policy) {
        let any_wrong = examination.records.iter().any(|record| matches!(record.signature, SignatureAnswer::DoesNotFit(_)));
        self.integrity = match examination.all_fit() {
            true => Goal::Pass,
            false if any_wrong => Goal::Fail,
            false => Goal::Unknown,
        };
        let mut findings: Vec<Finding> = examination.all_findings().cloned().collect();
        findings.extend(selection.findings);
        claim.with_bill(|bill| {
            // Numbers under a broken signature are not the meter's: nothing follows from comparing them.
            if !any_wrong {
                findings.extend(plausible::against_bill(&examination, bill, &policy.tolerances));
            }
            self.imputability = match plausible::names_the_payer(&examination, bill) {
                Some(true) => Goal::Pass,
                Some(false) => Goal::Fail,
                None => Goal::Unknown,
            };
        });
        let key = examination.records.iter().find_map(|record| record.key.as_ref());
        if matches!(key, Some((_, KeyTrust::Delivered))) {
            findings.push(Finding::new(Code::KeyNotRegistered, Place::Key, "the key came along with the CDR; no registry vouches for it"));
        }
        let serial_by_record = examination.records.iter().find_map(|record| record.identifying_serial());
        self.key = KeyUsed {
            trust: key.map_or(KeyTrust::None, |(_, trust)| *trust),
            fingerprint: key.map(|(key, _)| key.fingerprint()),
            curve: key.map(|(key, _)| key.curve()),
            meter_serial: selection.registration.and_then(|r| r.meter_serial.as_deref()).or(serial_by_record).map(str::to_owned),
            registration: selection.registration.map(|registration| registration.id.clone()),
        };
        self.signed_energy_kwh = signed_energy_kwh(&examination).map(|energy| energy.to_string());
        self.blocks = examination
            .records
            .iter()
            .map(|record| match (&record.signature, record.block_digest) {
                (SignatureAnswer::Fits(proof), Some(digest)) => {
                    Some(UsedBlock { digest: hex::encode(digest), fingerprint: proof.key().fingerprint() })
                }
                _ => None,
            })
            .collect();
        self.readings = shown_readings(&examination);
        for finding in &mut findings {
            let other = policy.severities.iter().find(|(code, _)| *code == finding.code && code.is_adjustable());
            finding.severity = other.map_or(finding.severity, |(_, severity)| *severity);
        }
        self.findings = findings;
    }
}

/// The billed readings; all there are if none is billed.
pub fn shown_readings(examination: &Examination) -> Vec<ShownReading> {
    let all = || examination.records.iter().flat_map(|record| record.readings.iter().map(move |reading| (record, reading)));
    let any_billed = all().any(|(_, reading)| reading.billed);
    all()
        .filter(|(_, reading)| reading.billed || !any_billed)
        .map(|(record, reading)| ShownReading { nature: record.nature.clone(), reading: reading.clone() })
        .collect()
}

fn is_about_keys(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        PublicKeyConflict
            | KeyConflict
            | KeyChanged
            | KeyForOtherEvse
            | KeyForOtherCpo
            | KeyForOtherMeter
            | KeyDeactivatedAtTime
            | KeyChangedDuringSession
    )
}

impl From<Finding> for PointedFinding {
    fn from(finding: Finding) -> PointedFinding {
        let pointer = match finding.place {
            Place::Session => "/signed_data".to_owned(),
            Place::Record(index) => format!("/signed_data/signed_values/{index}"),
            Place::PlainData(index) => format!("/signed_data/signed_values/{index}/plain_data"),
            Place::Nature(index) => format!("/signed_data/signed_values/{index}/nature"),
            Place::Label => "/signed_data/encoding_method".to_owned(),
            Place::Key => "/signed_data/public_key".to_owned(),
            Place::BilledEnergy => "/total_energy".to_owned(),
            Place::BilledStart => "/start_date_time".to_owned(),
            Place::BilledEnd => "/end_date_time".to_owned(),
            Place::BilledEvse => "/cdr_location/evse_id".to_owned(),
            Place::BilledMeter => "/meter_id".to_owned(),
            Place::BilledPayer => "/cdr_token".to_owned(),
        };
        PointedFinding { code: finding.code, severity: finding.severity, pointer, message: finding.message }
    }
}

fn delivered_key(signed: &SignedData<'_>, opened: &mut Opened<'_>) -> Option<PublicKey> {
    let text = signed.public_key.as_deref().filter(|text| !text.trim().is_empty())?;
    opened.read_key(text).ok()
}

fn add_once(names: &mut Vec<String>, name: Option<&str>) {
    if let Some(name) = name
        && !names.iter().any(|known| known == name)
    {
        names.push(name.to_owned());
    }
}

/// Which registration a CDR is held against, and what is wrong with it.
struct Selection<'k> {
    registration: Option<&'k RegisteredKey>,
    findings: Vec<Finding>,
}

impl<'k> Selection<'k> {
    /// key-registry.md 4.6, steps 3 to 5.
    fn make(question: &KeyQuestion, knowledge: &'k KeyKnowledge, delivered: Option<&PublicKey>, opened: &Opened<'_>) -> Selection<'k> {
        let belongs: Vec<&RegisteredKey> =
            knowledge.for_evse.iter().filter(|r| r.is_of_cpo(&question.cpo) && r.is_at_evse(question)).collect();
        let held_throughout: Vec<&RegisteredKey> =
            belongs.iter().copied().filter(|r| r.held_at(question.from) && r.held_at(question.to)).collect();
        if let Some(chosen) = best(&held_throughout, question, delivered, opened) {
            return Selection::of(chosen).check_meter(question).check_date(question);
        }
        let at_begin = belongs.iter().copied().find(|r| r.held_at(question.from));
        let at_end = belongs.iter().copied().find(|r| r.held_at(question.to));
        if let (Some(before), Some(after)) = (at_begin, at_end) {
            let sentence = "another key was registered at the end of the session than at its begin";
            return Selection::of(if opened.would_fit(&after.key) { after } else { before }).found(Code::KeyChangedDuringSession, sentence);
        }
        // Nothing held here and then. Is the key known for something else?
        let is_the_key = |r: &&&RegisteredKey| match delivered {
            Some(delivered) => r.key == *delivered,
            None => opened.would_fit(&r.key),
        };
        let everywhere: Vec<&RegisteredKey> = knowledge.for_evse.iter().chain(&knowledge.by_fingerprint).collect();
        let known: Vec<&RegisteredKey> = everywhere.iter().filter(is_the_key).copied().collect();
        if let Some(registration) = known.iter().copied().find(|r| r.is_of_cpo(&question.cpo) && r.is_at_evse(question)) {
            return Selection::of(registration).found(Code::KeyDeactivatedAtTime, "the key was not registered for this EVSE at charging time");
        }
        if let Some(registration) = known.iter().copied().find(|r| r.is_of_cpo(&question.cpo)) {
            return Selection::of(registration).found(Code::KeyForOtherEvse, "the key is registered for another EVSE");
        }
        match known.first() {
            Some(registration) => Selection::of(registration).found(Code::KeyForOtherCpo, "the key is registered for an EVSE of another operator"),
            None => Selection { registration: None, findings: Vec::new() },
        }
    }

    fn of(registration: &'k RegisteredKey) -> Selection<'k> {
        Selection { registration: Some(registration), findings: Vec::new() }
    }

    fn found(mut self, code: Code, sentence: &str) -> Selection<'k> {
        self.findings.push(Finding::new(code, Place::Key, sentence));
        self
    }

    /// One gateway may sign for several meters with one key: then only the serial number tells them apart.
    fn check_meter(self, question: &KeyQuestion) -> Selection<'k> {
        match self.registration {
            Some(registration) if registration.contradicts_serials(question) => {
                self.found(Code::KeyForOtherMeter, "the record names another meter than the one registered with this key")
            }
            _ => self,
        }
    }

    /// A replacement without off-time: valid since charging, learned of afterwards.
    fn check_date(self, question: &KeyQuestion) -> Selection<'k> {
        let learned = self.registration.and_then(|registration| registration.registered_at);
        match (learned, question.to) {
            (Some(learned), Some(to)) if learned > to => self.found(Code::KeyLaterPublished, "the key was registered after the session, valid from before it"),
            _ => self,
        }
    }
}

/// Of several registrations that held, the one of the key that came along, else of the meter the records name, else the one that fits.
fn best<'k>(held: &[&'k RegisteredKey], question: &KeyQuestion, delivered: Option<&PublicKey>, opened: &Opened<'_>) -> Option<&'k RegisteredKey> {
    let of_meter: Vec<&RegisteredKey> = held.iter().copied().filter(|r| !r.contradicts_serials(question)).collect();
    let candidates = if of_meter.is_empty() { held } else { of_meter.as_slice() };
    if let [only] = candidates {
        return Some(only);
    }
    let delivered_one = candidates.iter().find(|r| delivered == Some(&r.key));
    delivered_one.or_else(|| candidates.iter().find(|r| opened.would_fit(&r.key))).or(candidates.first()).copied()
}

impl RegisteredKey {
    fn held_at(&self, instant: Option<DateTime<Utc>>) -> bool {
        instant.is_none_or(|instant| self.valid_from <= instant && self.valid_to.is_none_or(|end| instant < end))
    }

    fn is_of_cpo(&self, cpo: &str) -> bool {
        self.cpo.eq_ignore_ascii_case(cpo)
    }

    /// Whether it is of the EVSE of the CDR. What one of the two does not say cannot differ.
    fn is_at_evse(&self, question: &KeyQuestion) -> bool {
        match (&self.evse_id, &question.evse_id, &self.evse_uid, &question.evse_uid) {
            (Some(mine), Some(asked), _, _) => folded(mine) == folded(asked),
            (_, _, Some(mine), Some(asked)) => mine.eq_ignore_ascii_case(asked),
            _ => true,
        }
    }

    /// Whether the records name another meter or gateway than the registration. Many records name only a gateway, many registrations only a
    /// meter, and operators write one in the place of the other.
    fn contradicts_serials(&self, question: &KeyQuestion) -> bool {
        let named = |serials: &[String], serial: &str| serials.iter().any(|named| folded(named) == folded(serial));
        let contradicts = |mine: &Option<String>, same: &[String], other: &[String]| {
            mine.as_deref().is_some_and(|serial| !same.is_empty() && !named(same, serial) && !named(other, serial))
        };
        contradicts(&self.meter_serial, &question.meter_serials, &question.gateway_serials)
            || contradicts(&self.gateway_serial, &question.gateway_serials, &question.meter_serials)
    }
}
