//! Requests that came and went, by platform and module: how they ended, how long they took.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::hop::{Direction, Ended, Hop};
use super::page::{Labels, Page};
use super::{Module, Sizes};
use crate::ocpi::ids::PlatformId;

/// What a process counts of its hops. A platform has numbers from its first hop on, until it is [forgotten](Hops::keep_only).
#[derive(Debug, Default)]
pub struct Hops {
    platforms: RwLock<HashMap<PlatformId, Arc<Counts>>>,
    /// Those that nobody of the directory was at the other end of.
    strangers: Counts,
}

/// In how many ways a hop can end, as far as that is counted.
const ENDS: usize = NO_ANSWER.len() + HTTP.len() * OCPI.len();
const NO_ANSWER: [Ended; 5] = [
    Ended::CallerGone,
    Ended::TimedOut,
    Ended::Unreachable,
    Ended::NotAllowed,
    Ended::Nonsense,
];
const HTTP: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
const OCPI: [&str; 5] = ["none", "1xxx", "2xxx", "3xxx", "4xxx"];

/// One platform's numbers: made for a module when it is first used, found by their places from then on.
#[derive(Debug, Default)]
struct Counts {
    came: [OnceLock<Box<OfModule>>; Module::COUNT],
    went: [OnceLock<Box<OfModule>>; Module::COUNT],
}

#[derive(Debug)]
struct OfModule {
    ends: [AtomicU64; ENDS],
    times: Sizes,
}

impl Hops {
    /// Counts a hop and writes its line. Those of strangers, and those turned away for asking too often, have no line: what a limit keeps
    /// away is not to fill a disk.
    pub fn saw(&self, hop: &Hop<'_>) {
        match hop.platform {
            Some(platform) => self.of(platform).count(hop),
            None => self.strangers.count(hop),
        }
        let is_too_often = matches!(hop.ended, Ended::Answered { http: 429, .. }) && hop.direction == Direction::In;
        if hop.platform.is_some() && !is_too_often {
            hop.tell();
        }
    }

    /// Forgets platforms that are not among these: nobody is at the other end any more.
    pub fn keep_only(&self, is_there: impl Fn(&PlatformId) -> bool) {
        let mut platforms = self.platforms.write().unwrap_or_else(PoisonError::into_inner);
        platforms.retain(|platform, _| is_there(platform));
    }

    /// Adds everything to a page.
    pub fn show(&self, page: &mut Page) {
        let platforms = self.platforms.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&str, &Counts)> = platforms.iter().map(|(id, counts)| (id.as_str(), &**counts)).collect();
        all.sort_by_key(|(id, _)| *id);
        all.insert(0, (STRANGERS, &self.strangers));
        page.counters("requests_in", CAME, ends(&all, Direction::In));
        page.sizes("request_in_seconds", CAME_SECONDS, times(&all, Direction::In));
        page.counters("requests_out", WENT, ends(&all, Direction::Out));
        page.sizes("request_out_seconds", WENT_SECONDS, times(&all, Direction::Out));
    }

    fn of(&self, platform: &PlatformId) -> Arc<Counts> {
        let known = self.platforms.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = known.get(platform) {
            return counts.clone();
        }
        drop(known);
        let mut known = self.platforms.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(platform.clone()).or_default().clone()
    }
}

/// The label of those whom no token named.
const STRANGERS: &str = "none";

const CAME: &str = "Requests to the hub, by platform, module and answer";
const CAME_SECONDS: &str = "How long requests to the hub took, first attempts at carrying them included";
const WENT: &str = "Requests of the hub to platforms, by module and by how they ended";
const WENT_SECONDS: &str = "How long platforms took to answer";

impl Counts {
    fn count(&self, hop: &Hop<'_>) {
        let Some(place) = self.side(hop.direction).get(hop.module.place()) else {
            return;
        };
        let module = place.get_or_init(Box::default);
        if let Some(number) = module.ends.get(end_of(hop.ended)) {
            number.fetch_add(1, Ordering::Relaxed);
        }
        module.times.took(hop.took);
    }

    fn side(&self, direction: Direction) -> &[OnceLock<Box<OfModule>>; Module::COUNT] {
        match direction {
            Direction::In => &self.came,
            Direction::Out => &self.went,
        }
    }

    fn modules(&self, direction: Direction) -> impl Iterator<Item = (Module, &OfModule)> {
        Module::all()
            .zip(self.side(direction))
            .filter_map(|(module, counts)| Some((module, &**counts.get()?)))
    }
}

impl Default for OfModule {
    fn default() -> OfModule {
        OfModule {
            ends: [const { AtomicU64::new(0) }; ENDS],
            times: Sizes::of_times(),
        }
    }
}

