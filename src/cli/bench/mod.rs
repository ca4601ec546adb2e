//! `truewatt bench`: CDRs with real signatures through a real hub, and whether the books balance afterwards.
//!
//! The hub is a child process of the same binary, so that what it costs can be read from `/proc`; load generator and receiver live here
//! and cost as little as they can. Everything is made and signed before the clock starts. With `--floor` the bare path ([`floor`]) runs
//! beside the hub, round by round in turn: a busy machine then slows both, and the ratio of the two stays worth reading.
//!
//! A rate is worth nothing if something got lost: whatever was sent must be answered, stored once and delivered once, or the exit code
//! says no. Start with `run`.

pub mod floor;
pub mod hub;
pub mod load;
pub mod process;
pub mod receiver;
pub mod report;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta};
use rust_decimal::Decimal;

use crate::cli::NotDone;
use crate::clock::{Clock, SystemClock};
use crate::config::Secret;
use crate::ocpi::ids::PartyId;
use crate::sandbox::wire;
use crate::sandbox::{CdrDraft, Charge, SandboxMeter};

use hub::HubUnderLoad;
use load::Measured;
use process::{Process, Usage};
use receiver::Receiver;
use report::{Books, Report, Round};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// CDRs per round, each with two secp256r1 signatures of its own.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    cdrs: u32,
    /// Connections that post at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Rounds; with `--floor` each measures both.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// The database of the hub that is started: an empty PostgreSQL database, for example. Without it a SQLite file in a temporary
    /// directory. What is stored stays.
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    database: Option<String>,
    /// A hub that runs already, instead of one of our own. It must be allowed to call plain HTTP on this machine.
    #[arg(long, value_name = "URL", requires = "token", conflicts_with = "floor")]
    url: Option<String>,
    /// The operator token of that hub.
    #[arg(long, env = "TRUEWATT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Measure the bare path too, in turn with the hub: the same octets in, the same two verifications, the same rows, the same octets
    /// out, and no hub.
    #[arg(long)]
    floor: bool,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

/// Sent before the clock starts: connections are made, statements prepared, pages of the database cached.
const WARM_UP: usize = 400;

/// Runs the rounds and prints the report.
pub(in crate::cli) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    let directory = tempfile::Builder::new().prefix("truewatt-bench-").tempdir();
    let directory = directory.map_err(|error| NotDone::failed(format!("no temporary directory: {error}")))?;
    let report = measure(&arguments, directory.path()).await?;
    println!("{}", if arguments.json { report.json() } else { report.table() });
    if report.balances() {
        Ok(())
    } else {
        Err(NotDone::failed("the books do not balance"))
    }
}

