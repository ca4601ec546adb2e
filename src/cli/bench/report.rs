//! What was measured, as a table for people and as JSON for scripts.

use serde_json::json;

use crate::cli::api::table;

/// Everything one run of the bench found.
#[derive(Debug, Clone)]
pub struct Report {
    /// CDRs per round.
    pub cdrs: usize,
    /// Connections that posted at the same time.
    pub connections: usize,
    /// Which database, in words.
    pub database: String,
    /// Processor cores of this machine, shared by hub, load generator and receiver.
    pub cores: usize,
    /// Every measured round.
    pub rounds: Vec<Round>,
    /// The books of each target.
    pub books: Vec<Books>,
}

/// One round of one target.
#[derive(Debug, Clone)]
pub struct Round {
    /// `hub` or `floor`.
    pub what: &'static str,
    /// 1, 2 …; 0 is the warm-up.
    pub number: usize,
    /// Answered CDRs per second.
    pub rate: f64,
    /// Half of the answers came faster, in milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred came faster, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of the process per CDR in microseconds, user and system; unknown for a hub that is not our child.
    pub cpu_us_per_cdr: Option<f64>,
    /// Its memory after the round in kilobytes.
    pub rss_kb: Option<u64>,
    /// The most it ever had.
    pub peak_rss_kb: Option<u64>,
}

/// Sent = answered = stored = delivered, none twice.
#[derive(Debug, Clone)]
pub struct Books {
    /// `hub` or `floor`.
    pub what: &'static str,
    /// CDRs that were sent, warm-up included.
    pub sent: usize,
    /// Answered with 1000.
    pub answered: usize,
    /// Kept, each under its own id.
    pub stored: usize,
    /// Arrived at the receiver and known as delivered.
    pub delivered: usize,
    /// Kept or arrived more than once.
    pub twice: usize,
    /// Arrived although nobody sent them.
    pub strangers: usize,
    /// What the first refusal said.
    pub first_refusal: Option<String>,
}

impl Books {
    /// Whether everything that was sent is where it belongs, once.
    #[must_use]
    pub fn balance(&self) -> bool {
        [self.answered, self.stored, self.delivered]
            .iter()
            .all(|count| *count == self.sent)
            && self.twice == 0
            && self.strangers == 0
    }
}

