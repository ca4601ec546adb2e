//! From a CDR and what the registry knows to a verdict.
//!
//! Two steps, so that the second can be repeated when another process was faster: [`assess`] reads, asks for keys and verifies;
//! [`Assessment::verdict`] adds which signed blocks were used before and concludes. design.md 3.5, key-registry.md 4.6.
//!
//! Which key: the registered one that held for this EVSE and meter at charging time. Only if there is none, the one that came along, and then
//! the verdict is at most `INTEGRITY_ONLY`.

use super::claim::{Claim, Identity, NotACdr, SignedData, SignedPart};
use super::knowledge::Selection;
pub use super::knowledge::{KeyKnowledge, KeyQuestion, RegisteredKey};
pub use super::verdict::{
    Goal, Goals, KeyUsed, PointedFinding, ShownReading, Source, Status, UsedBlock, Verdict, shown_readings,
};
use crate::metering::finding::{Code, Finding, Outcome, Place, Severity};
use crate::metering::key::{Curve, PublicKey};
use crate::metering::plausible::{self, Tolerances};
use crate::metering::record::{Given, JudgedAs, KeyTrust};
use crate::metering::session::{self, Examination, Opened, signed_energy_kwh};
use crate::metering::verdict::SignatureAnswer;
use crate::registry::observations::Subject;

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

