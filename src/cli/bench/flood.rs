//! One platform sends a hundred times what it may, and another goes on as always: what does the other notice?
//!
//! A round has two parts: the quiet one alone, and beside the flood. The flood begins before the second part is measured, so that what a
//! platform may send at once is used up by then. What the flooding platform hears is counted: success as far as its limit goes, and 429
//! with `Retry-After` beyond it, and nothing else ever.
//!
//! Sending a flood and reading its answers takes the same cores that the quiet one waits for. With `--floor` a third part shows how much: the
//! same flood goes to a bare door that answers 429 and does nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::SubsecRound as _;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::door::{Answers, Door};
use super::hub::{a_party, a_run, headers_of, plain, with_ids};
use super::load::{Line, Measured, Shot, percentile_ms};
use super::report::{Books, Report, count, known};
use super::tally::{Tally, number_of};
use super::{Bench, TAKEN};
use crate::cli::NotDone;
use crate::cli::api::table;
use crate::clock::{Clock as _, SystemClock};
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::url;
use crate::sandbox::wire::{self, Connection, Request};
use crate::sandbox::{Draft, Plan, SandboxParty};

/// Requests a second each platform may make, where nothing else is said.
const RATE: u32 = 20;
/// Requests of the quiet platform in each part of a round, where nothing else is said.
const REQUESTS: u32 = 300;
/// The flood is so many times the limit.
const TIMES: u32 = 100;
/// What a platform may send at once: so many seconds' worth (`[limits]`).
const BURST_S: f64 = 5.0;
/// Connections the flood comes by, where nothing else is said.
const CONNECTIONS: u16 = 16;
const ENDPOINT: &str = "/moss/3";
/// How the ids of the flood begin.
const FLOOD: &str = "F-";

/// Runs the rounds.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let rate = bench.arguments.rate.unwrap_or(RATE);
    let requests = bench.arguments.requests.unwrap_or(REQUESTS) as usize;
    let connections = bench.arguments.connections.unwrap_or(CONNECTIONS);
    let limit = rate.to_string();
    let mut hub = bench.hub(&[("LIMITS__PLATFORM_RATE", &limit)]).await?;
    let (quiet, loud, emsp) = (a_party('Q')?, a_party('L')?, a_party('E')?);
    let besides: &[Beside] = match bench.arguments.floor {
        true => &[Beside::Nothing, Beside::FloodElsewhere, Beside::Flood],
        false => &[Beside::Nothing, Beside::Flood],
    };
    let parts = besides.len() * bench.rounds();
    let receiver = Arc::new(Receiver(Tally::new(parts * requests)));
    let door = Door::open(receiver).await;
    let door = door.map_err(|error| NotDone::failed(format!("no receiver: {error}")))?;
    let elsewhere = Door::open(Arc::new(TurnsAway)).await;
    let elsewhere = elsewhere.map_err(|error| NotDone::failed(format!("no bare door: {error}")))?;
    let (bare, _) = plain(&elsewhere.url(ENDPOINT))?;
    let plan = Plan::bare("Bench eMSP", vec![(emsp.clone(), Role::Emsp)]);
    let plan = plan.served_at("sessions", InterfaceRole::Receiver, &door.url(ENDPOINT));
    let _emsp = hub.join(plan).await?;
    let cpo = |party: &PartyId| Plan::bare(party.party_id(), vec![(party.clone(), Role::Cpo)]);
    let quiet_one = hub.join(cpo(&quiet)).await?;
    let loud_one = hub.join(cpo(&loud)).await?;

    let run = a_run();
    let quiet_shots = (0..parts * requests)
        .map(|number| shot(&quiet_one, &quiet, &emsp, &format!("Q-{run}-{number}")))
        .collect::<Result<Vec<(String, Shot)>, NotDone>>()?;
    let (address, loud_shot) = shot(&loud_one, &loud, &emsp, &format!("{FLOOD}{run}"))?;

    // Four fifths of what it may: the quiet one is never at its own limit.
    let pace = f64::from(rate) * 0.8;
    let mut sent = Measured::default();
    let mut measured = Vec::new();
    let mut heard = Heard::default();
    let mut shots = quiet_shots.into_iter().map(|(_, shot)| shot);
    for round in 1..=bench.rounds() {
        for &beside in besides {
            let flood = match beside {
                Beside::Nothing => None,
                Beside::FloodElsewhere => Some(Flood::begin(&bare, &loud_shot, connections, rate).await),
                Beside::Flood => Some(Flood::begin(&address, &loud_shot, connections, rate).await),
            };
            let batch: Vec<Shot> = shots.by_ref().take(requests).collect();
            let mut part = quietly(&address, &batch, pace).await;
            part.latencies.sort_unstable();
            measured.push(Part {
                round,
                beside,
                latencies: part.latencies.clone(),
            });
            sent.add(part);
            let ended = match flood {
                Some(flood) => flood.end(rate).await,
                None => continue,
            };
            if beside == Beside::Flood {
                heard.add(ended);
            }
        }
    }
    hub.leave().await?;
    let tally = &door.answers().0;
    let books = vec![
        Books::of("quiet platform", parts * requests)
            .all("answered", sent.answered)
            .all("received", tally.arrived(0..parts * requests))
            .none("twice", tally.twice(0..parts * requests))
            .refused(sent.first_refusal),
        Books::of("flooding platform", heard.sent)
            .exactly("refused_or_within_its_limit", heard.refused + heard.within, heard.sent)
            .none("beyond_its_limit", heard.beyond)
            .none("otherwise", heard.otherwise)
            .refused(heard.first_other.clone()),
    ];
    Ok(report(bench, rate, &measured, &heard, books))
}

