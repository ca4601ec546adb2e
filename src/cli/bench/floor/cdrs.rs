//! The bare path of a CDR: what nobody who verifies, keeps and carries one can do without.
//!
//! The same octets come in over actix, two signatures are verified with the same code, the same rows go through the same commits of
//! the same store, the same octets leave by the same client. No token, no routing, no registry, no checks, no headers, no answer worth
//! reading.

use std::borrow::Cow;

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Ends, PATIENCE, client, failed};
use crate::cli::{NotDone, with_causes};
use crate::client::{Http, Method, Outcome, Outgoing};
use crate::clock::{SharedClock, SystemClock};
use crate::metering::key::PublicKey;
use crate::metering::signature::{self, Check};
use crate::store::Store;
use crate::store::evidence::{
    AttemptRow, BlockClaim, CdrPull, CdrRow, FirstAnswer, NewCdr, Settled, Settlement, Taken, Traces,
};
use crate::store::journal::JournalEntry;
use crate::store::outbox::NewDuty;

/// The provider every CDR of the floor is for.
const EMSP_KEY: &str = "ZZ/FLO";

/// How the floor is laid.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    ends: Ends,
    /// Where to keep what comes.
    #[arg(long)]
    database: String,
    /// The key of the meter.
    #[arg(long)]
    public_key: String,
}

/// Everything a request needs.
struct Floor {
    store: Store,
    http: Http,
    clock: SharedClock,
    receiver: String,
    key: PublicKey,
    fingerprint: String,
}

/// Serves until killed.
pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    let store = Store::open(&arguments.database).await.map_err(failed)?;
    store.migrate().await.map_err(failed)?;
    let key = PublicKey::read(&arguments.public_key, None).map_err(failed)?;
    let floor = web::Data::new(Floor {
        store,
        http: client()?,
        clock: SystemClock::shared(),
        receiver: arguments.ends.receiver,
        fingerprint: key.fingerprint(),
        key,
    });
    HttpServer::new(move || {
        App::new()
            .app_data(floor.clone())
            .route("/ready", web::get().to(HttpResponse::Ok))
            .route("/stored", web::get().to(stored))
            .route("/cdrs", web::post().to(take))
    })
    .bind(arguments.ends.bind)
    .map_err(failed)?
    .run()
    .await
    .map_err(failed)
}

/// How many CDRs are kept.
async fn stored(floor: web::Data<Floor>) -> HttpResponse {
    let pull = CdrPull {
        emsp_keys: vec![EMSP_KEY.to_owned()],
        ..CdrPull::default()
    };
    match floor.store.cdr_count(pull).await {
        Ok(count) => HttpResponse::Ok().body(count.to_string()),
        Err(error) => HttpResponse::InternalServerError().body(with_causes(&error)),
    }
}

async fn take(floor: web::Data<Floor>, body: web::Bytes) -> HttpResponse {
    match floor.carry(body).await {
        Ok(location) => HttpResponse::Created()
            .insert_header(("location", location))
            .content_type("application/json")
            .body(r#"{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}"#),
        Err(what) => HttpResponse::InternalServerError().body(what),
    }
}

#[derive(Deserialize)]
struct Cdr<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    signed_data: SignedData<'a>,
}

#[derive(Deserialize)]
struct SignedData<'a> {
    #[serde(borrow)]
    signed_values: Vec<SignedValue<'a>>,
}

#[derive(Deserialize)]
struct SignedValue<'a> {
    #[serde(borrow)]
    signed_data: Cow<'a, str>,
}

impl Floor {
    async fn carry(&self, body: web::Bytes) -> Result<String, String> {
        let (cdr_id, blocks) = self.verify(&body)?;
        let new = self.rows(&body, &cdr_id, blocks)?;
        let (row_id, location) = (new.row.id.clone(), new.row.location_id.clone());
        let duty_id = new.duty.as_ref().map(|duty| duty.id.clone()).unwrap_or_default();
        match self.store.cdr_take(new).await.map_err(|error| with_causes(&error))? {
            Taken::New => {}
            Taken::Known(_) | Taken::BlocksUsed(_) => return Err("known already".to_owned()),
        }
        let (http_status, receiver_location) = self.post(body).await?;
        self.settle(row_id, duty_id, http_status, receiver_location).await?;
        Ok(location)
    }

    /// Both signatures, and the digests of what they cover.
    fn verify(&self, body: &[u8]) -> Result<(String, Vec<BlockClaim>), String> {
        let cdr: Cdr<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut blocks = Vec::with_capacity(2);
        for value in &cdr.signed_data.signed_values {
            let record = STANDARD
                .decode(value.signed_data.as_bytes())
                .map_err(|error| error.to_string())?;
            let record = std::str::from_utf8(&record).map_err(|error| error.to_string())?;
            let (payload, section) = record
                .strip_prefix("OCMF|")
                .and_then(|rest| rest.rsplit_once('|'))
                .ok_or("no record")?;
            let digits = section.split('"').rev().nth(1).ok_or("no signature")?;
            let octets = hex::decode(digits).map_err(|error| error.to_string())?;
            let signed = signature::read_der(&octets, self.key.curve()).map_err(|error| error.to_string())?;
            let digest = Sha256::digest(payload.as_bytes());
            if !matches!(signature::verify(&self.key, &digest, &signed), Check::Fits) {
                return Err("a signature does not fit".to_owned());
            }
            blocks.push(BlockClaim {
                digest: hex::encode(digest),
                fingerprint: self.fingerprint.clone(),
            });
        }
        Ok((cdr.id.into_owned(), blocks))
    }

