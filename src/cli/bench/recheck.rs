//! Second looks after one registration changes: are only the CDRs it is about touched, and how long does it take among many others?
//!
//! The CDRs are put into the hub's database by the functions the hub itself uses, each judged with a registry that knows nothing; every meter
//! has as many. Then the key of one meter is registered over the operator API, once per round, and the hub is watched until it has followed.

use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::hub::{Hub, a_party, a_run};
use super::report::{Books, Report, count, known, median};
use super::{Bench, database_word};
use crate::cli::api::table;
use crate::cli::{NotDone, with_causes};
use crate::clock::{Clock, SystemClock};
use crate::evidence::assess::{Assessment, KeyKnowledge, Policy, assess};
use crate::evidence::report::{Check, Occasion, document};
use crate::evidence::traces;
use crate::metering::key::Curve;
use crate::ocpi::ids::{PartyId, fold};
use crate::ocpi::time;
use crate::sandbox::{CdrDraft, Charge, SandboxMeter};
use crate::store::evidence::{BlockClaim, CdrRow, NewCdr, Taken};
use crate::store::journal::JournalEntry;
use crate::store::{Store, StoreError};

/// CDRs, where nothing else is said.
const CDRS: u32 = 100_000;

/// CDRs of one meter.
const OF_A_METER: usize = 100;

/// Longer than any second look at a hundred CDRs; only a hub that does not follow waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Fills the database and registers one key per round.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let cdrs = bench.arguments.cdrs.unwrap_or(CDRS) as usize;
    let meters = (cdrs / OF_A_METER).max(bench.rounds());
    let hub = bench.hub(&[]).await?;
    let town = Town::build(meters)?;
    let filling = Instant::now();
    town.fill(&bench.database("hub.db"), cdrs).await?;
    let filling = filling.elapsed();

    let mut rounds = Vec::new();
    for number in 0..bench.rounds() {
        rounds.push(town.register(&hub, number).await?);
    }
    let verified = town.count(&hub, "VERIFIED").await?;
    let others = town.count(&hub, "INTEGRITY_ONLY").await?;
    let affected: usize = (0..bench.rounds()).map(|number| town.cdrs_of(number, cdrs)).sum();
    let looked_at: u64 = rounds.iter().map(|round| round.looked_at).sum();
    let changed: u64 = rounds.iter().map(|round| round.changed).sum();
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let books = Books::of("hub", affected)
        .all("looked_at", number(looked_at))
        .all("changed", number(changed))
        .all("verified", verified)
        .exactly("untouched", others, cdrs - affected);

    let took = median(rounds.iter().map(|round| round.took.as_secs_f64() * 1000.0));
    let each = median(
        rounds
            .iter()
            .map(|round| round.took.as_secs_f64() * 1000.0 / count(number(round.looked_at)).max(1.0)),
    );
    let rows: Vec<Vec<String>> = rounds
        .iter()
        .enumerate()
        .map(|(number, round)| {
            vec![
                (number + 1).to_string(),
                round.looked_at.to_string(),
                round.changed.to_string(),
                known(Some(round.took.as_secs_f64() * 1000.0), 0),
            ]
        })
        .collect();
    let mut figures = serde_json::Map::new();
    figures.insert("cdrs".to_owned(), json!(cdrs));
    figures.insert("filling_s".to_owned(), json!(filling.as_secs_f64()));
    figures.insert("median_ms".to_owned(), json!(took));
    figures.insert("median_ms_per_cdr".to_owned(), json!(each));
    bench.note(&mut figures);
    Ok(Report {
        heading: format!(
            "one key registered among {cdrs} CDRs of {meters} meters, database {}, {} cores for everybody",
            database_word(bench.arguments),
            bench.cores()
        ),
        sections: vec![
            table(&["ROUND", "LOOKED AT", "CHANGED", "MS UNTIL DONE"], &rows),
            format!(
                "from the answer to the registration until the last CDR had its verdict: {} ms, {} ms each (the hub looks once a second)",
                known(took, 0),
                known(each, 2)
            ),
        ],
        figures,
        books: vec![books],
    })
}

/// Meters, each at a place of its own, of one operator, all paid by one provider.
struct Town {
    cpo: PartyId,
    emsp: PartyId,
    meters: Vec<SandboxMeter>,
    run: String,
}

struct Round {
    looked_at: u64,
    changed: u64,
    took: Duration,
}

impl Town {
    fn build(meters: usize) -> Result<Town, NotDone> {
        let (cpo, emsp, run) = (a_party('C')?, a_party('E')?, a_run());
        let meter = |number: usize| {
            let (serial, evse) = (
                format!("1TWB{run}{number}"),
                format!("{}*{}*E{number}", cpo.country_code(), cpo.party_id()),
            );
            let made = SandboxMeter::from_seed(&serial, &evse, Curve::Secp256r1, serial.as_bytes());
            made.map_err(|error| NotDone::failed(error.to_string()))
        };
        Ok(Town {
            meters: (0..meters).map(meter).collect::<Result<_, _>>()?,
            cpo,
            emsp,
            run,
        })
    }

    /// How many CDRs a meter has.
    fn cdrs_of(&self, meter: usize, cdrs: usize) -> usize {
        (0..cdrs).filter(|number| number % self.meters.len() == meter).count()
    }