async fn measure(arguments: &Arguments, directory: &Path) -> Result<Report, NotDone> {
    let cdrs = arguments.cdrs as usize;
    let rounds = usize::from(arguments.rounds);
    let per_target = WARM_UP + rounds * cdrs;
    let targets = if arguments.floor { 2 } else { 1 };
    let receiver = Receiver::start(per_target * targets)
        .await
        .map_err(|error| NotDone::failed(format!("no receiver: {error}")))?;

    let hub = start_hub(arguments, directory, receiver.url()).await?;
    let (hub_address, hub_path) = hub.target()?;
    let hub_requests = requests(
        &hub.cpo.meter,
        &hub,
        0..per_target,
        (&hub_address, &hub_path),
        hub.headers(),
    )
    .await?;
    let mut hub_batches = Batches::new(hub_requests, cdrs);

    let mut floor = match arguments.floor {
        false => None,
        true => {
            let floor = Floor::start(arguments, directory, &receiver.url(), &hub.cpo.meter.public_key()).await?;
            let target = (floor.address.as_str(), "/cdrs");
            let numbers = per_target..2 * per_target;
            let made = requests(&hub.cpo.meter, &hub, numbers, target, hub.headers()).await?;
            Some((floor, Batches::new(made, cdrs)))
        }
    };

    let connections = usize::from(arguments.connections);
    let (mut hub_sent, mut floor_sent) = (Sent::default(), Sent::default());
    let mut measured = Vec::new();
    for round in 0..=rounds {
        // Floor first, hub second, floor again: whatever slows the machine meets both.
        if let Some((floor, batches)) = &mut floor {
            let usage = || floor.process.usage();
            let one = one_round("floor", round, &floor.address, batches.next(), connections, usage).await;
            measured.extend(floor_sent.enter(one));
        }
        let usage = || hub.process.as_ref().and_then(Process::usage);
        let one = one_round("hub", round, &hub_address, hub_batches.next(), connections, usage).await;
        measured.extend(hub_sent.enter(one));
    }

    let kept = hub.books(hub_sent.answered).await?;
    let tally = receiver.tally();
    let mut books = vec![Books {
        what: "hub",
        sent: per_target,
        answered: hub_sent.answered,
        stored: kept.stored,
        delivered: tally.arrived(0..per_target).min(kept.delivered),
        twice: kept.stored_twice + tally.twice(0..per_target),
        strangers: tally.strangers(),
        first_refusal: hub_sent.first_refusal,
    }];
    if let Some((floor, _)) = &floor {
        let numbers = per_target..2 * per_target;
        books.push(Books {
            what: "floor",
            sent: per_target,
            answered: floor_sent.answered,
            stored: floor.stored().await?,
            delivered: tally.arrived(numbers.clone()),
            twice: tally.twice(numbers),
            strangers: 0,
            first_refusal: floor_sent.first_refusal,
        });
    }
    if arguments.url.is_some() {
        hub.leave().await?;
    }
    Ok(Report {
        cdrs,
        connections,
        database: database_word(arguments),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        rounds: measured,
        books,
    })
}

/// What one target has been sent so far, and the first thing it refused.
#[derive(Default)]
struct Sent {
    answered: usize,
    first_refusal: Option<String>,
}

impl Sent {
    /// Enters a round into the account; the warm-up counts there, but not among the rounds.
    fn enter(&mut self, (round, measured): (Round, Measured)) -> Option<Round> {
        self.answered += measured.answered;
        if self.first_refusal.is_none() {
            self.first_refusal = measured.first_refusal;
        }
        (round.number > 0).then_some(round)
    }
}

async fn one_round(
    what: &'static str,
    number: usize,
    address: &str,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    usage: impl Fn() -> Option<Usage>,
) -> (Round, Measured) {
    let before = usage();
    let measured = load::send(address, requests, connections).await;
    let after = usage();
    let cpu_us_per_cdr = before.zip(after).map(|(before, after)| {
        let used = after.cpu_us.saturating_sub(before.cpu_us);
        load::count(usize::try_from(used).unwrap_or(usize::MAX)) / load::count(measured.answered.max(1))
    });
    let round = Round {
        what,
        number,
        rate: measured.rate(),
        p50_ms: measured.percentile_ms(50),
        p99_ms: measured.percentile_ms(99),
        cpu_us_per_cdr,
        rss_kb: after.map(|usage| usage.rss_kb),
        peak_rss_kb: after.map(|usage| usage.peak_rss_kb),
    };
    (round, measured)
}

/// Requests in the order in which rounds take them: the warm-up, then one batch per round.
struct Batches(std::collections::VecDeque<Arc<Vec<Vec<u8>>>>);

impl Batches {
    fn new(mut requests: Vec<Vec<u8>>, per_round: usize) -> Batches {
        let mut batches = std::collections::VecDeque::new();
        let mut rest = requests.split_off(WARM_UP.min(requests.len()));
        batches.push_back(Arc::new(requests));
        while !rest.is_empty() {
            let next = rest.split_off(per_round.min(rest.len()));
            batches.push_back(Arc::new(std::mem::replace(&mut rest, next)));
        }
        Batches(batches)
    }

    fn next(&mut self) -> Arc<Vec<Vec<u8>>> {
        self.0.pop_front().unwrap_or_default()
    }
}

