//! One location to everybody: what the sender waits, how many deliveries a second are reached, and what two receivers out of order, one
//! that never answers and one that refuses every connection, cost all the others.
//!
//! A round has three parts. The *burst* is sent as fast as it is answered: it finds how many deliveries a second are possible. The two
//! others are sent at a rate of which that is three times as much, because in a queue that only grows every latency is the queue: once
//! with all receivers in order, once with those two out of it.
//!
//! The hub is told to believe in all of them to the end. Else it would stop calling the two after a few failures, and nothing would
//! be measured. Start with [`measure`].

pub mod audience;
pub mod pace;
pub mod record;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{SubsecRound, TimeDelta};
use serde_json::{Value, json};

use super::hub::{Hub, a_party, a_run, headers_of, plain, with_ids};
use super::load::{Measured, Shot, percentile_ms};
use super::report::{Books, Report, count, known, median, megabytes};
use super::rounds::cpu_us;
use super::template::{HOLE, Template};
use super::{Bench, database_word};
use crate::cli::NotDone;
use crate::cli::api::table;
use crate::clock::{Clock, SystemClock};
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::{time, url};
use crate::sandbox::{Draft, Plan, SandboxError, SandboxParty, wire};

use audience::Audience;
use record::Record;

/// Pushes in each part of a round, where nothing else is said.
const PUSHES: u32 = 500;
/// Receivers, where nothing else is said.
const RECEIVERS: u16 = 100;
/// So many locations are pushed again and again.
const LOCATIONS: usize = 50;
/// The parts of a round.
const PARTS: [&str; 3] = ["burst", "all good", "two bad"];
/// So many receivers get out of order.
const TROUBLED: usize = 2;
/// Where locations are received: nobody can guess it, and it has a query of its own (U-01, U-04).
const ENDPOINT: &str = "/moss/2";
const QUERY: &str = "tenant=7";
/// Nothing has come for so long: nothing more will.
const QUIET: Duration = Duration::from_secs(5);

/// Runs the rounds.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let pushes = bench.arguments.pushes.unwrap_or(PUSHES) as usize;
    let receivers = usize::from(bench.arguments.receivers.unwrap_or(RECEIVERS));
    let parts = bench.rounds() * PARTS.len();
    let mut hub = bench.hub(&[("PRESENCE__FAILURES_UNTIL_OFFLINE", "1000")]).await?;

    let owner = a_party('C')?;
    let record = Arc::new(Record::new(
        bodies(&owner, LOCATIONS + parts * pushes),
        LOCATIONS,
        receivers,
    ));
    let cpo = hub
        .join(Plan::bare("Bench CPO", vec![(owner.clone(), Role::Cpo)]))
        .await?;
    let hub_party = cpo.hub_party();
    let hub_party = hub_party.ok_or_else(|| NotDone::failed("the hub names no party with the role HUB"))?;
    let mut audience = Audience::gather(&mut hub, (&owner, &hub_party), &record, receivers).await?;
    let (address, shots) = shots(&cpo, &owner, &hub_party, &record)?;
    let sender = Sender {
        address,
        shots: Arc::new(shots),
        lanes: bench.connections(),
        record: Arc::clone(&record),
    };

    let mut sent = Measured::default();
    sender.send(0..LOCATIONS, None, &mut sent).await;
    record.settle(0..LOCATIONS, QUIET).await;
    let mut measured = Vec::new();
    let mut next = LOCATIONS;
    for round in 1..=bench.rounds() {
        let mut rate = f64::from(bench.arguments.rate.unwrap_or(1));
        for part in PARTS {
            let pace = (part != "burst").then_some(rate);
            if part == "two bad" {
                audience.get_out_of_order().await?;
            }
            let numbers = next..next + pushes;
            next = numbers.end;
            let one = sender.part(round, part, numbers, pace, &hub, &mut sent).await;
            if part == "burst" && bench.arguments.rate.is_none() {
                rate = (one.deliveries_per_second / count(receivers) / 3.0).max(1.0);
            }
            measured.push(one);
        }
        audience.get_well().await?;
    }
    let usage = hub.usage();
    hub.leave().await?;

    let books = Books::of("hub", next)
        .all("answered", sent.answered)
        .exactly("newest_held", record.newest_held(), record.others() * LOCATIONS)
        .none("reversed", record.reversed())
        .none("twice", record.twice())
        .none("strangers", record.wrong.strangers())
        .none("spoilt", record.wrong.spoilt())
        .refused(sent.first_refusal.or(record.wrong.first_spoilt()));
    let found = Found {
        pushes,
        receivers,
        delivered: record.delivered(),
        wanted: next * record.others(),
        peak_rss_kb: usage.map(|usage| usage.peak_rss_kb),
        parts: measured,
    };
    Ok(found.report(bench, books))
}