/// Reads a CDR, asks for keys once, and verifies. `registry` answers from memory; it is not asked when there is nothing to verify a key for
/// except whether the EVSE is calibrated.
pub fn assess(
    body: &[u8],
    registry: impl FnOnce(&KeyQuestion) -> KeyKnowledge,
    policy: &Policy,
) -> Result<Assessment, NotACdr> {
    let claim = Claim::read(body)?;
    let inquiry = Inquiry::of(&claim, &policy.tolerances);
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
    pub fn of(claim: &'c Claim<'c>, tolerances: &Tolerances) -> Inquiry<'c> {
        let mut question = KeyQuestion {
            cpo: claim.identity.owner_key(),
            evse_id: claim.evse_id.as_deref().map(str::to_owned),
            evse_uid: claim.evse_uid.as_deref().map(str::to_owned),
            from: claim.start,
            to: claim.end,
            customer: claim.customer(),
            ..KeyQuestion::default()
        };
        let SignedPart::Present(signed) = &claim.signed else {
            return Inquiry {
                claim,
                opened: None,
                delivered: None,
                question,
            };
        };
        let mut opened = session::open(
            &signed.signed_values(),
            signed.encoding_method.as_deref(),
            JudgedAs::Session,
        );
        let delivered = delivered_key(signed, &mut opened);
        question.delivered_fingerprint = delivered.as_ref().map(PublicKey::fingerprint);
        let claims = opened.claims();
        for record in &claims.records {
            add_once(&mut question.meter_serials, record.statement.meter_serial.as_deref());
            add_once(
                &mut question.gateway_serials,
                record.statement.gateway_serial.as_deref(),
            );
        }
        (question.from, question.to) = plausible::times_of_charging(claims, (claim.start, claim.end), tolerances);
        Inquiry {
            claim,
            opened: Some(opened),
            delivered,
            question,
        }
    }

    /// Who pays, where the way the CDR was routed says it and not the CDR: before OCPI 2.2.1 a token names no party.
    #[must_use]
    pub fn paid_by(mut self, emsp_key: &str) -> Inquiry<'c> {
        self.question.customer.emsp = Some(emsp_key.to_owned());
        self
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
        let Inquiry {
            claim,
            opened,
            delivered,
            question,
        } = self;
        let mut assessment = Assessment::blank(claim, policy.key_policy);
        assessment.question = question.clone();
        assessment.sources = knowledge.sources_of_calibration(&question);
        assessment.key.known_at = knowledge.known_at;
        assessment.waiver = knowledge.waiver.clone();
        let (Some(opened), SignedPart::Present(signed)) = (opened, &claim.signed) else {
            assessment.without_signed_values(&claim.signed, knowledge.calibrated);
            return assessment;
        };
        if signed.values.is_empty() {
            assessment.without_signed_values(&claim.signed, knowledge.calibrated);
            assessment.encoding_method = signed.encoding_method.as_deref().map(str::to_owned);
            return assessment;
        }
        assessment.unregistered = knowledge.unregistered(&question, delivered.as_ref());
        let selection = Selection::make(&question, knowledge, delivered.as_ref(), &opened);
        // A key that was only submitted is somebody's word, like one that came along.
        let pending_key = selection.pending.map(|pending| hex::encode(pending.key.to_spki_der()));
        let given = Given {
            encoding_method: signed.encoding_method.as_deref(),
            delivered_key: signed.public_key.as_deref().or(pending_key.as_deref()),
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
    /// The blocks of the records whose signature fits, each with the index of the value that carried it.
    blocks: Vec<(usize, UsedBlock)>,
    integrity: Goal,
    imputability: Goal,
    key: KeyUsed,
    readings: Vec<ShownReading>,
    signed_energy_kwh: Option<String>,
    cdr_energy_kwh: Option<String>,
    findings: Vec<Finding>,
    question: KeyQuestion,
    /// Who says that signed values were to be expected.
    sources: Vec<Source>,
    /// What the payer's eMSP says about this customer.
    waiver: Option<Source>,
    unregistered: Vec<Subject>,
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
        self.blocks.iter().map(|(_, block)| block.clone()).collect()
    }

    /// Concludes. `replayed` are those of [`Assessment::blocks`] that serve another CDR: not this one again, not the CDR that this one credits,
    /// not one that was refused, rejected or credited since (design.md 3.5).
    pub fn verdict(&self, replayed: &[UsedBlock]) -> Verdict {
        let mut findings = self.findings.clone();
        for (value, block) in &self.blocks {
            let finding = Finding::new(
                Code::ReplayedRecord,
                Place::Record(*value),
                "this signed record already serves another CDR",
            );
            if replayed.contains(block) && !findings.contains(&finding) {
                findings.push(finding);
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
                // By agreement (key-registry.md 4.6): of the hub with everybody, or of the eMSP for its own customer.
                Status::IntegrityOnly => self.key_policy == KeyPolicy::Delivered || self.waiver.is_some(),
                Status::Invalid | Status::Unverifiable | Status::Missing => false,
            },
            encoding_method: self.encoding_method.clone(),
            goals: self.goals(&findings),
            key: self.key.clone(),
            readings: self.readings.clone(),
            signed_energy_kwh: self.signed_energy_kwh.clone(),
            cdr_energy_kwh: self.cdr_energy_kwh.clone(),
            blocks: self.blocks(),
            findings: findings
                .into_iter()
                .chain(self.waived(status))
                .map(|finding| self.pointed(finding))
                .collect(),
        }
    }

    /// What the waiver of the eMSP means for this outcome. It is about whose word a key rests on: what is proven needs none, and what is wrong or
    /// missing is not cured by it.
    fn waived(&self, status: Status) -> Option<Finding> {
        let sentence = match status {
            Status::IntegrityOnly => {
                "the eMSP does without conformity for this customer: a key that came along is enough"
            }
            Status::Missing => {
                "the eMSP does without conformity for this customer; the EVSE must bring signed values all the same"
            }
            Status::Verified | Status::Invalid | Status::Unverifiable | Status::NotApplicable => return None,
        };
        self.waiver
            .is_some()
            .then(|| Finding::new(Code::ConformityWaived, Place::BilledPayer, sentence))
    }

    /// Whether signed values are missing that had to come: then it is worth knowing who else said that they would.
    pub fn is_missing_proof(&self) -> bool {
        self.situation == Situation::Missing
    }

    /// Somebody else who says that signed values were to be expected (SAF-48).
    pub fn also_expected_by(&mut self, source: Source) {
        self.sources.push(source);
    }

    /// What the records name and nobody has registered.
    pub fn unregistered(&self) -> &[Subject] {
        &self.unregistered
    }

    /// What the registry was asked.
    pub fn question(&self) -> &KeyQuestion {
        &self.question
    }

    fn pointed(&self, finding: Finding) -> PointedFinding {
        let sources = match finding.code {
            Code::SignedDataMissing => self.sources.clone(),
            Code::ConformityWaived => self.waiver.clone().into_iter().collect(),
            _ => Vec::new(),
        };
        PointedFinding {
            sources,
            ..PointedFinding::from(finding)
        }
    }

    fn goals(&self, findings: &[Finding]) -> Goals {
        let wrong = |about: fn(Code) -> bool| {
            findings.iter().any(|finding| {
                finding.severity == Severity::Error && !finding.code.is_undecidable() && about(finding.code)
            })
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
            key: KeyUsed {
                trust: KeyTrust::None,
                fingerprint: None,
                curve: None,
                meter_serial: None,
                registration: None,
                known_at: None,
            },
            readings: Vec::new(),
            signed_energy_kwh: None,
            cdr_energy_kwh: claim.total_energy_text.map(str::to_owned),
            findings: Vec::new(),
            question: KeyQuestion::default(),
            sources: Vec::new(),
            waiver: None,
            unregistered: Vec::new(),
        }
    }

    /// Nothing signed came, or nothing that could be. On a calibrated EVSE that is a fault of its own (key-registry.md SAF-47).
    fn without_signed_values(&mut self, part: &SignedPart<'_>, calibrated: bool) {
        if calibrated && !matches!(part, SignedPart::Unreadable) {
            self.situation = Situation::Missing;
            self.findings.push(Finding::new(
                Code::SignedDataMissing,
                Place::Session,
                "the EVSE is registered as calibrated, but the CDR has no signed values",
            ));
            return;
        }
        match part {
            SignedPart::Absent => self.situation = Situation::NotApplicable,
            SignedPart::Unreadable => {
                self.findings.push(Finding::new(
                    Code::UndecodableSignedData,
                    Place::Session,
                    "signed_data is not an object with a list of signed values",
                ));
            }
            SignedPart::Present(_) => {
                self.findings.push(Finding::new(
                    Code::NoSignedData,
                    Place::Session,
                    "signed_data has no signed values",
                ));
            }
        }
    }

    fn conclude(&mut self, claim: &Claim<'_>, examination: Examination, selection: Selection<'_>, policy: &Policy) {
        let any_wrong = examination
            .records
            .iter()
            .any(|record| matches!(record.signature, SignatureAnswer::DoesNotFit(_)));
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
        if matches!(key, Some((_, KeyTrust::Delivered))) && selection.pending.is_none() {
            findings.push(Finding::new(
                Code::KeyNotRegistered,
                Place::Key,
                "the key came along with the CDR; no registry vouches for it",
            ));
        }
        let serial_by_record = examination
            .records
            .iter()
            .find_map(|record| record.identifying_serial());
        self.key = KeyUsed {
            trust: key.map_or(KeyTrust::None, |(_, trust)| *trust),
            fingerprint: key.map(|(key, _)| key.fingerprint()),
            curve: key.map(|(key, _)| key.curve()),
            meter_serial: selection
                .registration
                .and_then(|r| r.meter_serial.as_deref())
                .or(serial_by_record)
                .map(str::to_owned),
            registration: selection
                .registration
                .or(selection.pending)
                .map(|registration| registration.id.clone()),
            known_at: self.key.known_at,
        };
        self.signed_energy_kwh = signed_energy_kwh(&examination).map(|energy| energy.to_string());
        self.blocks = examination
            .records
            .iter()
            .filter_map(|record| match &record.signature {
                SignatureAnswer::Fits(proof) => Some((record, proof.key().fingerprint())),
                _ => None,
            })
            .flat_map(|(record, fingerprint)| {
                record.block_digests.iter().map(move |digest| {
                    let block = UsedBlock {
                        digest: hex::encode(digest),
                        fingerprint: fingerprint.clone(),
                    };
                    (record.value, block)
                })
            })
            .collect();
        self.readings = shown_readings(&examination);
        for finding in &mut findings {
            let other = policy
                .severities
                .iter()
                .find(|(code, _)| *code == finding.code && code.is_adjustable());
            finding.severity = other.map_or(finding.severity, |(_, severity)| *severity);
        }
        self.findings = findings;
    }
}