    async fn fill(&self, database: &str, cdrs: usize) -> Result<(), NotDone> {
        let failed = |error: StoreError| NotDone::failed(with_causes(&error));
        let store = Store::open(database).await.map_err(failed)?;
        let mut next = 0;
        while next < cdrs {
            let numbers = next..(next + 200).min(cdrs);
            next = numbers.end;
            let made: Result<Vec<NewCdr>, NotDone> =
                tokio::task::block_in_place(|| numbers.map(|number| self.cdr(number)).collect());
            let takes = made?.into_iter().map(|new| store.cdr_take(new));
            for taken in futures_util::future::join_all(takes).await {
                if taken.map_err(failed)? != Taken::New {
                    return Err(NotDone::failed("the database already has what this run brings"));
                }
            }
        }
        store.close().await;
        Ok(())
    }

    /// What the hub makes of a CDR whose meter it does not know and whose receiver only pulls.
    fn cdr(&self, number: usize) -> Result<NewCdr, NotDone> {
        let meter = self.meters.get(number % self.meters.len());
        let meter = meter.ok_or_else(|| NotDone::failed("a CDR without a meter"))?;
        let session = i64::try_from(number / self.meters.len()).unwrap_or_default();
        let now = SystemClock.now();
        let start = now.trunc_subsecs(0) - TimeDelta::days(30) + TimeDelta::hours(session);
        let charge = Charge {
            start,
            end: start + TimeDelta::minutes(30),
            energy_kwh: Decimal::new(10_000 + session, 3),
            identification: "04A1B2C3D4".to_owned(),
        };
        let id = format!("R-{}-{number}", self.run);
        let mut draft = CdrDraft::of(self.cpo.clone(), self.emsp.clone(), &id, meter.evse_id(), &charge);
        draft.meter_id = Some(meter.serial().to_owned());
        let body = draft.signed(meter.pair(&charge)).json();
        let assessment: Assessment = assess(body.as_bytes(), |_| KeyKnowledge::default(), &Policy::default())
            .map_err(|error| NotDone::failed(error.to_string()))?;
        let verdict = assessment.verdict(&[]);
        let check = Check {
            at: now,
            by: "ZZ/BEN".to_owned(),
            occasion: Occasion::Received,
        };
        let correlation_id = Uuid::new_v4().to_string();
        Ok(NewCdr {
            report: document(&verdict, &check),
            checked_at: now,
            blocks: assessment
                .blocks()
                .into_iter()
                .map(|block| BlockClaim {
                    digest: block.digest,
                    fingerprint: block.fingerprint,
                })
                .collect(),
            frees_blocks_of: None,
            duty: None,
            journal: JournalEntry {
                id: Uuid::now_v7().to_string(),
                at: now,
                correlation_id: correlation_id.clone(),
                request_id: None,
                from_party: Some(self.cpo.key()),
                to_party: Some(self.emsp.key()),
                platform: None,
                module: "cdrs".to_owned(),
                method: "POST".to_owned(),
                object: None,
                http_status: Some(201),
                status_code: Some(1000),
                outcome: "taken".to_owned(),
                duration_ms: None,
            },
            replaces_rejected: None,
            traces: traces::of(assessment.question()),
            row: CdrRow {
                id: Uuid::now_v7().to_string(),
                country_code: self.cpo.country_code().to_owned(),
                party_id: self.cpo.party_id().to_owned(),
                cpo_key: self.cpo.key(),
                cdr_key: fold(&id),
                cdr_id: id,
                revision: 1,
                emsp_country_code: self.emsp.country_code().to_owned(),
                emsp_party_id: self.emsp.party_id().to_owned(),
                emsp_key: self.emsp.key(),
                cpo_platform: "bench".to_owned(),
                emsp_platform: "bench".to_owned(),
                version: "2.2.1".to_owned(),
                content_digest: Uuid::new_v4().simple().to_string(),
                body,
                received_at: now,
                last_updated: now,
                visible_at: Some(now),
                metering_status: verdict.status.as_str().to_owned(),
                billable: verdict.billable,
                delivery: "available".to_owned(),
                location_id: Uuid::new_v4().simple().to_string(),
                receiver_location: None,
                correlation_id,
                credit_reference: None,
                marker: None,
                first_answer: None,
            },
        })
    }

    async fn register(&self, hub: &Hub, number: usize) -> Result<Round, NotDone> {
        let meter = self.meters.get(number);
        let meter = meter.ok_or_else(|| NotDone::usage("there are not so many meters as rounds"))?;
        let key = json!({
            "public_key": meter.public_key(), "meter_serial": meter.serial(), "evse_id": meter.evse_id(),
            "cpo": {"country_code": self.cpo.country_code(), "party_id": self.cpo.party_id()},
            "valid_from": time::write(SystemClock.now() - TimeDelta::days(365)), "calibrated": true,
        });
        let registered = hub.api.post("/operator/v1/keys", Some(key)).await?;
        let id = registered.get("id").cloned().unwrap_or_default();
        let started = Instant::now();
        loop {
            let standing = hub.api.get("/operator/v1/rechecks").await?;
            let changes = standing
                .get("changes")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let ours = changes.iter().find(|change| change.get("registration") == Some(&id));
            if let Some(ours) = ours.filter(|change| change.get("state") != Some(&json!("running"))) {
                let counted = |name: &str| ours.get(name).and_then(Value::as_u64).unwrap_or_default();
                return Ok(Round {
                    looked_at: counted("looked_at"),
                    changed: counted("changed"),
                    took: started.elapsed(),
                });
            }
            if started.elapsed() > PATIENCE {
                return Err(NotDone::failed(format!("the hub did not follow: {standing}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// CDRs of this run with that status, by the operator's list.
    async fn count(&self, hub: &Hub, status: &str) -> Result<usize, NotDone> {
        let path = format!("/operator/v1/cdrs?emsp={}&metering_status={status}", self.emsp.key());
        Ok(hub.api.all(&path).await?.len())
    }
}
