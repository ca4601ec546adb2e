//! `/metrics`: what this process counted, and what is owed in all. For whoever has an operator token, unless the operator opened it.
//!
//! Nothing is worked out for it: numbers are read where they were counted, what is owed is counted [seldom](super::totals), and a database in
//! trouble is one of the numbers and no reason to give none.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::operator::{Problem, auth};
use super::totals::{Known, Totals};
use super::{Document, Doors, Route};
use crate::config;
use crate::delivery::lanes::BreakerState;
use crate::parties::Fault;
use crate::routing::directory::PlatformStatus;
use crate::seeing::Page;
use crate::seeing::page::{Labels, OPEN_METRICS, PROMETHEUS};
use crate::store::Store;

/// Who may read the numbers, and those that have to be counted for it.
pub struct Metrics {
    public: bool,
    totals: Totals,
}

impl Metrics {
    /// As configured.
    #[must_use]
    pub fn new(metrics: &config::Metrics, store: Store) -> Metrics {
        Metrics {
            public: metrics.public,
            totals: Totals::new(store),
        }
    }
}

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/metrics", Document::Operator, show)]
}

async fn show(request: HttpRequest, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    if !doors.metrics.public {
        auth::recognised(&request)?;
    }
    let known = doors.metrics.totals.known().await;
    let page = page(&doors, &known);
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let wants_open_metrics = accepted.is_some_and(|accepted| accepted.contains("application/openmetrics-text"));
    let (kind, written) = match wants_open_metrics {
        true => (OPEN_METRICS, page.open_metrics()),
        false => (PROMETHEUS, page.prometheus()),
    };
    let text = written.map_err(|error| Fault::new("writing numbers", error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(text))
}

fn page(doors: &Doors, known: &Known) -> Page {
    let snapshot = doors.parties.snapshot();
    let directory = snapshot.directory();
    let hops = doors.parties.hops();
    hops.keep_only(|platform| directory.platform(platform).is_some());
    let mut page = Page::default();
    page.gauges(
        "build_info",
        "This program and its database; always 1",
        [(
            vec![
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("database", doors.store.kind().to_owned()),
            ],
            1.0,
        )],
    );
    hops.show(&mut page);
    of_platforms(doors, &mut page);
    of_duties(doors, known, &mut page);
    page.tally(
        "verdicts",
        "Verdicts given over signed meter data, by status; also over CDRs that were rejected for it",
        "status",
        doors.intake.verdicts(),
    );
    page.tally(
        "profile_requests_refused",
        "Requests about charging profiles that the hub refused in its own name, by reason, and those a CPO called too often",
        "reason",
        doors.profiles.refused(),
    );
    of_the_database(doors, known, &mut page);
    of_the_doors(doors, &mut page);
    page
}

fn of_platforms(doors: &Doors, page: &mut Page) {
    let snapshot = doors.parties.snapshot();
    let platforms: Vec<_> = snapshot.directory().platforms().collect();
    page.gauges(
        "platform_info",
        "The operator's name for each platform; always 1",
        platforms.iter().map(|one| {
            let labels = vec![("platform", one.id.to_string()), ("name", one.name.clone())];
            (labels, 1.0)
        }),
    );
    page.gauges(
        "platform_status",
        "Whether each platform is present: 1 at the status it has",
        platforms.iter().flat_map(|one| {
            let status = |word: PlatformStatus| stated(one.id.as_str(), "status", word.as_str(), word == one.status);
            STATUSES.map(status)
        }),
    );
    page.gauges(
        "platform_breaker",
        "Whether this process makes attempts at each platform of its own accord: 1 at the state of the breaker",
        platforms.iter().flat_map(|one| {
            let now = doors.delivery.breaker(&one.id).state;
            BREAKERS.map(|state| stated(one.id.as_str(), "state", state.as_str(), state == now))
        }),
    );
}

const STATUSES: [PlatformStatus; 4] = [
    PlatformStatus::Planned,
    PlatformStatus::Connected,
    PlatformStatus::Offline,
    PlatformStatus::Suspended,
];
const BREAKERS: [BreakerState; 3] = [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open];

fn stated(platform: &str, label: &'static str, word: &str, is_so: bool) -> (Labels, f64) {
    let labels = vec![("platform", platform.to_owned()), (label, word.to_owned())];
    (labels, truth(is_so))
}

/// Of the whole hub: every process on one database says the same.
fn of_duties(doors: &Doors, known: &Known, page: &mut Page) {
    let snapshot = doors.parties.snapshot();
    let duties = known.duties.as_deref().unwrap_or_default();
    let whose = |platform: &str| {
        let is_there = snapshot.directory().platform(&platform.into()).is_some();
        if is_there { platform.to_owned() } else { GONE.to_owned() }
    };
    let mut numbers: Vec<(Labels, f64)> = Vec::new();
    for one in duties {
        let labels = vec![
            ("platform", whose(&one.platform)),
            ("kind", one.kind.clone()),
            ("state", one.state.clone()),
        ];
        // A number has one row: what was owed to platforms that are gone is owed to all of them together.
        match numbers.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, number)) => *number += number_of(one.number),
            None => numbers.push((labels, number_of(one.number))),
        }
    }
    page.gauges(
        "duties",
        "What the hub owes, or has given up, by platform, kind and state",
        numbers,
    );
    let now = doors.clock.now();
    let waiting = |platform: Option<&str>| {
        let owed = duties.iter().filter(|one| one.state == "owed");
        let owed = owed.filter(|one| platform.is_none_or(|platform| one.platform == platform));
        let oldest = owed.map(|one| one.oldest).min();
        oldest.map_or(0.0, |oldest| seconds((now - oldest).to_std().unwrap_or_default()))
    };
    // Before anything was counted there is nothing to say.
    let all = known.duties.is_some().then(|| (Labels::new(), waiting(None)));
    page.gauges(
        "oldest_duty_seconds",
        "How long the oldest duty has been waiting; 0 when none is",
        all,
    );
    page.gauges(
        "platform_oldest_duty_seconds",
        "How long the oldest duty for each platform that is owed something has been waiting",
        snapshot
            .directory()
            .platforms()
            .map(|one| (vec![("platform", one.id.to_string())], waiting(Some(one.id.as_str()))))
            .filter(|(_, waiting)| *waiting > 0.0),
    );
}

