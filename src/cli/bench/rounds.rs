//! Rounds of requests sent as fast as they are answered, by the hub and by the bare path in turn, and their ratio.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::load::{self, Measured, Shot};
use super::process::Usage;
use super::report::{count, known, median, megabytes};
use crate::cli::api::table;

/// Sent before the clock starts: connections are made, statements prepared, pages of the database cached.
pub const WARM_UP: usize = 400;

/// One round of one target.
#[derive(Debug, Clone)]
pub struct Round {
    /// `hub` or `floor`.
    pub what: &'static str,
    /// 1, 2 …; 0 is the warm-up.
    pub number: usize,
    /// Answered requests per second.
    pub rate: f64,
    /// Half of the answers came faster, in milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred came faster, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of the process per request in microseconds, user and system; unknown for a hub that is not our child.
    pub cpu_us: Option<f64>,
    /// Its memory after the round in kilobytes.
    pub rss_kb: Option<u64>,
    /// The most it ever had.
    pub peak_rss_kb: Option<u64>,
}

/// All rounds with one kind of request.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// What is sent, as it is written in tables: `CDR`.
    pub unit: &'static str,
    /// The measured rounds.
    pub rounds: Vec<Round>,
}

/// Requests in the order in which rounds take them: the warm-up, then one batch per round.
pub struct Batches(VecDeque<Arc<Vec<Shot>>>);

/// What one target has been sent so far, and the first thing it refused.
#[derive(Default)]
pub struct Sent {
    /// Answered as they should be.
    pub answered: usize,
    /// What the first other answer said.
    pub first_refusal: Option<String>,
}

impl Sent {
    /// Enters a round into the account; the warm-up counts there, but not among the rounds.
    pub fn enter(&mut self, (round, measured): (Round, Measured)) -> Option<Round> {
        self.answered += measured.answered;
        if self.first_refusal.is_none() {
            self.first_refusal = measured.first_refusal;
        }
        (round.number > 0).then_some(round)
    }
}

impl Batches {
    /// Cuts them.
    #[must_use]
    pub fn new(mut shots: Vec<Shot>, per_round: usize) -> Batches {
        let mut batches = VecDeque::new();
        let mut rest = shots.split_off(WARM_UP.min(shots.len()));
        batches.push_back(Arc::new(shots));
        while !rest.is_empty() {
            let next = rest.split_off(per_round.min(rest.len()));
            batches.push_back(Arc::new(std::mem::replace(&mut rest, next)));
        }
        Batches(batches)
    }

    /// The next batch; empty when there is none left.
    pub fn take(&mut self) -> Arc<Vec<Shot>> {
        self.0.pop_front().unwrap_or_default()
    }
}

/// Sends one batch and reads before and after what the process used.
pub async fn one_round(
    what: &'static str,
    number: usize,
    address: &str,
    batch: Arc<Vec<Shot>>,
    connections: usize,
    usage: impl Fn() -> Option<Usage>,
) -> (Round, Measured) {
    let before = usage();
    let measured = load::send(address, batch, connections).await;
    let after = usage();
    let round = Round {
        what,
        number,
        rate: measured.rate(),
        p50_ms: load::percentile_ms(&measured.latencies, 50),
        p99_ms: load::percentile_ms(&measured.latencies, 99),
        cpu_us: cpu_us(before, after, measured.answered),
        rss_kb: after.map(|usage| usage.rss_kb),
        peak_rss_kb: after.map(|usage| usage.peak_rss_kb),
    };
    (round, measured)
}

/// Processor time per piece of work, in microseconds.
#[must_use]
pub fn cpu_us(before: Option<Usage>, after: Option<Usage>, pieces: usize) -> Option<f64> {
    let (before, after) = before.zip(after)?;
    let used = usize::try_from(after.cpu_us.saturating_sub(before.cpu_us)).unwrap_or(usize::MAX);
    Some(count(used) / count(pieces.max(1)))
}

impl Rounds {
    /// Hub over floor: rates, and processor time the other way round. Medians of the rounds; `None` without a floor.
    #[must_use]
    pub fn ratios(&self) -> Option<(f64, Option<f64>)> {
        let rate = self.median("hub", |round| Some(round.rate))? / self.median("floor", |round| Some(round.rate))?;
        let cpu = self.median("hub", |round| round.cpu_us);
        let floor_cpu = self.median("floor", |round| round.cpu_us);
        Some((
            rate,
            cpu.zip(floor_cpu).map(|(hub, floor)| floor / hub.max(f64::EPSILON)),
        ))
    }

    fn median(&self, what: &str, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let rounds = self.rounds.iter().filter(|round| round.what == what);
        median(rounds.filter_map(figure))
    }

