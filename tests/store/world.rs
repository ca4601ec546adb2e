//! CDRs, platforms and keys in words.

use chrono::{DateTime, TimeDelta, Utc};
use truewatt::store::*;
use uuid::Uuid;

pub const FINGERPRINT: &str = "5f3c";

/// So many seconds after the moment everything begins.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

pub fn id() -> String {
    Uuid::now_v7().to_string()
}

pub fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A good CDR of DE/ABC for NL/EMS that arrived at second 0, with a duty leased to `first` for 30 seconds.
pub fn cdr(name: &str) -> NewCdr {
    let row_id = id();
    NewCdr {
        row: CdrRow {
            id: row_id.clone(),
            country_code: "DE".to_owned(),
            party_id: "ABC".to_owned(),
            cpo_key: "DE/ABC".to_owned(),
            cdr_id: name.to_owned(),
            cdr_key: name.to_lowercase(),
            revision: 1,
            emsp_country_code: "NL".to_owned(),
            emsp_party_id: "EMS".to_owned(),
            emsp_key: "NL/EMS".to_owned(),
            cpo_platform: "cpo".to_owned(),
            emsp_platform: "emsp".to_owned(),
            version: "2.2.1".to_owned(),
            body: format!("{{\"id\":\"{name}\"}}"),
            content_digest: format!("digest of {name}"),
            received_at: at(0),
            last_updated: at(-10),
            visible_at: Some(at(0)),
            metering_status: "VERIFIED".to_owned(),
            billable: true,
            delivery: "pending".to_owned(),
            location_id: Uuid::new_v4().simple().to_string(),
            receiver_location: None,
            correlation_id: format!("corr-{row_id}"),
            credit_reference: None,
            marker: None,
            first_answer: None,
        },
        report: "{\"status\":\"VERIFIED\"}".to_owned(),
        checked_at: at(0),
        blocks: Vec::new(),
        frees_blocks_of: None,
        duty: Some(NewDuty {
            id: id(),
            platform_id: "emsp".to_owned(),
            kind: "cdr".to_owned(),
            object_id: row_id.clone(),
            revision: 1,
            lease_owner: "first".to_owned(),
            lease_until: at(30),
            next_attempt_at: at(0),
            give_up_at: at(30 * 86_400),
            created_at: at(0),
        }),
        journal: JournalEntry {
            object: some(&format!("DE/ABC/{name}")),
            ..journal_line(&format!("corr-{row_id}"), "cdrs")
        },
        replaces_rejected: None,
        notice: None,
        traces: Traces::default(),
    }
}

pub trait Cdr {
    fn with_body(self, body: &str) -> NewCdr;
    fn with_blocks<const N: usize>(self, digests: [&str; N]) -> NewCdr;
    /// Makes its nth block one that no other CDR has.
    fn with_own_block(self, nth: usize) -> NewCdr;
    fn with_lease_until(self, seconds: i64) -> NewCdr;
    fn updated_at(self, seconds: i64) -> NewCdr;
    fn held(self) -> NewCdr;
    fn to(self, country_code: &str, party_id: &str) -> NewCdr;
    fn from(self, country_code: &str, party_id: &str) -> NewCdr;
}

impl Cdr for NewCdr {
    fn with_body(mut self, body: &str) -> NewCdr {
        self.row.body = body.to_owned();
        self
    }

    fn with_blocks<const N: usize>(mut self, digests: [&str; N]) -> NewCdr {
        let claim = |digest: &str| BlockClaim {
            digest: digest.to_owned(),
            fingerprint: FINGERPRINT.to_owned(),
        };
        self.blocks = digests.into_iter().map(claim).collect();
        self
    }

    fn with_own_block(mut self, nth: usize) -> NewCdr {
        self.blocks[nth].digest = id();
        self
    }

    fn with_lease_until(mut self, seconds: i64) -> NewCdr {
        self.duty.as_mut().unwrap().lease_until = at(seconds);
        self
    }

    fn updated_at(mut self, seconds: i64) -> NewCdr {
        self.row.last_updated = at(seconds);
        self
    }