/// What happens while the quiet one is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    FloodElsewhere,
    Flood,
}

impl Beside {
    fn words(self) -> &'static str {
        match self {
            Beside::Nothing => "alone",
            Beside::FloodElsewhere => "beside a flood at a bare door",
            Beside::Flood => "beside the flood",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Beside::Nothing => "nothing",
            Beside::FloodElsewhere => "flood_elsewhere",
            Beside::Flood => "flood",
        }
    }
}

/// One part of a round.
struct Part {
    round: usize,
    beside: Beside,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Part {
    fn ms(&self, percent: usize) -> f64 {
        percentile_ms(&self.latencies, percent)
    }
}

/// Beside the flood over something else, of everything that was sent in all rounds: a machine that was busy in one of them counts for both.
/// `None` where the other part was not measured.
fn ratio(parts: &[Part], over: Beside, percent: usize) -> Option<f64> {
    let of = |beside| {
        let parts = parts.iter().filter(|part| part.beside == beside);
        let mut all: Vec<Duration> = parts.flat_map(|part| part.latencies.iter().copied()).collect();
        all.sort_unstable();
        (!all.is_empty()).then(|| percentile_ms(&all, percent))
    };
    Some(of(Beside::Flood)? / of(over)?.max(f64::EPSILON))
}

fn report(bench: &Bench<'_>, rate: u32, parts: &[Part], heard: &Heard, books: Vec<Books>) -> Report {
    let over = |beside| [50, 99].map(|percent| ratio(parts, beside, percent));
    let ([p50_ratio, p99_ratio], [p50_floor, p99_floor]) = (over(Beside::Nothing), over(Beside::FloodElsewhere));
    let rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            vec![
                part.round.to_string(),
                part.beside.words().to_owned(),
                known(Some(part.ms(50)), 2),
                known(Some(part.ms(99)), 2),
            ]
        })
        .collect();
    let per_second = count(heard.sent) / heard.took.as_secs_f64().max(f64::EPSILON);
    let times = per_second / f64::from(rate);
    let heading = format!(
        "a limit of {rate} requests/s for each platform, {} cores for everybody; the flood was {per_second:.0} requests/s, {times:.0} times that",
        bench.cores()
    );
    let over_floor = match p99_floor {
        Some(_) => format!(
            "; over itself beside a flood at a bare door: p50 {}, p99 {}",
            known(p50_floor, 2),
            known(p99_floor, 2)
        ),
        None => String::new(),
    };
    let said = format!(
        "the quiet platform beside the flood over itself alone, all rounds together: p50 {}, p99 {}{over_floor}\nthe flood: {} sent, {} within its limit, {} refused with 429 and Retry-After",
        known(p50_ratio, 2),
        known(p99_ratio, 2),
        heard.sent,
        heard.within,
        heard.refused
    );
    let mut figures = Map::new();
    let rounds: Vec<Value> = parts
        .iter()
        .map(|part| json!({"round": part.round, "beside": part.beside.word(), "p50_ms": part.ms(50), "p99_ms": part.ms(99)}))
        .collect();
    figures.insert("limit_per_second".to_owned(), json!(rate));
    figures.insert("flood_per_second".to_owned(), json!(per_second));
    figures.insert("rounds".to_owned(), json!(rounds));
    figures.insert("p50_ratio".to_owned(), json!(p50_ratio));
    figures.insert("p99_ratio".to_owned(), json!(p99_ratio));
    figures.insert("p50_over_floor".to_owned(), json!(p50_floor));
    figures.insert("p99_over_floor".to_owned(), json!(p99_floor));
    figures.insert("flood_refused".to_owned(), json!(heard.refused));
    figures.insert("flood_within_its_limit".to_owned(), json!(heard.within));
    bench.note(&mut figures);
    figures.insert(
        "connections".to_owned(),
        json!(bench.arguments.connections.unwrap_or(CONNECTIONS)),
    );
    Report {
        heading,
        sections: vec![table(&["round", "the quiet platform", "p50 ms", "p99 ms"], &rows), said],
        figures,
        books,
    }
}