    /// The rounds and their medians, and below it the ratio.
    #[must_use]
    pub fn table(&self) -> String {
        let measured = self.rounds.iter().map(|round| {
            vec![
                round.number.to_string(),
                round.what.to_owned(),
                format!("{:.0}", round.rate),
                format!("{:.1}", round.p50_ms),
                format!("{:.1}", round.p99_ms),
                known(round.cpu_us, 0),
                megabytes(round.rss_kb),
                megabytes(round.peak_rss_kb),
            ]
        });
        let mut rows: Vec<Vec<String>> = measured.collect();
        for what in ["floor", "hub"] {
            if let Some(rate) = self.median(what, |round| Some(round.rate)) {
                rows.push(vec![
                    "median".to_owned(),
                    what.to_owned(),
                    format!("{rate:.0}"),
                    known(self.median(what, |round| Some(round.p50_ms)), 1),
                    known(self.median(what, |round| Some(round.p99_ms)), 1),
                    known(self.median(what, |round| round.cpu_us), 0),
                    String::new(),
                    String::new(),
                ]);
            }
        }
        let (rate, cpu) = (format!("{}/s", self.unit), format!("CPU µs/{}", self.unit));
        let heads = ["round", "what", &rate, "p50 ms", "p99 ms", &cpu, "RSS MB", "peak MB"];
        let mut text = table(&heads, &rows);
        if let Some((rate, cpu)) = self.ratios() {
            text.push_str(&format!(
                "\n\nhub over bare path: {rate:.2} of the rate, {} of the {}s per CPU second",
                known(cpu, 2),
                self.unit
            ));
        }
        text
    }

    /// The same for scripts; the names of figures say what is counted: `cdrs_per_second`.
    #[must_use]
    pub fn figures(&self) -> Map<String, Value> {
        let unit = self.unit.to_ascii_lowercase();
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|round| {
                json!({
                    "what": round.what, "round": round.number, format!("{unit}s_per_second"): round.rate,
                    "p50_ms": round.p50_ms, "p99_ms": round.p99_ms, format!("cpu_us_per_{unit}"): round.cpu_us,
                    "rss_kb": round.rss_kb, "peak_rss_kb": round.peak_rss_kb,
                })
            })
            .collect();
        let ratios = self.ratios();
        let rate = |what: &str| self.median(what, |round| Some(round.rate));
        [
            ("rounds".to_owned(), json!(rounds)),
            (format!("hub_{unit}s_per_second"), json!(rate("hub"))),
            (format!("floor_{unit}s_per_second"), json!(rate("floor"))),
            ("rate_ratio".to_owned(), json!(ratios.map(|(rate, _)| rate))),
            ("cpu_ratio".to_owned(), json!(ratios.and_then(|(_, cpu)| cpu))),
        ]
        .into_iter()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn round(what: &'static str, number: usize, rate: f64) -> Round {
        Round {
            what,
            number,
            rate,
            p50_ms: 1.0,
            p99_ms: 2.0,
            cpu_us: Some(1e6 / rate),
            rss_kb: Some(2048),
            peak_rss_kb: None,
        }
    }

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let mut rounds = Rounds {
            unit: "CDR",
            rounds: vec![
                round("floor", 1, 100.0),
                round("hub", 1, 90.0),
                round("floor", 2, 50.0),
                round("hub", 2, 10.0),
                round("floor", 3, 100.0),
                round("hub", 3, 85.0),
            ],
        };
        let (rate, cpu) = rounds.ratios().unwrap();
        assert!((rate - 0.85).abs() < 1e-9 && (cpu.unwrap() - 0.85).abs() < 1e-9);
        assert!(rounds.table().contains("0.85 of the rate") && rounds.figures()["hub_cdrs_per_second"] == 85.0);
        rounds.rounds.retain(|round| round.what == "hub");
        assert_eq!(rounds.ratios(), None);
    }

    #[test]
    fn every_request_is_in_one_batch_and_in_its_order() {
        let shots = (0..WARM_UP + 5).map(|number| Shot::plain(number.to_string().into_bytes()));
        let mut batches = Batches::new(shots.collect(), 2);
        let mut sizes = Vec::new();
        let mut all = Vec::new();
        for _ in 0..5 {
            let batch = batches.take();
            sizes.push(batch.len());
            all.extend(batch.iter().map(|shot| shot.octets.clone()));
        }
        assert_eq!(sizes, [WARM_UP, 2, 2, 1, 0]);
        assert!(
            all.iter()
                .enumerate()
                .all(|(at, shot)| *shot == at.to_string().into_bytes())
        );
    }
}