async fn start_hub(arguments: &Arguments, directory: &Path, receiver: String) -> Result<HubUnderLoad, NotDone> {
    match (&arguments.url, &arguments.token) {
        (Some(url), Some(token)) => HubUnderLoad::admit(url, &Secret::new(token.clone()), None, receiver).await,
        _ => {
            let own = format!("sqlite://{}", directory.join("hub.db").display());
            let database = arguments.database.clone().unwrap_or(own);
            HubUnderLoad::start(directory, &database, receiver).await
        }
    }
}

/// Makes and signs the CDRs with these numbers, as whole requests. On a thread of its own: it is pure arithmetic.
async fn requests(
    meter: &SandboxMeter,
    hub: &HubUnderLoad,
    numbers: std::ops::Range<usize>,
    (address, path): (&str, &str),
    headers: Vec<(String, String)>,
) -> Result<Vec<Vec<u8>>, NotDone> {
    let run = uuid::Uuid::new_v4().simple().to_string();
    let run = run.get(..8).unwrap_or(&run);
    let made = tokio::task::block_in_place(|| {
        numbers
            .map(|number| {
                let body = cdr(
                    meter,
                    &hub.cpo.party,
                    &hub.emsp.party,
                    &format!("B-{run}-{number}"),
                    number,
                )
                .json();
                let mut headers = headers.clone();
                headers.push(("x-request-id".to_owned(), uuid::Uuid::new_v4().to_string()));
                headers.push(("x-correlation-id".to_owned(), uuid::Uuid::new_v4().to_string()));
                wire::request("POST", path, address, &headers, body.as_bytes())
            })
            .collect()
    });
    Ok(made)
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

/// The bare path, running.
struct Floor {
    process: Process,
    address: String,
}

impl Floor {
    async fn start(arguments: &Arguments, directory: &Path, receiver: &str, key: &str) -> Result<Floor, NotDone> {
        let own = format!("sqlite://{}", directory.join("floor.db").display());
        let database = arguments.database.clone().unwrap_or(own);
        let address = format!("127.0.0.1:{}", free_port()?);
        let options = [
            "bench-floor",
            "--bind",
            &address,
            "--database",
            &database,
            "--receiver",
            receiver,
            "--public-key",
            key,
        ];
        let process = Process::start(&options, &[], directory, "floor.log");
        let process = process.map_err(|error| NotDone::failed(format!("the floor cannot be laid: {error}")))?;
        let mut floor = Floor { process, address };
        let started = Instant::now();
        while floor.get("/ready").await.is_err() {
            if floor.process.has_ended() || started.elapsed() > Duration::from_secs(30) {
                let said = std::fs::read_to_string(directory.join("floor.log")).unwrap_or_default();
                return Err(NotDone::failed(format!(
                    "the floor did not get ready; it said:\n{said}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(floor)
    }

    async fn stored(&self) -> Result<usize, NotDone> {
        let said = self.get("/stored").await.map_err(NotDone::failed)?;
        said.parse()
            .map_err(|_| NotDone::failed(format!("the floor cannot count: {said}")))
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let stream = tokio::net::TcpStream::connect(&self.address)
            .await
            .map_err(|error| error.to_string())?;
        let mut connection = wire::Connection::new(stream);
        let request = wire::request("GET", path, &self.address, &[], b"");
        connection.write(&request).await.map_err(|error| error.to_string())?;
        let answer = connection.read_response().await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }
}

fn database_word(arguments: &Arguments) -> String {
    let word = match (&arguments.url, &arguments.database) {
        (Some(_), _) => "that of the hub",
        (None, Some(url)) if url.starts_with("postgres") => "PostgreSQL",
        (None, Some(_)) => "SQLite",
        (None, None) => "SQLite, temporary",
    };
    word.to_owned()
}

/// A port nobody has at this moment.
pub(in crate::cli) fn free_port() -> Result<u16, NotDone> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(listener
        .map_err(|error| NotDone::failed(format!("no free port: {error}")))?
        .port())
}