/// A PUT of a session, and where it goes.
fn shot(platform: &SandboxParty, from: &PartyId, to: &PartyId, id: &str) -> Result<(String, Shot), NotDone> {
    let listed = platform.hub_endpoint("sessions", InterfaceRole::Receiver);
    let listed = listed.map_err(|error| NotDone::failed(error.to_string()))?;
    let owned = [from.country_code(), from.party_id(), id];
    let (address, path) = plain(&url::join(&listed, &owned))?;
    let begun = SystemClock.now().trunc_subsecs(0);
    let body = Draft::session(from, id, "04A1B2C3D4", Some(to), begun).json();
    let headers = with_ids(&headers_of(platform, from, to), id.to_owned());
    let octets = wire::request("PUT", &path, &address, &headers, body.as_bytes());
    let answer = Some(Bytes::from_static(TAKEN.as_bytes()));
    Ok((address, Shot { octets, answer }))
}

/// So many a second, each when it is due, one after the other.
async fn quietly(address: &str, shots: &[Shot], rate: f64) -> Measured {
    let started = Instant::now();
    let mut measured = Measured::default();
    let mut line = Line::to(address);
    for (number, shot) in shots.iter().enumerate() {
        let due = started + Duration::from_secs_f64(count(number) / rate.max(f64::EPSILON));
        tokio::time::sleep_until(due.into()).await;
        measured.enter(line.fire(shot).await);
    }
    measured
}

/// What the flooding platform heard.
#[derive(Default)]
struct Heard {
    sent: usize,
    within: usize,
    refused: usize,
    beyond: usize,
    otherwise: usize,
    first_other: Option<String>,
    took: Duration,
}

impl Heard {
    fn add(&mut self, other: Heard) {
        self.sent += other.sent;
        self.within += other.within;
        self.refused += other.refused;
        self.beyond += other.beyond;
        self.otherwise += other.otherwise;
        self.first_other = self.first_other.take().or(other.first_other);
        self.took += other.took;
    }
}

