//! `truewatt bench`: real requests through a real hub, what they cost, and whether the books balance afterwards.
//!
//! | `--what` | measures | the books say |
//! | --- | --- | --- |
//! | [`cdrs`] | CDRs with real signatures, from POST to the receiver | sent = answered = stored = delivered, none twice |
//! | [`relay`] | PUT and GET of sessions from party to party | sent = answered = received, octets and headers as sent, none twice |
//! | [`broadcast`] | locations to a hundred receivers, with and without two that are out of order | everybody else has the last state, in order |
//! | [`pages`] | GET all at every depth of what the hub keeps | every object exactly once, the same page again |
//! | [`recheck`] | second looks after one registration, among many CDRs | only those of its meter, each once |
//! | [`flood`] | a platform's p99 while another sends a hundred times what it may | all of the one answered, of the other nothing beyond its limit |
//! | [`idle`] | memory with ten thousand connections that do nothing | all still good, others answered meanwhile |
//!
//! The hub is a child process of the same binary, so that what it costs can be read from `/proc`; load generator and receivers live
//! here and cost as little as they can. Everything is made before the clock starts. Where there is a bare path ([`floor`]), it runs
//! beside the hub, round by round in turn: a busy machine then slows both, and the ratio of the two stays worth reading.
//!
//! A rate is worth nothing if something got lost: if the books do not balance, the exit code says no. Start with `run`.

pub mod broadcast;
pub mod cdrs;
pub mod door;
pub mod flood;
pub mod floor;
pub mod hub;
pub mod idle;
pub mod load;
pub mod pages;
pub mod process;
pub mod recheck;
pub mod relay;
pub mod report;
pub mod rounds;
pub mod tally;
pub mod template;

use std::net::TcpListener;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::NotDone;
use crate::config::Secret;

use hub::Hub;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = What::Cdrs)]
    what: What,
    /// cdrs: CDRs per round, each with two secp256r1 signatures of its own [default: 4000]. recheck: CDRs in the database [default:
    /// 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    cdrs: Option<u32>,
    /// relay: requests per round, as many PUTs as GETs [default: 4000]. flood: of the quiet platform, in each half of a round [default:
    /// 300].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests: Option<u32>,
    /// broadcast: locations pushed in each part of a round [default: 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pushes: Option<u32>,
    /// broadcast: platforms that receive; two of them get out of order [default: 100].
    #[arg(long, value_parser = clap::value_parser!(u16).range(3..=1000))]
    receivers: Option<u16>,
    /// broadcast: pushes per second while answers and deliveries are timed [default: a third of what the burst before reached]. flood:
    /// requests per second each platform may make [default: 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// pages: locations the hub keeps, of three owners [default: 10000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(300..=10_000_000))]
    objects: Option<u32>,
    /// Connections that send at the same time [default: 64]. Pages are read over one. flood: of the flood [default: 16]. idle: that do
    /// nothing [default: 10000].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=25_000))]
    connections: Option<u16>,
    /// Rounds; with `--floor` each measures both.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// The database of the hub that is started: an empty PostgreSQL database, for example. Without it a SQLite file in a temporary
    /// directory. What is stored stays.
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    database: Option<String>,
    /// A hub that runs already, instead of one of our own. It must be allowed to call plain HTTP on this machine. Not for pages.
    #[arg(long, value_name = "URL", requires = "token", conflicts_with = "floor")]
    url: Option<String>,
    /// The operator token of that hub.
    #[arg(long, env = "TRUEWATT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// cdrs, relay: measure the bare path too, in turn with the hub: the same octets in, the same verifications and rows if there are
    /// any, the same octets out, and no hub. flood: the same flood at a bare door that refuses it, to tell the hub's share from the machine's.
    #[arg(long)]
    floor: bool,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// CDRs from end to end.
    Cdrs,
    /// Requests from party to party.
    Relay,
    /// Pushes to everybody.
    Broadcast,
    /// Lists of what the hub keeps.
    Pages,
    /// Second looks after one registration.
    Recheck,
    /// One platform that sends too much, and another.
    Flood,
    /// Connections that do nothing.
    Idle,
}