    /// The rows the hub would write for a verified CDR, as large as the hub's.
    fn rows(&self, body: &[u8], cdr_id: &str, blocks: Vec<BlockClaim>) -> Result<NewCdr, String> {
        let now = self.clock.now();
        let row_id = Uuid::now_v7().to_string();
        let content_digest = blocks.first().map(|block| block.digest.clone()).unwrap_or_default();
        Ok(NewCdr {
            row: CdrRow {
                id: row_id.clone(),
                country_code: "ZZ".to_owned(),
                party_id: "FLC".to_owned(),
                cpo_key: "ZZ/FLC".to_owned(),
                cdr_id: cdr_id.to_owned(),
                cdr_key: cdr_id.to_owned(),
                revision: 1,
                emsp_country_code: "ZZ".to_owned(),
                emsp_party_id: "FLO".to_owned(),
                emsp_key: EMSP_KEY.to_owned(),
                cpo_platform: "floor".to_owned(),
                emsp_platform: "floor".to_owned(),
                version: "2.2.1".to_owned(),
                body: std::str::from_utf8(body).map_err(|error| error.to_string())?.to_owned(),
                content_digest,
                received_at: now,
                last_updated: now,
                visible_at: Some(now),
                metering_status: "VERIFIED".to_owned(),
                billable: true,
                delivery: "pending".to_owned(),
                location_id: Uuid::new_v4().to_string(),
                receiver_location: None,
                correlation_id: Uuid::new_v4().to_string(),
                credit_reference: None,
                marker: None,
                first_answer: None,
            },
            report: REPORT.to_owned(),
            checked_at: now,
            blocks,
            frees_blocks_of: None,
            duty: Some(NewDuty {
                id: Uuid::now_v7().to_string(),
                platform_id: "floor".to_owned(),
                kind: "cdr".to_owned(),
                object_id: row_id,
                revision: 1,
                lease_owner: "floor".to_owned(),
                lease_until: now + TimeDelta::seconds(60),
                next_attempt_at: now,
                give_up_at: now + TimeDelta::days(30),
                created_at: now,
            }),
            journal: JournalEntry {
                id: Uuid::now_v7().to_string(),
                at: now,
                correlation_id: Uuid::new_v4().to_string(),
                request_id: Some(Uuid::new_v4().to_string()),
                from_party: Some("ZZ/FLC".to_owned()),
                to_party: Some(EMSP_KEY.to_owned()),
                platform: Some("floor".to_owned()),
                module: "cdrs".to_owned(),
                method: "POST".to_owned(),
                object: Some(format!("ZZ/FLC/{cdr_id}")),
                http_status: None,
                status_code: None,
                outcome: "taken: VERIFIED".to_owned(),
                duration_ms: None,
            },
            replaces_rejected: None,
            // As many names as a CDR of the bench has.
            notice: None,
            traces: Traces {
                evse: Some("ZZFLOE1".to_owned()),
                uid: Some("ZZ/FLO/1".to_owned()),
                meters: vec!["FLOOR1".to_owned()],
                fingerprint: Some(self.fingerprint.clone()),
                began: Some(now),
                ended: Some(now),
                ..Traces::default()
            },
        })
    }

    async fn post(&self, body: web::Bytes) -> Result<(u16, Option<String>), String> {
        let outgoing = Outgoing {
            method: Method::POST,
            url: self.receiver.clone(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Some(body),
            timeout: PATIENCE,
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => Ok((answer.status, answer.header("location").map(str::to_owned))),
            other => Err(other.to_string()),
        }
    }

    async fn settle(
        &self,
        row_id: String,
        duty_id: String,
        http_status: u16,
        receiver_location: Option<String>,
    ) -> Result<(), String> {
        let http_status = i64::from(http_status);
        let settlement = Settlement {
            row_id,
            duty_id,
            duty_revision: 1,
            attempt: AttemptRow {
                id: Uuid::now_v7().to_string(),
                at: self.clock.now(),
                http_status: Some(http_status),
                status_code: Some(1000),
                outcome: "delivered".to_owned(),
            },
            result: Settled::Delivered,
            receiver_location,
            first_answer: Some(FirstAnswer {
                http_status,
                status_code: 1000,
                message: None,
            }),
            journal: None,
        };
        match self.store.cdr_settle(settlement).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the duty was not ours any more".to_owned()),
            Err(error) => Err(with_causes(&error)),
        }
    }
}

/// As large as the verdict on a CDR with two readings.
const REPORT: &str = concat!(
    r#"{"cdr":{"country_code":"ZZ","party_id":"FLC","id":"B-00000000-0000"},"status":"VERIFIED","billable":true,"#,
    r#""checked_at":"2026-01-01T00:00:00.000Z","software":"truewatt 0.1.0","encoding_method":"OCMF","goals":{"#,
    r#""truthfulness":"PASS","integrity":"PASS","authenticity":"PASS","imputability":"PASS","availability":"PASS"},"#,
    r#""key":{"trust":"REGISTERED","fingerprint":"0000000000000000000000000000000000000000000000000000000000000000","#,
    r#""curve":"secp256r1","meter_serial":"TW-BEN-1"},"readings":[{"nature":"Start","time":"2026-01-01T00:00:00Z","#,
    r#""time_status":"SYNCHRONISED","obis":"1-0:1.8.0","value":"1204.317","unit":"kWh"},{"nature":"End","#,
    r#""time":"2026-01-01T00:30:00Z","time_status":"SYNCHRONISED","obis":"1-0:1.8.0","value":"1214.317","unit":"kWh"}],"#,
    r#""signed_energy_kwh":"10.000","cdr_energy_kwh":"10.000","findings":[]}"#
);
