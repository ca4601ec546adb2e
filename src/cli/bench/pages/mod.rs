//! GET all of what the hub keeps, page by page along the `Link`s: does a page cost more the deeper it lies, and is every object there
//! exactly once, octet by octet?
//!
//! The locations belong to three operators; they are put into the mirror by the functions the hub itself uses for a push, because a
//! million PUTs would measure something else first. One provider then reads everything, one page after the other over one connection.

pub mod crawl;
pub mod fill;

use std::time::Duration;

use serde_json::{Value, json};

use super::hub::{a_party, headers_of};
use super::load::percentile_ms;
use super::report::{Books, Report, known, median, megabytes};
use super::{Bench, database_word};
use crate::cli::NotDone;
use crate::cli::api::table;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::url;
use crate::sandbox::Plan;

use crawl::{Crawl, Reader};
use fill::Shelves;

/// Locations, where nothing else is said.
const OBJECTS: u32 = 10_000;
/// Objects on a page.
const LIMIT: usize = 100;
/// Of so many pages at each depth the median is taken, or of a third of all where there are fewer.
const PAGES: usize = 50;

/// Fills the mirror and reads it once per round.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Report, NotDone> {
    let objects = bench.arguments.objects.unwrap_or(OBJECTS) as usize;
    let mut hub = bench.hub(&[]).await?;
    let empty_rss_kb = hub.usage().map(|usage| usage.rss_kb);
    let mut owners: Vec<PartyId> = Vec::new();
    let mut platforms = Vec::new();
    while owners.len() < 3 {
        let owner = a_party('C')?;
        if !owners.contains(&owner) {
            platforms.push(
                hub.join(Plan::bare("Bench CPO", vec![(owner.clone(), Role::Cpo)]))
                    .await?,
            );
            owners.push(owner);
        }
    }
    let emsp = a_party('E')?;
    let provider = hub
        .join(Plan::bare("Bench eMSP", vec![(emsp.clone(), Role::Emsp)]))
        .await?;

    let shelves = Shelves::of(owners, objects);
    let filling = shelves.fill(&bench.database("hub.db")).await?;

    let listed = provider.hub_endpoint("locations", InterfaceRole::Sender);
    let listed = listed.map_err(|error| NotDone::failed(error.to_string()))?;
    let hub_party = provider.hub_party();
    let hub_party = hub_party.ok_or_else(|| NotDone::failed("the hub names no party with the role HUB"))?;
    let reader = Reader {
        headers: headers_of(&provider, &emsp, &hub_party),
        begin: url::with_query(&listed, &format!("limit={LIMIT}")),
        shelves: &shelves,
    };
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        let crawl = reader.crawl().await?;
        rounds.push(Round::of(number, crawl, hub.usage().map(|usage| usage.rss_kb)));
    }

    let total = |count: fn(&Crawl) -> usize| rounds.iter().map(|round| count(&round.crawl)).sum::<usize>();
    let books = Books::of("hub", objects * rounds.len())
        .all("listed", total(|crawl| crawl.listed))
        .none("twice", total(|crawl| crawl.twice))
        .none("strangers", total(|crawl| crawl.strangers))
        .none("spoilt", total(|crawl| crawl.spoilt))
        .none("miscounted", total(|crawl| crawl.miscounted))
        .none("changed", total(|crawl| crawl.changed));
    let found = Found {
        objects,
        filling,
        empty_rss_kb,
        rounds,
    };
    Ok(found.report(bench, books))
}

/// One crawl, and what pages cost at three depths.
struct Round {
    number: usize,
    opening_ms: f64,
    first_ms: f64,
    middle_ms: f64,
    last_ms: f64,
    p99_ms: f64,
    rss_kb: Option<u64>,
    crawl: Crawl,
}