/// What a receiver answers to everything it takes.
const TAKEN: &str = r#"{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}"#;

/// Measures and prints the report.
pub(in crate::cli) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    arguments.check()?;
    let directory = tempfile::Builder::new().prefix("truewatt-bench-").tempdir();
    let directory = directory.map_err(|error| NotDone::failed(format!("no temporary directory: {error}")))?;
    let bench = Bench {
        arguments: &arguments,
        directory: directory.path(),
    };
    let report = match arguments.what {
        What::Cdrs => cdrs::measure(&bench).await?,
        What::Relay => relay::measure(&bench).await?,
        What::Broadcast => broadcast::measure(&bench).await?,
        What::Pages => pages::measure(&bench).await?,
        What::Recheck => recheck::measure(&bench).await?,
        What::Flood => flood::measure(&bench).await?,
        What::Idle => idle::measure(&bench).await?,
    };
    println!("{}", if arguments.json { report.json() } else { report.text() });
    if report.balances() {
        Ok(())
    } else {
        Err(NotDone::failed("the books do not balance"))
    }
}

impl Arguments {
    /// An option that says nothing about what is measured is a misunderstanding, not a wish to be passed over.
    fn check(&self) -> Result<(), NotDone> {
        use What::{Broadcast, Cdrs, Flood, Idle, Pages, Recheck, Relay};
        let given = [
            ("--cdrs", self.cdrs.is_some(), &[Cdrs, Recheck][..]),
            ("--requests", self.requests.is_some(), &[Relay, Flood]),
            ("--pushes", self.pushes.is_some(), &[Broadcast]),
            ("--receivers", self.receivers.is_some(), &[Broadcast]),
            ("--rate", self.rate.is_some(), &[Broadcast, Flood]),
            ("--objects", self.objects.is_some(), &[Pages]),
            (
                "--connections",
                self.connections.is_some(),
                &[Cdrs, Relay, Broadcast, Flood, Idle],
            ),
            ("--floor", self.floor, &[Cdrs, Relay, Flood]),
            ("--url", self.url.is_some(), &[Cdrs, Relay, Broadcast]),
        ];
        match given
            .iter()
            .find(|(_, given, fits)| *given && !fits.contains(&self.what))
        {
            Some((option, ..)) => Err(NotDone::usage(format!(
                "{option} says nothing about --what {}",
                format!("{:?}", self.what).to_ascii_lowercase()
            ))),
            None => Ok(()),
        }
    }
}

/// One run: what was asked for, and a private directory that goes with it.
struct Bench<'a> {
    arguments: &'a Arguments,
    directory: &'a Path,
}

impl Bench<'_> {
    /// The hub to measure; settings count for one of our own only.
    async fn hub(&self, settings: &[(&str, &str)]) -> Result<Hub, NotDone> {
        match (&self.arguments.url, &self.arguments.token) {
            (Some(url), Some(token)) => Hub::running(url, &Secret::new(token.clone())),
            _ => Hub::start(self.directory, &self.database("hub.db"), settings).await,
        }
    }

    /// The database that was asked for, or a file in our directory.
    fn database(&self, file: &str) -> String {
        let own = || format!("sqlite://{}", self.directory.join(file).display());
        self.arguments.database.clone().unwrap_or_else(own)
    }

    fn rounds(&self) -> usize {
        usize::from(self.arguments.rounds)
    }

    fn connections(&self) -> usize {
        usize::from(self.arguments.connections.unwrap_or(64))
    }

    /// Processor cores of this machine, shared by hub, load generator and receivers.
    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(0, usize::from)
    }

    /// Under which circumstances figures were found.
    fn note(&self, figures: &mut Map<String, Value>) {
        figures.insert("connections".to_owned(), json!(self.connections()));
        figures.insert("database".to_owned(), json!(database_word(self.arguments)));
        figures.insert("cores".to_owned(), json!(self.cores()));
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