/// A flood that goes on until it is told to end.
struct Flood {
    started: Instant,
    over: Arc<AtomicBool>,
    lanes: Vec<JoinHandle<Heard>>,
}

impl Flood {
    /// Begins, and returns when the first was refused.
    async fn begin(address: &str, shot: &Shot, connections: u16, rate: u32) -> Flood {
        let over = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let each = f64::from(rate * TIMES) / f64::from(connections.max(1));
        let lanes = (0..connections.max(1)).map(|_| {
            let lane = Lane {
                address: address.to_owned(),
                octets: shot.octets.clone(),
                every: Duration::from_secs_f64(1.0 / each),
                over: over.clone(),
                refused: refused.clone(),
            };
            tokio::spawn(lane.flood())
        });
        let lanes = lanes.collect();
        let flood = Flood { started, over, lanes };
        while refused.load(Ordering::Relaxed) == 0 && started.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        flood
    }

    async fn end(self, rate: u32) -> Heard {
        self.over.store(true, Ordering::Relaxed);
        let mut heard = Heard::default();
        for lane in self.lanes {
            if let Ok(lane) = lane.await {
                heard.add(lane);
            }
        }
        heard.took = self.started.elapsed();
        // A second more than it may: the hub's clock is not ours.
        let may = (BURST_S + 1.0 + heard.took.as_secs_f64()) * f64::from(rate);
        heard.beyond = (0..heard.within).filter(|number| count(*number) >= may).count();
        heard.within -= heard.beyond;
        heard
    }
}

/// One connection of the flood.
struct Lane {
    address: String,
    octets: Vec<u8>,
    every: Duration,
    over: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Lane {
    async fn flood(self) -> Heard {
        let mut heard = Heard::default();
        let mut connection = None;
        let mut due = tokio::time::interval(self.every);
        while !self.over.load(Ordering::Relaxed) {
            due.tick().await;
            let said = self.ask(&mut connection).await;
            heard.sent += 1;
            match said {
                Ok(Answer::Within) => heard.within += 1,
                Ok(Answer::Refused) => {
                    heard.refused += 1;
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(other) => {
                    heard.otherwise += 1;
                    heard.first_other.get_or_insert(other);
                }
            }
        }
        heard
    }

    async fn ask(&self, kept: &mut Option<Connection>) -> Result<Answer, String> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::new(
                TcpStream::connect(&self.address)
                    .await
                    .map_err(|error| error.to_string())?,
            ),
        };
        connection
            .write(&self.octets)
            .await
            .map_err(|error| error.to_string())?;
        let answer = connection.read_response().await.map_err(|error| error.to_string())?;
        if answer
            .header("connection")
            .is_none_or(|word| !word.eq_ignore_ascii_case("close"))
        {
            *kept = Some(connection);
        }
        match answer.status {
            200..300 => Ok(Answer::Within),
            429 if answer.header("retry-after").is_some() => Ok(Answer::Refused),
            status => Err(format!("HTTP {status}")),
        }
    }
}

enum Answer {
    Within,
    Refused,
}

/// The bare door: as the hub answers who asks too often, and nothing behind it.
struct TurnsAway;

impl Answers for TurnsAway {
    async fn answer(&self, _request: Request) -> Vec<u8> {
        let headers = [("retry-after", "1"), ("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        wire::response(429, &headers, TURNED_AWAY.as_bytes())
    }
}

/// As long as the hub's own answer.
const TURNED_AWAY: &str = r#"{"status_code":2000,"status_message":"too many requests from this platform: come back after 1 s","timestamp":"2026-01-01T10:00:00Z"}"#;

/// Takes everything; counts what the quiet one sent.
struct Receiver(Tally);

impl Answers for Receiver {
    async fn answer(&self, request: Request) -> Vec<u8> {
        let id = request.header("x-correlation-id").unwrap_or_default();
        if !id.starts_with(FLOOD) {
            self.0.arrive(number_of(id));
        }
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        wire::response(200, &headers, TAKEN.as_bytes())
    }
}