fn delivered_key(signed: &SignedData<'_>, opened: &mut Opened<'_>) -> Option<PublicKey> {
    match signed.public_key.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => opened.read_key(text).ok(),
        // Some formats carry it inside the record.
        None => opened.embedded_key(),
    }
}

fn add_once(names: &mut Vec<String>, name: Option<&str>) {
    if let Some(name) = name
        && !names.iter().any(|known| known == name)
    {
        names.push(name.to_owned());
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::sign::SigningMeter;
    use crate::registry::waivers::Customer;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn meter(seed: &str) -> SigningMeter {
        SigningMeter::from_seed(Curve::Secp256r1, seed.as_bytes()).unwrap()
    }

    fn record(meter: &SigningMeter, page: u32, marker: &str, hour: u32, value: &str) -> String {
        meter.ocmf(&format!(
            r#"{{"FV":"1.0","GS":"G1","MS":"M1","PG":"T{page}","CT":"EVSEID","CI":"DE*ABC*E1","ID":"04AA","RD":[{{"TM":"2026-01-01T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    }

    fn cdr_by(meter: &SigningMeter, delivered: Option<&SigningMeter>, energy: &str) -> String {
        let value = |nature: &str, record: String| serde_json::json!({"nature": nature, "plain_data": "", "signed_data": record});
        let mut signed = serde_json::json!({
            "encoding_method": "OCMF",
            "signed_values": [value("Start", record(meter, 1, "B", 9, "10.000")), value("End", record(meter, 2, "E", 10, "17.500"))],
        });
        if let Some(delivered) = delivered {
            signed["public_key"] = hex::encode(delivered.public_key().to_spki_der()).into();
        }
        format!(
            r#"{{"country_code":"DE","party_id":"ABC","id":"C-1","start_date_time":"2026-01-01T09:00:00Z","end_date_time":"2026-01-01T10:00:00Z",
                "cdr_token":{{"uid":"04AA"}},"cdr_location":{{"evse_uid":"1","evse_id":"DE*ABC*E1"}},"meter_id":"M1","total_energy":{energy},"signed_data":{signed}}}"#
        )
    }

    fn registered(meter: &SigningMeter) -> RegisteredKey {
        RegisteredKey {
            id: "r1".into(),
            key: meter.public_key().clone(),
            meter_serial: Some("M1".into()),
            gateway_serial: None,
            evse_id: Some("DE*ABC*E1".into()),
            evse_uid: None,
            cpo: "DE/ABC".into(),
            valid_from: at("2025-01-01T00:00:00Z"),
            valid_to: None,
            calibrated: true,
            registered_at: None,
            is_confirmed: true,
        }
    }

    fn at(text: &str) -> DateTime<chrono::Utc> {
        text.parse().unwrap()
    }

    fn knows(for_evse: Vec<RegisteredKey>) -> KeyKnowledge {
        KeyKnowledge {
            for_evse,
            calibrated: true,
            ..KeyKnowledge::default()
        }
    }

    fn judge(cdr: &str, knowledge: KeyKnowledge) -> Verdict {
        assess(cdr.as_bytes(), |_| knowledge, &Policy::default())
            .unwrap()
            .verdict(&[])
    }

    #[test]
    fn the_registered_key_of_that_meter_and_evse_at_that_time_verifies() {
        let meter = meter("mine");
        for delivered in [None, Some(&meter)] {
            let verdict = judge(&cdr_by(&meter, delivered, "7.5"), knows(vec![registered(&meter)]));
            assert_eq!(
                (verdict.status, verdict.billable, verdict.reasons()),
                (Status::Verified, true, vec![])
            );
            let goals = verdict.goals;
            assert!(
                [
                    goals.truthfulness,
                    goals.integrity,
                    goals.authenticity,
                    goals.imputability,
                    goals.availability
                ]
                .iter()
                .all(|goal| *goal == Goal::Pass)
            );
            assert_eq!(
                (verdict.signed_energy_kwh.as_deref(), verdict.cdr_energy_kwh.as_deref()),
                (Some("7.500"), Some("7.5"))
            );
            assert_eq!(verdict.key.registration.as_deref(), Some("r1"));
        }
    }

    #[test]
    fn the_registry_is_asked_what_cdr_and_records_say() {
        let meter = meter("mine");
        let mut asked = None;
        let cdr = cdr_by(&meter, Some(&meter), "7.5");
        assess(
            cdr.as_bytes(),
            |question| {
                asked = Some(question.clone());
                KeyKnowledge::default()
            },
            &Policy::default(),
        )
        .unwrap();
        let expected = KeyQuestion {
            cpo: "DE/ABC".into(),
            evse_id: Some("DE*ABC*E1".into()),
            evse_uid: Some("1".into()),
            meter_serials: vec!["M1".into()],
            gateway_serials: vec!["G1".into()],
            delivered_fingerprint: Some(meter.public_key().fingerprint()),
            from: Some(at("2026-01-01T09:00:00Z")),
            to: Some(at("2026-01-01T10:00:00Z")),
            customer: Customer::default(),
        };
        assert_eq!(asked, Some(expected));
    }

    #[test]
    fn a_delivered_key_alone_proves_integrity_only_and_policy_says_what_that_is_worth() {
        let meter = meter("mine");
        let cdr = cdr_by(&meter, Some(&meter), "7.5");
        let verdict = judge(&cdr, KeyKnowledge::default());
        assert_eq!(
            (verdict.status, verdict.billable, verdict.reasons()),
            (Status::IntegrityOnly, false, vec!["KEY_NOT_REGISTERED"])
        );
        assert_eq!(verdict.goals.authenticity, Goal::Unknown);
        let policy = Policy {
            key_policy: KeyPolicy::Delivered,
            ..Policy::default()
        };
        assert!(
            assess(cdr.as_bytes(), |_| KeyKnowledge::default(), &policy)
                .unwrap()
                .verdict(&[])
                .billable
        );
    }

    fn waived(knowledge: KeyKnowledge) -> KeyKnowledge {
        KeyKnowledge {
            waiver: Some(Source {
                source: Source::WAIVER,
                reference: "w1".into(),
                valid_from: at("2025-12-01T00:00:00Z"),
                valid_to: None,
                recorded_at: None,
            }),
            ..knowledge
        }
    }

    // SAF-37, key-registry.md 4.6
    #[test]
    fn a_waiver_makes_a_delivered_key_enough_and_cures_nothing_that_is_wrong_or_missing() {
        let (mine, other) = (meter("mine"), meter("other"));
        let delivered = cdr_by(&mine, Some(&mine), "7.5");
        let pending = RegisteredKey {
            is_confirmed: false,
            ..registered(&mine)
        };
        let unsigned = r#"{"country_code":"DE","party_id":"ABC","id":"C-1","total_energy":1}"#;
        let cases = [
            (&*delivered, KeyKnowledge::default(), Status::IntegrityOnly, true, true),
            (&*delivered, knows(vec![pending]), Status::IntegrityOnly, true, true),
            (
                &*delivered,
                knows(vec![registered(&mine)]),
                Status::Verified,
                true,
                false,
            ),
            (
                &*delivered,
                knows(vec![registered(&other)]),
                Status::Invalid,
                false,
                false,
            ),
            (unsigned, knows(vec![]), Status::Missing, false, true),
            (unsigned, KeyKnowledge::default(), Status::NotApplicable, true, false),
        ];
        for (cdr, knowledge, status, billable, is_said) in cases {
            let verdict = judge(cdr, waived(knowledge));
            assert_eq!((verdict.status, verdict.billable), (status, billable));
            let said = verdict.findings.iter().find(|one| one.code == Code::ConformityWaived);
            assert_eq!(said.is_some(), is_said, "{status:?}");
            if let Some(said) = said {
                assert_eq!((said.severity, said.pointer.as_str()), (Severity::Info, "/cdr_token"));
                assert_eq!(said.sources[0].reference, "w1");
                assert!(!verdict.reasons().contains(&"CONFORMITY_WAIVED"));
            }
        }
    }

    #[test]
    fn a_key_or_else_a_serial_number_that_nobody_registered_is_told() {
        let (mine, other) = (meter("mine"), meter("other"));
        let (delivered, silent) = (cdr_by(&mine, Some(&mine), "7.5"), cdr_by(&mine, None, "7.5"));
        let told = |cdr: &str, knowledge| {
            let assessment = assess(cdr.as_bytes(), |_| knowledge, &Policy::default()).unwrap();
            assessment.unregistered().to_vec()
        };
        let key = Subject::Key(Box::new(mine.public_key().clone()));
        assert_eq!(told(&delivered, KeyKnowledge::default()), std::slice::from_ref(&key));
        assert_eq!(told(&delivered, knows(vec![registered(&other)])), [key]);
        assert_eq!(told(&delivered, knows(vec![registered(&mine)])), []);
        assert_eq!(told(&silent, KeyKnowledge::default()), [Subject::Meter("M1".into())]);
        assert_eq!(
            told(&silent, knows(vec![registered(&other)])),
            [],
            "the meter is registered"
        );
        assert_eq!(told(r#"{"id":"C-1"}"#, KeyKnowledge::default()), []);
    }

    #[test]
    fn every_way_in_which_a_key_does_not_belong_here_is_invalid_and_named() {
        let (mine, other) = (meter("mine"), meter("other"));
        let with = |change: fn(&mut RegisteredKey)| {
            let mut registration = registered(&mine);
            change(&mut registration);
            knows(vec![registration])
        };
        let elsewhere = |change: fn(&mut RegisteredKey)| {
            let KeyKnowledge { for_evse, .. } = with(change);
            KeyKnowledge {
                by_fingerprint: for_evse,
                ..KeyKnowledge::default()
            }
        };
        let mut until_half_past = registered(&mine);
        until_half_past.valid_to = Some(at("2026-01-01T09:30:00Z"));
        let mut from_half_past = registered(&other);
        from_half_past.valid_from = at("2026-01-01T09:30:00Z");
        let delivered = cdr_by(&mine, Some(&mine), "7.5");
        let silent = cdr_by(&mine, None, "7.5");
        let cases = [
            ("KEY_CONFLICT", &delivered, knows(vec![registered(&other)])),
            (
                "KEY_FOR_OTHER_EVSE",
                &delivered,
                with(|r| r.evse_id = Some("DE*ABC*E2".into())),
            ),
            (
                "KEY_FOR_OTHER_EVSE",
                &silent,
                with(|r| r.evse_id = Some("DE*ABC*E2".into())),
            ),
            (
                "KEY_FOR_OTHER_EVSE",
                &delivered,
                elsewhere(|r| r.evse_id = Some("DE*ABC*E2".into())),
            ),
            ("KEY_FOR_OTHER_CPO", &delivered, elsewhere(|r| r.cpo = "DE/XYZ".into())),
            ("KEY_FOR_OTHER_CPO", &delivered, with(|r| r.cpo = "DE/XYZ".into())),
            (
                "KEY_DEACTIVATED_AT_TIME",
                &delivered,
                with(|r| r.valid_to = Some(at("2025-12-31T00:00:00Z"))),
            ),
            (
                "KEY_DEACTIVATED_AT_TIME",
                &silent,
                with(|r| r.valid_to = Some(at("2025-12-31T00:00:00Z"))),
            ),
            (
                "KEY_DEACTIVATED_AT_TIME",
                &delivered,
                with(|r| r.valid_from = at("2026-01-01T09:00:01Z")),
            ),
            (
                "KEY_FOR_OTHER_METER",
                &delivered,
                with(|r| r.meter_serial = Some("M2".into())),
            ),
            (
                "KEY_CHANGED_DURING_SESSION",
                &delivered,
                knows(vec![until_half_past, from_half_past]),
            ),
        ];
        for (expected, cdr, knowledge) in cases {
            let verdict = judge(cdr, knowledge);
            assert_eq!(
                (verdict.status, verdict.billable, verdict.goals.authenticity),
                (Status::Invalid, false, Goal::Fail),
                "{expected}"
            );
            assert!(
                verdict.reasons().contains(&expected),
                "{expected}: {:?}",
                verdict.reasons()
            );
        }
    }

    // key-registry.md 4.6: KEY_CHANGED_DURING_SESSION says that begin and end need different keys.
    #[test]
    fn a_key_that_goes_on_under_another_registration_did_not_change() {
        let (mine, other) = (meter("mine"), meter("other"));
        let mut before = registered(&mine);
        before.valid_to = Some(at("2026-01-01T09:30:00Z"));
        let since = |meter| {
            let mut after = registered(meter);
            after.valid_from = at("2026-01-01T09:30:00Z");
            after
        };
        let delivered = cdr_by(&mine, Some(&mine), "7.5");
        let verdict = judge(&delivered, knows(vec![before.clone(), since(&mine)]));
        assert_eq!((verdict.status, verdict.reasons()), (Status::Verified, vec![]));
        // On another meter it is another unit, whatever key it uses.
        let mut copied = since(&mine);
        copied.meter_serial = Some("M2".into());
        for after in [copied, since(&other)] {
            let verdict = judge(&delivered, knows(vec![before.clone(), after]));
            assert!(
                verdict.reasons().contains(&"KEY_CHANGED_DURING_SESSION"),
                "{:?}",
                verdict.reasons()
            );
        }
    }

    #[test]
    fn a_foreign_registration_does_not_hide_the_right_one() {
        let (mine, other) = (meter("mine"), meter("other"));
        let mut neighbour = registered(&other);
        neighbour.meter_serial = Some("M9".into());
        let verdict = judge(&cdr_by(&mine, None, "7.5"), knows(vec![neighbour, registered(&mine)]));
        assert_eq!(verdict.status, Status::Verified);
    }

    #[test]
    fn a_key_registered_afterwards_for_that_time_verifies_with_a_note() {
        let meter = meter("mine");
        let mut late = registered(&meter);
        late.registered_at = Some(at("2026-02-01T00:00:00Z"));
        let verdict = judge(&cdr_by(&meter, None, "7.5"), knows(vec![late]));
        assert_eq!(verdict.status, Status::Verified);
        assert_eq!(verdict.findings[0].code, Code::KeyLaterPublished);
    }

    // key-registry.md 4.6: KEY_NOT_YET_CONFIRMED.
    #[test]
    fn a_key_that_is_only_submitted_vouches_for_nothing_and_refutes_nothing() {
        let (mine, old) = (meter("mine"), meter("old"));
        let mut submitted = registered(&mine);
        submitted.is_confirmed = false;
        submitted.id = "r2".to_owned();
        let alone = knows(vec![submitted.clone()]);
        let beside = knows(vec![registered(&old), submitted.clone()]);
        for (knowledge, delivered) in [
            (&alone, Some(&mine)),
            (&alone, None),
            (&beside, Some(&mine)),
            (&beside, None),
        ] {
            let verdict = judge(&cdr_by(&mine, delivered, "7.5"), knowledge.clone());
            assert_eq!((verdict.status, verdict.billable), (Status::IntegrityOnly, false));
            assert_eq!(verdict.reasons(), ["KEY_NOT_YET_CONFIRMED"]);
            assert_eq!(verdict.key.registration.as_deref(), Some("r2"));
            assert_eq!(verdict.goals.authenticity, Goal::Unknown);
            let lenient = Policy {
                key_policy: KeyPolicy::Delivered,
                ..Policy::default()
            };
            let body = cdr_by(&mine, delivered, "7.5");
            let assessment = assess(body.as_bytes(), |_| knowledge.clone(), &lenient).unwrap();
            let verdict = assessment.verdict(&[]);
            assert_eq!((verdict.status, verdict.billable), (Status::IntegrityOnly, true));
        }
        // The key that counts still verifies, and a forgery under it is one.
        let genuine = judge(&cdr_by(&old, None, "7.5"), beside.clone());
        assert_eq!(genuine.status, Status::Verified);
        let forged = judge(&cdr_by(&meter("third"), Some(&meter("third")), "7.5"), beside);
        assert!(forged.reasons().contains(&"KEY_CONFLICT"), "{:?}", forged.reasons());
        // One meter claimed by two operators: whose it is decides, not who claims it.
        let mut theirs = registered(&mine);
        theirs.cpo = "DE/XYZ".to_owned();
        theirs.evse_id = Some("DE*XYZ*E1".to_owned());
        let claimed = judge(&cdr_by(&mine, Some(&mine), "7.5"), knows(vec![submitted, theirs]));
        assert_eq!(claimed.reasons(), ["KEY_FOR_OTHER_CPO"]);
    }

    #[test]
    fn nothing_signed_is_missing_on_a_calibrated_evse_and_not_applicable_elsewhere() {
        let unsigned = r#"{"id":"C-1","total_energy":1}"#;
        let missing = judge(unsigned, knows(vec![]));
        assert_eq!(
            (missing.status, missing.billable, missing.reasons()),
            (Status::Missing, false, vec!["SIGNED_DATA_MISSING"])
        );
        let fine = judge(unsigned, KeyKnowledge::default());
        assert_eq!((fine.status, fine.billable), (Status::NotApplicable, true));
        let empty = r#"{"signed_data":{"encoding_method":"OCMF","signed_values":[]}}"#;
        assert_eq!(judge(empty, KeyKnowledge::default()).status, Status::Unverifiable);
        assert_eq!(judge(empty, knows(vec![])).status, Status::Missing);
        assert_eq!(
            judge(r#"{"signed_data":"x"}"#, knows(vec![])).status,
            Status::Unverifiable
        );
    }

    #[test]
    fn a_used_block_makes_the_verdict_invalid_whatever_its_transport_looks_like() {
        let meter = meter("mine");
        let first = assess(
            cdr_by(&meter, None, "7.5").as_bytes(),
            |_| knows(vec![registered(&meter)]),
            &Policy::default(),
        )
        .unwrap();
        let again = assess(
            cdr_by(&meter, Some(&meter), "7.50").as_bytes(),
            |_| knows(vec![registered(&meter)]),
            &Policy::default(),
        )
        .unwrap();
        assert_eq!(first.blocks(), again.blocks());
        let verdict = again.verdict(&first.verdict(&[]).blocks[..1]);
        assert_eq!(
            (verdict.status, verdict.reasons()),
            (Status::Invalid, vec!["REPLAYED_RECORD"])
        );
        assert_eq!(verdict.findings[0].pointer, "/signed_data/signed_values/0");
        assert_eq!(verdict.goals.truthfulness, Goal::Fail);
    }

    #[test]
    fn nobody_uses_up_a_block_by_signing_its_octets_with_another_key() {
        let (mine, forger) = (meter("mine"), meter("forger"));
        let blocks = |meter| judge(&cdr_by(meter, Some(meter), "7.5"), KeyKnowledge::default()).blocks;
        assert_eq!(blocks(&mine)[0].digest, blocks(&forger)[0].digest);
        assert_ne!(blocks(&mine)[0], blocks(&forger)[0]);
    }

    #[test]
    fn severities_are_configured_except_for_signatures_and_keys() {
        let (mine, other) = (meter("mine"), meter("other"));
        let policy = Policy {
            severities: vec![
                (Code::MeterIdMismatch, Severity::Error),
                (Code::EnergyMismatch, Severity::Info),
                (Code::SignatureMismatch, Severity::Info),
            ],
            ..Policy::default()
        };
        let status = |cdr: &str| {
            assess(cdr.as_bytes(), |_| knows(vec![registered(&mine)]), &policy)
                .unwrap()
                .verdict(&[])
                .status
        };
        let cdr = cdr_by(&mine, None, "7.5");
        assert_eq!(status(&cdr), Status::Verified);
        assert_eq!(
            status(&cdr.replace("\"meter_id\":\"M1\"", "\"meter_id\":\"M2\"")),
            Status::Invalid
        );
        assert_eq!(status(&cdr_by(&mine, None, "99")), Status::Verified);
        assert_eq!(status(&cdr_by(&other, None, "7.5")), Status::Invalid);
    }

    #[test]
    fn the_report_has_the_shape_of_the_contract() {
        let meter = meter("mine");
        let verdict = judge(&cdr_by(&meter, Some(&meter), "8.5"), knows(vec![registered(&meter)]));
        let check = crate::evidence::report::Check {
            at: at("2026-11-21T10:00:00Z"),
            by: "DE/TWH".to_owned(),
            occasion: crate::evidence::report::Occasion::Received,
        };
        let report: serde_json::Value =
            serde_json::from_str(&crate::evidence::report::document(&verdict, &check)).unwrap();
        let expected = serde_json::json!({
            "cdr": {"country_code": "DE", "party_id": "ABC", "id": "C-1"}, "status": "INVALID", "billable": false,
            "checked_at": "2026-11-21T10:00:00Z", "checked_by": "DE/TWH", "occasion": "RECEIVED", "software": concat!("truewatt ", env!("CARGO_PKG_VERSION")), "encoding_method": "OCMF",
            "goals": {"truthfulness": "FAIL", "integrity": "PASS", "authenticity": "PASS", "imputability": "PASS", "availability": "PASS"},
            "key": {"trust": "REGISTERED", "fingerprint": meter.public_key().fingerprint(), "curve": "secp256r1", "meter_serial": "M1", "registration": "r1"},
            "readings": [
                {"nature": "Start", "time": "2026-01-01T09:00:00Z", "time_status": "SYNCHRONISED", "obis": "1-0:1.8.0", "value": "10.000", "unit": "kWh"},
                {"nature": "End", "time": "2026-01-01T10:00:00Z", "time_status": "SYNCHRONISED", "obis": "1-0:1.8.0", "value": "17.500", "unit": "kWh"}],
            "signed_energy_kwh": "7.500", "cdr_energy_kwh": "8.5",
            "findings": [{"code": "ENERGY_MISMATCH", "severity": "ERROR", "pointer": "/total_energy", "message": "8.5 kWh are billed, 7.5 kWh are signed"}],
        });
        assert_eq!(report, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// CAL-R3a over the whole CDR: whatever octet changes, what is still VERIFIED is still the same signed records.
        #[test]
        fn a_changed_octet_never_changes_what_was_proven(at in 0usize..10_000, octet in any::<u8>()) {
            let meter = meter("mine");
            let original = cdr_by(&meter, None, "7.5");
            let proven = judge(&original, knows(vec![registered(&meter)]));
            let mut body = original.into_bytes();
            let at = at % body.len();
            body[at] = octet;
            if let Ok(assessment) = assess(&body, |_| knows(vec![registered(&meter)]), &Policy::default()) {
                let verdict = assessment.verdict(&[]);
                if verdict.status == Status::Verified {
                    prop_assert_eq!(verdict.blocks, proven.blocks);
                    prop_assert_eq!(verdict.signed_energy_kwh, proven.signed_energy_kwh);
                }
            }
        }
    }
}
