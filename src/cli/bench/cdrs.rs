//! CDRs with real signatures from end to end: sent = answered = stored = delivered, none twice.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::door::{Answers, Door};
use super::floor::Floor;
use super::hub::{Hub, a_party, a_run, headers_of, plain, with_ids};
use super::load::Shot;
use super::report::{Books, Report};
use super::rounds::{Batches, Rounds, Sent, WARM_UP, one_round};
use super::tally::{Tally, number_of};
use super::{Bench, database_word};
use crate::cli::NotDone;
use crate::clock::{Clock, SystemClock};
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::time;
use crate::sandbox::wire::{self, Request};
use crate::sandbox::{CdrDraft, Charge, Plan, SandboxCpo, SandboxMeter, SandboxParty};

/// CDRs per round, where nothing else is said.
const CDRS: u32 = 4000;

/// Runs the rounds.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let cdrs = bench.arguments.cdrs.unwrap_or(CDRS) as usize;
    let (rounds, connections) = (bench.rounds(), bench.connections());
    let per_target = WARM_UP + rounds * cdrs;
    let targets = if bench.arguments.floor { 2 } else { 1 };
    let receiver = Door::open(Arc::new(Receiver(Tally::new(per_target * targets)))).await;
    let receiver = receiver.map_err(|error| NotDone::failed(format!("no receiver: {error}")))?;
    let receiver_url = receiver.url("/cdrs");

    let sides = Sides::admit(bench.hub(&[]).await?, &receiver_url).await?;
    let (hub_address, hub_path) = sides.target()?;
    let meter = &sides.cpo.meter;
    let hub_shots = sides.shots(0..per_target, &hub_address, &hub_path);
    let mut hub_batches = Batches::new(hub_shots, cdrs);

    let mut floor = match bench.arguments.floor {
        false => None,
        true => {
            let (database, key) = (bench.database("floor.db"), meter.public_key());
            let more = ["--database", &database, "--public-key", &key];
            let floor = Floor::lay(bench.directory, "cdrs", &receiver_url, &more).await?;
            let shots = sides.shots(per_target..2 * per_target, &floor.address, "/cdrs");
            Some((floor, Batches::new(shots, cdrs)))
        }
    };

    let (mut hub_sent, mut floor_sent) = (Sent::default(), Sent::default());
    let mut measured = Vec::new();
    for round in 0..=rounds {
        // Floor first, hub second, floor again: whatever slows the machine meets both.
        if let Some((floor, batches)) = &mut floor {
            let usage = || floor.usage();
            let one = one_round("floor", round, &floor.address, batches.take(), connections, usage).await;
            measured.extend(floor_sent.enter(one));
        }
        let usage = || sides.hub.usage();
        let one = one_round("hub", round, &hub_address, hub_batches.take(), connections, usage).await;
        measured.extend(hub_sent.enter(one));
    }

    let kept = sides.books(hub_sent.answered).await?;
    let tally = &receiver.answers().0;
    let hub_books = Books::of("hub", per_target)
        .all("answered", hub_sent.answered)
        .all("stored", kept.stored)
        .all("delivered", tally.arrived(0..per_target).min(kept.delivered))
        .none("twice", kept.stored_twice + tally.twice(0..per_target))
        .none("strangers", tally.strangers())
        .refused(hub_sent.first_refusal);
    let mut books = vec![hub_books];
    if let Some((floor, _)) = &floor {
        let numbers = per_target..2 * per_target;
        let floor_books = Books::of("floor", per_target)
            .all("answered", floor_sent.answered)
            .all("stored", stored(floor).await?)
            .all("delivered", tally.arrived(numbers.clone()))
            .none("twice", tally.twice(numbers))
            .refused(floor_sent.first_refusal);
        books.push(floor_books);
    }
    sides.hub.leave().await?;

    let rounds = Rounds {
        unit: "CDR",
        rounds: measured,
    };
    let database = database_word(bench.arguments);
    let mut figures = rounds.figures();
    figures.insert("cdrs".to_owned(), json!(cdrs));
    bench.note(&mut figures);
    Ok(Report {
        heading: format!(
            "{cdrs} CDRs per round with two secp256r1 signatures each, {connections} connections, database {database}, {} cores for \
             everybody",
            bench.cores()
        ),
        sections: vec![rounds.table()],
        figures,
        books,
    })
}

async fn stored(floor: &Floor) -> Result<usize, NotDone> {
    let said = floor.get("/stored").await.map_err(NotDone::failed)?;
    said.parse()
        .map_err(|_| NotDone::failed(format!("the floor cannot count: {said}")))
}

/// Takes CDRs, counts each id, says 1000.
struct Receiver(Tally);

impl Answers for Receiver {
    async fn answer(&self, request: Request) -> Vec<u8> {
        self.0.arrive(number_in(&request.body));
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("location".to_owned(), "http://127.0.0.1/kept".to_owned()),
        ];
        wire::response(201, &headers, super::TAKEN.as_bytes())
    }
}