impl Round {
    fn of(number: usize, crawl: Crawl, rss_kb: Option<u64>) -> Round {
        let times = &crawl.times;
        let some = PAGES.min(times.len() / 3).max(1);
        let middle = (times.len() / 2).saturating_sub(some / 2);
        let of = |from: usize, to: usize| middle_of(times.get(from..to.min(times.len())).unwrap_or_default());
        let mut sorted = times.clone();
        sorted.sort_unstable();
        Round {
            number,
            opening_ms: of(0, 1),
            // The first page also counts the list; it is told on its own.
            first_ms: of(1, 1 + some),
            middle_ms: of(middle, middle + some),
            last_ms: of(times.len().saturating_sub(some), times.len()),
            p99_ms: percentile_ms(&sorted, 99),
            rss_kb,
            crawl,
        }
    }
}

fn middle_of(times: &[Duration]) -> f64 {
    median(times.iter().map(|time| time.as_secs_f64() * 1000.0)).unwrap_or_default()
}

/// Everything that was measured.
struct Found {
    objects: usize,
    filling: Duration,
    empty_rss_kb: Option<u64>,
    rounds: Vec<Round>,
}

impl Found {
    fn median(&self, figure: impl Fn(&Round) -> f64) -> Option<f64> {
        median(self.rounds.iter().map(figure))
    }

    /// How many times as long a page takes at a depth, compared with the first ones.
    fn ratio(&self, figure: impl Fn(&Round) -> f64) -> Option<f64> {
        let (deep, first) = (self.median(figure)?, self.median(|round| round.first_ms)?);
        Some(deep / first.max(f64::EPSILON))
    }

    fn report(self, bench: &Bench<'_>, books: Books) -> Report {
        let rows = self.rounds.iter().map(|round| {
            vec![
                round.number.to_string(),
                round.crawl.times.len().to_string(),
                format!("{:.2}", round.opening_ms),
                format!("{:.2}", round.first_ms),
                format!("{:.2}", round.middle_ms),
                format!("{:.2}", round.last_ms),
                format!("{:.2}", round.p99_ms),
                megabytes(round.rss_kb),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let heads = [
            "round",
            "pages",
            "opening ms",
            "first ms",
            "middle ms",
            "last ms",
            "p99 ms",
            "RSS MB",
        ];
        let (middle, last) = (self.ratio(|round| round.middle_ms), self.ratio(|round| round.last_ms));
        let sentence = format!(
            "a page over the first ones: in the middle {}, at the end {} (medians of {PAGES} pages; the opening page counts the list too)\n\
             filled in {:.1} s; the empty hub had {} MB",
            known(middle, 2),
            known(last, 2),
            self.filling.as_secs_f64(),
            megabytes(self.empty_rss_kb)
        );
        let mut figures = serde_json::Map::new();
        for (name, figure) in [
            ("objects", json!(self.objects)),
            ("limit", json!(LIMIT)),
            ("rounds", self.rounds.iter().map(Round::json).collect()),
            ("first_ms", json!(self.median(|round| round.first_ms))),
            ("middle_ms", json!(self.median(|round| round.middle_ms))),
            ("last_ms", json!(self.median(|round| round.last_ms))),
            ("middle_ratio", json!(middle)),
            ("last_ratio", json!(last)),
            ("empty_rss_kb", json!(self.empty_rss_kb)),
        ] {
            figures.insert(name.to_owned(), figure);
        }
        bench.note(&mut figures);
        figures.remove("connections");
        Report {
            heading: format!(
                "{} locations of three owners, pages of {LIMIT}, database {}, {} cores for everybody",
                self.objects,
                database_word(bench.arguments),
                bench.cores()
            ),
            sections: vec![table(&heads, &rows), sentence],
            figures,
            books: vec![books],
        }
    }
}

impl Round {
    fn json(&self) -> Value {
        json!({
            "round": self.number, "pages": self.crawl.times.len(), "opening_ms": self.opening_ms, "first_ms": self.first_ms,
            "middle_ms": self.middle_ms, "last_ms": self.last_ms, "p99_ms": self.p99_ms, "rss_kb": self.rss_kb,
        })
    }
}