impl Report {
    /// Whether all books balance.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.books.iter().all(Books::balance)
    }

    /// Hub over floor: rates, and processor time the other way round. Medians of the rounds; `None` without a floor.
    #[must_use]
    pub fn ratios(&self) -> Option<(f64, Option<f64>)> {
        let rate = self.median("hub", |round| Some(round.rate))? / self.median("floor", |round| Some(round.rate))?;
        let cpu = self.median("hub", |round| round.cpu_us_per_cdr);
        let floor_cpu = self.median("floor", |round| round.cpu_us_per_cdr);
        Some((
            rate,
            cpu.zip(floor_cpu).map(|(hub, floor)| floor / hub.max(f64::EPSILON)),
        ))
    }

    fn median(&self, what: &str, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let mut figures: Vec<f64> = self
            .rounds
            .iter()
            .filter(|round| round.what == what)
            .filter_map(figure)
            .collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        Some(f64::midpoint(*figures.get(last / 2)?, *figures.get(last.div_ceil(2))?))
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let known =
            |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"));
        let megabytes = |kilobytes: Option<u64>| kilobytes.map_or("-".to_owned(), |kb| format!("{}", kb / 1024));
        let mut rows: Vec<Vec<String>> = self
            .rounds
            .iter()
            .map(|round| {
                vec![
                    round.number.to_string(),
                    round.what.to_owned(),
                    format!("{:.0}", round.rate),
                    format!("{:.1}", round.p50_ms),
                    format!("{:.1}", round.p99_ms),
                    known(round.cpu_us_per_cdr, 0),
                    megabytes(round.rss_kb),
                    megabytes(round.peak_rss_kb),
                ]
            })
            .collect();
        for what in ["floor", "hub"] {
            let Some(rate) = self.median(what, |round| Some(round.rate)) else {
                continue;
            };
            rows.push(vec![
                "median".to_owned(),
                what.to_owned(),
                format!("{rate:.0}"),
                known(self.median(what, |round| Some(round.p50_ms)), 1),
                known(self.median(what, |round| Some(round.p99_ms)), 1),
                known(self.median(what, |round| round.cpu_us_per_cdr), 0),
                String::new(),
                String::new(),
            ]);
        }
        let mut text = format!(
            "{} CDRs per round with two secp256r1 signatures each, {} connections, database {}, {} cores for everybody\n\n{}\n\n",
            self.cdrs,
            self.connections,
            self.database,
            self.cores,
            table(
                &[
                    "round",
                    "what",
                    "CDR/s",
                    "p50 ms",
                    "p99 ms",
                    "CPU µs/CDR",
                    "RSS MB",
                    "peak MB"
                ],
                &rows
            )
        );
        if let Some((rate, cpu)) = self.ratios() {
            text.push_str(&format!(
                "hub over bare path: {rate:.2} of the rate, {} of the CDRs per CPU second\n",
                known(cpu, 2)
            ));
        }
        for books in &self.books {
            text.push_str(&format!(
                "books of the {}: sent {}, answered {}, stored {}, delivered {}, twice {}, strangers {}: {}\n",
                books.what,
                books.sent,
                books.answered,
                books.stored,
                books.delivered,
                books.twice,
                books.strangers,
                if books.balance() { "balanced" } else { "NOT BALANCED" }
            ));
            if let Some(refusal) = &books.first_refusal {
                text.push_str(&format!("first refusal by the {}: {refusal}\n", books.what));
            }
        }
        text.trim_end().to_owned()
    }

    /// For scripts. Rates and times are measurements, not amounts: binary floating point is fine for them.
    #[must_use]
    pub fn json(&self) -> String {
        let rounds: Vec<_> = self
            .rounds
            .iter()
            .map(|round| {
                json!({
                    "what": round.what, "round": round.number, "cdrs_per_second": round.rate, "p50_ms": round.p50_ms,
                    "p99_ms": round.p99_ms, "cpu_us_per_cdr": round.cpu_us_per_cdr, "rss_kb": round.rss_kb,
                    "peak_rss_kb": round.peak_rss_kb,
                })
            })
            .collect();
        let books: Vec<_> = self
            .books
            .iter()
            .map(|books| {
                json!({
                    "what": books.what, "sent": books.sent, "answered": books.answered, "stored": books.stored,
                    "delivered": books.delivered, "twice": books.twice, "strangers": books.strangers,
                    "balanced": books.balance(), "first_refusal": books.first_refusal,
                })
            })
            .collect();
        let ratios = self.ratios();
        let median = |what: &str| self.median(what, |round| Some(round.rate));
        serde_json::to_string_pretty(&json!({
            "cdrs": self.cdrs, "connections": self.connections, "database": self.database, "cores": self.cores,
            "rounds": rounds, "hub_cdrs_per_second": median("hub"), "floor_cdrs_per_second": median("floor"),
            "rate_ratio": ratios.map(|(rate, _)| rate), "cpu_ratio": ratios.and_then(|(_, cpu)| cpu),
            "books": books, "balanced": self.balances(),
        }))
        .unwrap_or_default()
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
            cpu_us_per_cdr: Some(1e6 / rate),
            rss_kb: Some(2048),
            peak_rss_kb: None,
        }
    }

    fn report() -> Report {
        let books = Books {
            what: "hub",
            sent: 10,
            answered: 10,
            stored: 10,
            delivered: 10,
            twice: 0,
            strangers: 0,
            first_refusal: None,
        };
        Report {
            cdrs: 10,
            connections: 1,
            database: "SQLite".to_owned(),
            cores: 2,
            rounds: vec![
                round("floor", 1, 100.0),
                round("hub", 1, 90.0),
                round("floor", 2, 50.0),
                round("hub", 2, 10.0),
                round("floor", 3, 100.0),
                round("hub", 3, 85.0),
            ],
            books: vec![books],
        }
    }

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let (rate, cpu) = report().ratios().unwrap();
        assert!((rate - 0.85).abs() < 1e-9 && (cpu.unwrap() - 0.85).abs() < 1e-9);
        let without_floor = Report {
            rounds: vec![round("hub", 1, 90.0)],
            ..report()
        };
        assert_eq!(without_floor.ratios(), None);
    }

    #[test]
    fn one_missing_or_one_twice_and_the_books_do_not_balance() {
        assert!(report().balances() && report().table().contains("balanced"));
        for spoil in [
            |books: &mut Books| books.answered = 9,
            |books: &mut Books| books.stored = 11,
            |books: &mut Books| books.delivered = 9,
            |books: &mut Books| books.twice = 1,
            |books: &mut Books| books.strangers = 1,
        ] {
            let mut spoilt = report();
            spoil(&mut spoilt.books[0]);
            assert!(!spoilt.balances() && spoilt.table().contains("NOT BALANCED"));
            let document: serde_json::Value = serde_json::from_str(&spoilt.json()).unwrap();
            assert_eq!(document["balanced"], false);
        }
    }
}