/// The number at the end of the id: the first member `id` of a CDR as this bench writes it, `…-123`.
fn number_in(body: &[u8]) -> Option<usize> {
    const MEMBER: &[u8] = b"\"id\":\"";
    let start = body.windows(MEMBER.len()).position(|window| window == MEMBER)? + MEMBER.len();
    let id = body.get(start..)?.split(|octet| *octet == b'"').next()?;
    number_of(std::str::from_utf8(id).ok()?)
}

/// The operator who sends, the provider who pays, and the hub between them.
struct Sides {
    hub: Hub,
    cpo: SandboxCpo,
    emsp: PartyId,
    _emsp_platform: SandboxParty,
    since: String,
}

/// What the hub says it did.
struct HubBooks {
    /// CDRs it keeps for the provider of this run.
    stored: usize,
    /// Ids it keeps more than once.
    stored_twice: usize,
    /// Those whose delivery word is `delivered`.
    delivered: usize,
}

impl Sides {
    async fn admit(mut hub: Hub, receiver: &str) -> Result<Sides, NotDone> {
        let (sender, payer) = (a_party('C')?, a_party('E')?);
        let cpo = SandboxCpo::start("Bench CPO", sender, SystemClock::shared()).await;
        let cpo = cpo.map_err(|error| NotDone::failed(error.to_string()))?;
        hub.admit(&cpo.platform).await?;
        let plan = Plan::bare("Bench eMSP", vec![(payer.clone(), Role::Emsp)]);
        let platform = hub
            .join(plan.served_at("cdrs", InterfaceRole::Receiver, receiver))
            .await?;
        let now = SystemClock.now();
        let key = json!({
            "public_key": cpo.meter.public_key(), "meter_serial": cpo.meter.serial(), "evse_id": cpo.meter.evse_id(),
            "cpo": {"country_code": cpo.party.country_code(), "party_id": cpo.party.party_id()},
            "valid_from": time::write(now - TimeDelta::days(365)), "calibrated": true,
        });
        hub.api.post("/operator/v1/keys", Some(key)).await?;
        Ok(Sides {
            hub,
            cpo,
            emsp: payer,
            _emsp_platform: platform,
            since: time::write(now),
        })
    }

    /// Where CDRs are posted: host and port, path with query.
    fn target(&self) -> Result<(String, String), NotDone> {
        let url = self.cpo.platform.hub_endpoint("cdrs", InterfaceRole::Receiver);
        plain(&url.map_err(|error| NotDone::failed(error.to_string()))?)
    }

    /// Makes and signs the CDRs with these numbers, as whole requests. On a thread of its own: it is pure arithmetic.
    fn shots(&self, numbers: Range<usize>, address: &str, path: &str) -> Vec<Shot> {
        let run = a_run();
        let headers = headers_of(&self.cpo.platform, &self.cpo.party, &self.emsp);
        tokio::task::block_in_place(|| {
            numbers
                .map(|number| {
                    let id = format!("B-{run}-{number}");
                    let body = cdr(&self.cpo.meter, &self.cpo.party, &self.emsp, &id, number).json();
                    let headers = with_ids(&headers, uuid::Uuid::new_v4().to_string());
                    Shot::plain(wire::request("POST", path, address, &headers, body.as_bytes()))
                })
                .collect()
        })
    }

    /// Reads the hub's books for the provider of this run, until `expected` are delivered or ten seconds have passed.
    async fn books(&self, expected: usize) -> Result<HubBooks, NotDone> {
        let path = format!("/operator/v1/cdrs?emsp={}&from={}", self.emsp, self.since);
        let started = Instant::now();
        loop {
            let items = self.hub.api.all(&path).await?;
            let member =
                |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let ids: HashSet<String> = items.iter().map(|item| member(item, "id")).collect();
            let delivered = items.iter().filter(|item| member(item, "delivery") == "delivered");
            let books = HubBooks {
                stored: items.len(),
                stored_twice: items.len() - ids.len(),
                delivered: delivered.count(),
            };
            if books.delivered >= expected || started.elapsed() > Duration::from_secs(10) {
                return Ok(books);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A CDR of half an hour and about ten kilowatt-hours; no two have the same readings.
fn cdr(meter: &SandboxMeter, cpo: &PartyId, emsp: &PartyId, id: &str, number: usize) -> CdrDraft {
    let end = SystemClock.now().trunc_subsecs(0) - TimeDelta::minutes(1);
    let charge = Charge {
        start: end - TimeDelta::minutes(30),
        end,
        energy_kwh: Decimal::new(10_000 + i64::try_from(number % 5_000).unwrap_or_default(), 3),
        identification: "04A1B2C3D4".to_owned(),
    };
    let mut draft = CdrDraft::of(cpo.clone(), emsp.clone(), id, meter.evse_id(), &charge);
    draft.meter_id = Some(meter.serial().to_owned());
    draft.signed(meter.pair(&charge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_from_the_cdrs_own_id() {
        let body = br#"{"country_code":"DE","party_id":"BEN","id":"B-7f-42","cdr_token":{"uid":"x-1","id":"y-2"}}"#;
        assert_eq!(number_in(body), Some(42));
        assert_eq!(number_in(br#"{"party_id":"BEN-1"}"#), None);
    }
}