/// What is pushed: location after location, and again with a later `last_updated`.
fn bodies(owner: &PartyId, pushes: usize) -> Vec<Bytes> {
    let begun = SystemClock.now().trunc_subsecs(0) - TimeDelta::hours(1);
    let draft = Draft::location(owner, HOLE, begun)
        .text("name", HOLE)
        .text("last_updated", HOLE);
    let template = Template::of(&draft);
    let body = |number: usize| {
        let at = begun + TimeDelta::milliseconds(i64::try_from(number).unwrap_or_default());
        let (id, name) = (id(number), format!("Push {number}"));
        Bytes::from(template.fill(&[&id, &name, &time::write(at)]))
    };
    (0..pushes).map(body).collect()
}

/// The id of the location that this push is about.
fn id(number: usize) -> String {
    format!("L-{}", number % LOCATIONS)
}

/// Every push as a whole request, and where they go.
fn shots(cpo: &SandboxParty, owner: &PartyId, hub: &PartyId, record: &Record) -> Result<(String, Vec<Shot>), NotDone> {
    let failed = |error: SandboxError| NotDone::failed(error.to_string());
    let listed = cpo.hub_endpoint("locations", InterfaceRole::Receiver).map_err(failed)?;
    let headers = headers_of(cpo, owner, hub);
    let run = a_run();
    let shot = |(number, body): (usize, &Bytes)| {
        let owned = [owner.country_code(), owner.party_id(), &id(number)];
        let (address, path) = plain(&url::join(&listed, &owned))?;
        let headers = with_ids(&headers, format!("B-{run}-{number}"));
        Ok(Shot::plain(wire::request("PUT", &path, &address, &headers, body)))
    };
    let shots: Result<Vec<Shot>, NotDone> = record.bodies().iter().enumerate().map(shot).collect();
    Ok((plain(&listed)?.0, shots?))
}

/// Who pushes.
struct Sender {
    address: String,
    shots: Arc<Vec<Shot>>,
    lanes: usize,
    record: Arc<Record>,
}

impl Sender {
    /// Sends these pushes; enters what was heard, and returns how long each answer took, sorted.
    async fn send(&self, numbers: Range<usize>, pace: Option<f64>, sent: &mut Measured) -> Measured {
        let measured = pace::send(&self.address, &self.shots, numbers, self.lanes, pace, &self.record).await;
        sent.add(Measured {
            latencies: Vec::new(),
            ..measured.clone()
        });
        measured
    }

    async fn part(
        &self,
        round: usize,
        what: &'static str,
        numbers: Range<usize>,
        pace: Option<f64>,
        hub: &Hub,
        sent: &mut Measured,
    ) -> Part {
        let (before, delivered, begun) = (hub.usage(), self.record.arrivals(), Instant::now());
        let measured = self.send(numbers.clone(), pace, sent).await;
        let last = self.record.settle(numbers.clone(), QUIET).await;
        let after = hub.usage();
        let deliveries = self.record.arrivals() - delivered;
        let latencies = self.record.latencies(numbers);
        Part {
            round,
            what,
            pushes_per_second: measured.rate(),
            answer_p50_ms: percentile_ms(&measured.latencies, 50),
            answer_p99_ms: percentile_ms(&measured.latencies, 99),
            deliveries_per_second: count(deliveries) / last.duration_since(begun).as_secs_f64().max(f64::EPSILON),
            delivery_p50_ms: percentile_ms(&latencies, 50),
            delivery_p99_ms: percentile_ms(&latencies, 99),
            cpu_us: cpu_us(before, after, deliveries),
            rss_kb: after.map(|usage| usage.rss_kb),
        }
    }
}

/// One part of a round.
struct Part {
    round: usize,
    what: &'static str,
    pushes_per_second: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    deliveries_per_second: f64,
    delivery_p50_ms: f64,
    delivery_p99_ms: f64,
    cpu_us: Option<f64>,
    rss_kb: Option<u64>,
}