/// The label of platforms that are not in the directory any more.
const GONE: &str = "none";

fn of_the_database(doors: &Doors, known: &Known, page: &mut Page) {
    let seen = doors.store.seen();
    page.gauge(
        "database_answers",
        "Whether the database answered when it was last asked what is owed",
        truth(known.answers),
    );
    page.gauge(
        "database_intact",
        "Whether this process has met no damaged page of the database",
        truth(!doors.store.is_damaged()),
    );
    page.gauges(
        "totals_age_seconds",
        "How long ago what is owed was counted",
        known.counted.map(|counted| (Labels::new(), seconds(counted.elapsed()))),
    );
    page.tally(
        "database_troubles",
        "Calls of the database that failed through no fault of theirs",
        "kind",
        &seen.troubles,
    );
    page.sizes(
        "commit_group_size",
        "Changes that were written in one commit",
        [(Labels::new(), seen.groups.clone())],
    );
}

fn of_the_doors(doors: &Doors, page: &mut Page) {
    page.tally(
        "turned_away",
        "Requests turned away before any work was done, by reason",
        "reason",
        doors.limits.turned_away(),
    );
    page.tally(
        "guesses",
        "Tokens presented that open nothing, and addresses locked out for them",
        "event",
        doors.limits.guesses(),
    );
    page.gauge(
        "cdrs_under_way",
        "CDRs being taken or carried while their sender waits",
        number_of(u64::try_from(doors.exchange.under_way()).unwrap_or(u64::MAX)),
    );
    page.counters(
        "journal_lines_lost",
        "Lines of the journal that were lost because the database did not keep up",
        [(Labels::new(), doors.hall.journal_lines_lost())],
    );
    let certificate = doors.certificates.as_ref();
    page.gauges(
        "certificate_current",
        "Whether the certificate shown is the one in its files",
        certificate.map(|one| (Labels::new(), truth(one.are_those_of_the_files()))),
    );
}

fn truth(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}

fn seconds(time: std::time::Duration) -> f64 {
    time.as_secs_f64()
}

/// As exact as a graph is.
#[allow(clippy::cast_precision_loss, reason = "nobody counts more than 2^53 of anything")]
fn number_of(number: u64) -> f64 {
    number as f64
}