    fn held(mut self) -> NewCdr {
        self.row.visible_at = None;
        self.row.delivery = "held".to_owned();
        self.duty = None;
        self
    }

    fn to(mut self, country_code: &str, party_id: &str) -> NewCdr {
        self.row.emsp_country_code = country_code.to_owned();
        self.row.emsp_party_id = party_id.to_owned();
        self.row.emsp_key = format!("{country_code}/{party_id}");
        self
    }

    fn from(mut self, country_code: &str, party_id: &str) -> NewCdr {
        self.row.country_code = country_code.to_owned();
        self.row.party_id = party_id.to_owned();
        self.row.cpo_key = format!("{country_code}/{party_id}");
        self
    }
}

/// The end of an attempt at second 5, with a line in the journal under `settled`.
pub fn settlement(new: &NewCdr, result: Settled) -> Settlement {
    let duty = new.duty.as_ref().unwrap();
    Settlement {
        row_id: new.row.id.clone(),
        duty_id: duty.id.clone(),
        duty_revision: duty.revision,
        attempt: AttemptRow {
            id: id(),
            at: at(5),
            http_status: Some(200),
            status_code: Some(1000),
            outcome: "done".to_owned(),
        },
        result,
        receiver_location: None,
        first_answer: None,
        journal: Some(journal_line("settled", "cdrs")),
    }
}

pub fn journal_line(correlation_id: &str, module: &str) -> JournalEntry {
    JournalEntry {
        id: id(),
        at: at(0),
        correlation_id: correlation_id.to_owned(),
        request_id: some("req"),
        from_party: some("DE/ABC"),
        to_party: some("NL/EMS"),
        platform: some("cpo"),
        module: module.to_owned(),
        method: "POST".to_owned(),
        object: None,
        http_status: Some(201),
        status_code: Some(1000),
        outcome: "taken".to_owned(),
        duration_ms: Some(3),
    }
}

pub fn pull(emsp_key: &str) -> CdrPull {
    CdrPull {
        emsp_keys: vec![emsp_key.to_owned()],
        ..CdrPull::default()
    }
}

pub fn platform(id: &str, parties: &[(&str, &str, &str)]) -> NewPlatform {
    NewPlatform {
        id: id.to_owned(),
        name: format!("Platform {id}"),
        options: "{}".to_owned(),
        parties: parties
            .iter()
            .map(|(country, name, role)| party(id, country, name, role))
            .collect(),
        token: None,
        created_at: at(0),
    }
}

pub fn party(platform: &str, country_code: &str, party_id: &str, role: &str) -> PartyRow {
    PartyRow {
        platform_id: platform.to_owned(),
        country_code: country_code.to_owned(),
        party_id: party_id.to_owned(),
        role: role.to_owned(),
        name: format!("{country_code} {party_id}"),
        business_details: some("{}"),
        status: "PLANNED".to_owned(),
        updated_at: at(0),
    }
}

pub fn token(platform: &str, hash: &str, expires: Option<i64>) -> TokenRow {
    TokenRow {
        hash: hash.to_owned(),
        platform_id: platform.to_owned(),
        kind: "registration".to_owned(),
        expires_at: expires.map(at),
        created_at: at(0),
    }
}

/// So many lines behind `after`, each with a version of a registration of its own, in this state.
pub fn registry_batch(after: u64, count: u64, state: &str) -> RegistryBatch {
    let places = after + 1..=after + count;
    RegistryBatch {
        after,
        documents: places
            .clone()
            .map(|seq| RegistryDocument {
                seq,
                kind: "registration".to_owned(),
                id: format!("r{seq}"),
                version: 1,
                recorded_at: at(seq as i64),
                state: some(state),
                document: format!("{{\"id\":\"r{seq}\"}}"),
            })
            .collect(),
        lines: places
            .map(|seq| RegistryLine {
                seq,
                entry: format!("{{\"seq\":{seq}}}"),
                hash: format!("hash of {seq}"),
            })
            .collect(),
        ..RegistryBatch::default()
    }
}

/// Entries of one correlation id.
pub fn about(correlation_id: &str) -> JournalFilter {
    JournalFilter {
        correlation_id: some(correlation_id),
        ..JournalFilter::default()
    }
}