/// Everything that was measured.
struct Found {
    pushes: usize,
    receivers: usize,
    delivered: usize,
    wanted: usize,
    peak_rss_kb: Option<u64>,
    parts: Vec<Part>,
}

impl Found {
    fn median(&self, what: &str, figure: impl Fn(&Part) -> f64) -> Option<f64> {
        median(self.parts.iter().filter(|part| part.what == what).map(figure))
    }

    /// How many times as long it takes with two receivers out of order.
    fn ratio(&self, figure: impl Fn(&Part) -> f64) -> Option<f64> {
        let (good, bad) = (self.median("all good", &figure)?, self.median("two bad", &figure)?);
        Some(bad / good.max(f64::EPSILON))
    }

    fn report(self, bench: &Bench<'_>, books: Books) -> Report {
        let rows = self.parts.iter().map(|part| {
            vec![
                part.round.to_string(),
                part.what.to_owned(),
                format!("{:.0}", part.pushes_per_second),
                format!("{:.1}", part.answer_p50_ms),
                format!("{:.1}", part.answer_p99_ms),
                format!("{:.0}", part.deliveries_per_second),
                format!("{:.1}", part.delivery_p50_ms),
                format!("{:.1}", part.delivery_p99_ms),
                known(part.cpu_us, 0),
                megabytes(part.rss_kb),
            ]
        });
        let heads = [
            "round",
            "what",
            "PUT/s",
            "answer p50 ms",
            "p99 ms",
            "deliveries/s",
            "delivery p50 ms",
            "p99 ms",
            "CPU µs/delivery",
            "RSS MB",
        ];
        let rows: Vec<Vec<String>> = rows.collect();
        let reached = self.median("burst", |part| part.deliveries_per_second);
        let (p50, p99) = (
            self.ratio(|part| part.answer_p50_ms),
            self.ratio(|part| part.answer_p99_ms),
        );
        let delivery = self.ratio(|part| part.delivery_p99_ms);
        let change = delivery.map(|ratio| (ratio - 1.0) * 100.0);
        let sentences = format!(
            "deliveries per second reached: {}\nthe sender's answer with two bad receivers, over all good: p50 {}, p99 {}\n\
             p99 delivery to the other {} with two bad receivers: {} %\nstates delivered to them: {} of {}{}",
            known(reached, 0),
            known(p50, 2),
            known(p99, 2),
            self.receivers - TROUBLED,
            change.map_or("-".to_owned(), |change| format!("{change:+.0}")),
            self.delivered,
            self.wanted,
            if self.delivered < self.wanted {
                ", the rest replaced by newer ones"
            } else {
                ""
            },
        );
        let mut figures = serde_json::Map::new();
        for (name, figure) in [
            ("pushes", json!(self.pushes)),
            ("receivers", json!(self.receivers)),
            ("parts", self.parts.iter().map(Part::json).collect()),
            ("deliveries_per_second", json!(reached)),
            ("answer_p50_ratio", json!(p50)),
            ("answer_p99_ratio", json!(p99)),
            ("delivery_p99_change_percent", json!(change)),
            ("delivered", json!(self.delivered)),
            ("peak_rss_kb", json!(self.peak_rss_kb)),
        ] {
            figures.insert(name.to_owned(), figure);
        }
        bench.note(&mut figures);
        Report {
            heading: format!(
                "{} pushes of one of {LOCATIONS} locations in each part, {} receivers, {} connections, database {}, {} cores for everybody",
                self.pushes,
                self.receivers,
                bench.connections(),
                database_word(bench.arguments),
                bench.cores()
            ),
            sections: vec![table(&heads, &rows), sentences],
            figures,
            books: vec![books],
        }
    }
}

impl Part {
    fn json(&self) -> Value {
        json!({
            "round": self.round, "what": self.what, "pushes_per_second": self.pushes_per_second,
            "answer_p50_ms": self.answer_p50_ms, "answer_p99_ms": self.answer_p99_ms,
            "deliveries_per_second": self.deliveries_per_second, "delivery_p50_ms": self.delivery_p50_ms,
            "delivery_p99_ms": self.delivery_p99_ms, "cpu_us_per_delivery": self.cpu_us, "rss_kb": self.rss_kb,
        })
    }
}
