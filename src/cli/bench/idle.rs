//! Connections that do nothing: what ten thousand of them cost the hub, and whether anybody else notices.
//!
//! Half of them were used once, half never said a word. The hub is another process, so its memory is its own; it is told not to close them
//! for their silence, which it would otherwise do.

use std::time::{Duration, Instant};

use serde_json::{Map, json};
use tokio::net::TcpStream;

use super::Bench;
use super::hub::plain;
use super::load::percentile_ms;
use super::process::Usage;
use super::report::{Books, Report, count, known, megabytes};
use crate::cli::api::table;
use crate::cli::{NotDone, files};
use crate::sandbox::wire::{self, Connection};

/// Connections, where nothing else is said.
const CONNECTIONS: u16 = 10_000;
/// Requests of somebody else meanwhile.
const MEANWHILE: usize = 500;
/// Files a process has open besides: libraries, database, logs, and some to spare.
const BESIDES: usize = 200;
/// Within this time the hub has noticed that they are gone, and given back what it will.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Opens them, looks, and closes them again.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let wanted = usize::from(bench.arguments.connections.unwrap_or(CONNECTIONS));
    let needed = wanted + BESIDES;
    match files::allowed() {
        Some(allowed) if allowed < needed => {
            return Err(NotDone::failed(format!(
                "{wanted} connections need {needed} open files here and in the hub, and ulimit -n allows {allowed}"
            )));
        }
        _ => {}
    }
    let most = needed.to_string();
    let hub = bench
        .hub(&[
            ("LIMITS__HEAD_S", "3600"),
            ("LIMITS__KEEP_ALIVE_S", "3600"),
            ("LIMITS__CONNECTIONS", &most),
            ("LIMITS__CONNECTIONS_PER_ADDRESS", "0"),
        ])
        .await?;
    let (address, _) = plain(hub.api.url())?;
    let mut other = Caller::to(&address).await?;
    let alone = other.ask(MEANWHILE).await;
    let before = hub.usage();

    let started = Instant::now();
    let mut idle = Vec::with_capacity(wanted);
    let mut used = 0;
    while idle.len() < wanted {
        let mut caller = Caller::to(&address).await?;
        if idle.len() % 2 == 0 {
            used += caller.ask(1).await.answered;
        }
        idle.push(caller);
    }
    let opened_in = started.elapsed();
    let meanwhile = other.ask(MEANWHILE).await;
    let with = hub.usage();
    // Every one of them is still good, also those that said nothing so far.
    let mut still_good = 0;
    for caller in &mut idle {
        still_good += caller.ask(1).await.answered;
    }
    let opened = idle.len();
    drop(idle);
    tokio::time::sleep(AFTERWARDS).await;
    let again = other.ask(1).await;
    let after = hub.usage();

    let books = Books::of("hub", opened)
        .exactly("used_at_once", used, opened.div_ceil(2))
        .exactly("answered_meanwhile", meanwhile.answered, MEANWHILE)
        .all("still_good", still_good)
        .exactly("answered_afterwards", again.answered, 1);
    let found = Found {
        opened,
        opened_in,
        usage: [before, with, after],
        p99_ms: [alone.p99_ms, meanwhile.p99_ms],
    };
    hub.leave().await?;
    Ok(found.report(bench, books))
}

struct Found {
    opened: usize,
    opened_in: Duration,
    usage: [Option<Usage>; 3],
    p99_ms: [f64; 2],
}

impl Found {
    fn report(&self, bench: &Bench<'_>, books: Books) -> Report {
        let rss = self.usage.map(|usage| usage.map(|usage| usage.rss_kb));
        let [before, with, _] = rss;
        let each = before.zip(with).map(|(before, with)| {
            let more = usize::try_from(with.saturating_sub(before)).unwrap_or_default();
            count(more) / count(self.opened.max(1))
        });
        let heads = ["when", "RSS MB", "p99 ms of another's GET"];
        let [alone_ms, meanwhile_ms] = self.p99_ms.map(|p99| known(Some(p99), 2));
        let names = ["before", "with them", "afterwards"];
        let times = [alone_ms, meanwhile_ms, String::new()];
        let rows: Vec<Vec<String>> = names
            .iter()
            .zip(rss)
            .zip(times)
            .map(|((name, rss), time)| vec![(*name).to_owned(), megabytes(rss), time])
            .collect();
        let heading = format!(
            "{} idle connections, opened in {:.1} s, {} cores for everybody",
            self.opened,
            self.opened_in.as_secs_f64(),
            bench.cores()
        );
        let mut figures = Map::new();
        figures.insert("idle_connections".to_owned(), json!(self.opened));
        figures.insert("rss_kb".to_owned(), json!(rss));
        figures.insert("rss_kb_per_connection".to_owned(), json!(each));
        figures.insert("p99_ms".to_owned(), json!(self.p99_ms));
        Report {
            heading,
            sections: vec![
                table(&heads, &rows),
                format!("{} kB of memory for each connection", known(each, 1)),
            ],
            figures,
            books: vec![books],
        }
    }
}

/// One connection.
struct Caller {
    connection: Connection,
    request: Vec<u8>,
}

struct Asked {
    answered: usize,
    p99_ms: f64,
}

impl Caller {
    async fn to(address: &str) -> Result<Caller, NotDone> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| NotDone::failed(format!("no further connection: {error}")))?;
        Ok(Caller {
            connection: Connection::new(stream),
            request: wire::request("GET", "/health/live", address, &[], b""),
        })
    }

    async fn ask(&mut self, times: usize) -> Asked {
        let mut latencies = Vec::with_capacity(times);
        for _ in 0..times {
            let started = Instant::now();
            let answered = match self.connection.write(&self.request).await {
                Ok(()) => self
                    .connection
                    .read_response()
                    .await
                    .is_ok_and(|answer| answer.status == 200),
                Err(_) => false,
            };
            if answered {
                latencies.push(started.elapsed());
            }
        }
        latencies.sort_unstable();
        Asked {
            answered: latencies.len(),
            p99_ms: percentile_ms(&latencies, 99),
        }
    }
}