/// The place of an end: first those without an answer, then HTTP by OCPI.
fn end_of(ended: Ended) -> usize {
    if let Some(place) = NO_ANSWER.iter().position(|one| *one == ended) {
        return place;
    }
    let place = |list: &[&str], word: &str| list.iter().position(|one| *one == word).unwrap_or_default();
    NO_ANSWER.len() + place(&HTTP, ended.http_class()) * OCPI.len() + place(&OCPI, ended.code_class())
}

/// Outcome, HTTP class and OCPI class of every end, in the order of their places.
fn names() -> impl Iterator<Item = [&'static str; 3]> {
    let answered = HTTP
        .iter()
        .flat_map(|http| OCPI.iter().map(move |code| ["answered", *http, *code]));
    NO_ANSWER
        .iter()
        .map(|ended| [ended.word(), "none", "none"])
        .chain(answered)
}

fn ends(all: &[(&str, &Counts)], direction: Direction) -> Vec<(Labels, u64)> {
    let mut rows = Vec::new();
    for (platform, counts) in all {
        for (module, counts) in counts.modules(direction) {
            for ([outcome, http, ocpi], number) in names().zip(&counts.ends) {
                let number = number.load(Ordering::Relaxed);
                if number > 0 {
                    let mut labels = labels(platform, module);
                    labels
                        .extend([("outcome", outcome), ("http", http), ("ocpi", ocpi)].map(|(k, v)| (k, v.to_owned())));
                    rows.push((labels, number));
                }
            }
        }
    }
    rows
}

fn times(all: &[(&str, &Counts)], direction: Direction) -> Vec<(Labels, Sizes)> {
    all.iter()
        .flat_map(|(platform, counts)| {
            counts
                .modules(direction)
                .map(|(module, counts)| (labels(platform, module), counts.times.clone()))
        })
        .collect()
}

fn labels(platform: &str, module: Module) -> Labels {
    vec![("platform", platform.to_owned()), ("module", module.name().to_owned())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::ocpi::status::StatusCode;

    fn hop(platform: Option<&PlatformId>, ended: Ended) -> Hop<'_> {
        Hop {
            direction: Direction::Out,
            platform,
            from: None,
            to: None,
            module: Module::named("cdrs"),
            method: "POST",
            ended,
            took: Duration::from_millis(3),
            correlation_id: "c",
            request_id: "r",
        }
    }

    fn page(hops: &Hops) -> String {
        let mut page = Page::default();
        hops.show(&mut page);
        page.prometheus().unwrap()
    }

    #[test]
    fn every_end_is_counted_in_a_place_of_its_own() {
        let hops = Hops::default();
        let platform = PlatformId::from("p1");
        let mut all = NO_ANSWER.to_vec();
        for http in [100, 200, 302, 404, 503] {
            for code in [None, Some(1000), Some(2001), Some(3000), Some(4002)] {
                let code = code.map(StatusCode);
                all.push(Ended::Answered { http, code });
            }
        }
        for ended in &all {
            hops.saw(&hop(Some(&platform), *ended));
        }
        let text = page(&hops);
        let mine = text
            .lines()
            .filter(|line| line.starts_with("truewatt_requests_out_total{platform=\"p1\""));
        let mine: Vec<&str> = mine.collect();
        assert_eq!(mine.len(), all.len(), "{text}");
        assert!(mine.iter().all(|line| line.ends_with(" 1")), "{text}");
        assert_eq!(names().count(), ENDS);
        assert!(text.contains(
            "truewatt_requests_out_total{platform=\"p1\",module=\"cdrs\",outcome=\"answered\",http=\"4xx\",ocpi=\"2xxx\"} 1"
        ));
        assert!(
            text.contains("truewatt_request_out_seconds_count{platform=\"p1\",module=\"cdrs\"} 30"),
            "{text}"
        );
    }

    #[test]
    fn a_platform_that_is_gone_is_forgotten_and_strangers_are_one() {
        let hops = Hops::default();
        for number in 0..100 {
            let platform = PlatformId::from(format!("p{number}").as_str());
            hops.saw(&hop(Some(&platform), Ended::TimedOut));
            hops.saw(&hop(None, Ended::TimedOut));
        }
        hops.keep_only(|platform| platform.as_str() == "p7");
        let text = page(&hops);
        let counted = text
            .lines()
            .filter(|line| line.starts_with("truewatt_requests_out_total"));
        let counted: Vec<&str> = counted.collect();
        assert_eq!(counted.len(), 2, "{text}");
        assert!(
            counted
                .iter()
                .any(|line| line.contains("platform=\"none\"") && line.ends_with(" 100"))
        );
        assert!(
            counted
                .iter()
                .any(|line| line.contains("platform=\"p7\"") && line.ends_with(" 1"))
        );
    }
}
