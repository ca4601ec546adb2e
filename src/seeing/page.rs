//! All numbers as one text, in the two spellings that are read today: OpenMetrics, and the older format of Prometheus.

use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Sizes, Tally};

/// What stands before every name.
const PREFIX: &str = "truewatt";

/// The `Content-Type` of [`Page::open_metrics`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The `Content-Type` of [`Page::prometheus`].
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of one number.
pub type Labels = Vec<(&'static str, String)>;

/// Families of numbers, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Page(Vec<Family>);

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Counters(Vec<(Labels, u64)>),
    Gauges(Vec<(Labels, f64)>),
    Histograms(Vec<(Labels, Histogram)>),
}

impl Page {
    /// Numbers that only grow, until the process ends. `_total` is added to the name.
    pub fn counters(&mut self, name: &'static str, help: &'static str, rows: impl IntoIterator<Item = (Labels, u64)>) {
        self.add(name, help, Rows::Counters(rows.into_iter().collect()));
    }

    /// The numbers of a tally, one for each of its words.
    pub fn tally(&mut self, name: &'static str, help: &'static str, label: &'static str, tally: &Tally) {
        let rows = tally.numbers().into_iter();
        self.counters(
            name,
            help,
            rows.map(|(word, number)| (vec![(label, word.to_owned())], number)),
        );
    }

    /// Numbers as they are now.
    pub fn gauges(&mut self, name: &'static str, help: &'static str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.add(name, help, Rows::Gauges(rows.into_iter().collect()));
    }

    /// A single number as it is now.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    /// Distributions.
    pub fn sizes(&mut self, name: &'static str, help: &'static str, rows: impl IntoIterator<Item = (Labels, Sizes)>) {
        let rows = rows.into_iter().map(|(labels, sizes)| (labels, sizes.histogram()));
        self.add(name, help, Rows::Histograms(rows.collect()));
    }

    fn add(&mut self, name: &'static str, help: &'static str, rows: Rows) {
        self.0.push(Family { name, help, rows });
    }

    /// As OpenMetrics.
    ///
    /// # Errors
    /// None in practice: a text in memory takes what is written to it.
    pub fn open_metrics(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// As Prometheus read it before OpenMetrics: there a counter's name has its `_total` also where it is described, and nothing marks the
    /// end.
    ///
    /// # Errors
    /// As [`Page::open_metrics`].
    pub fn prometheus(self) -> Result<String, fmt::Error> {
        let counters: Vec<String> = self
            .0
            .iter()
            .filter(|family| matches!(family.rows, Rows::Counters(_)))
            .map(|family| format!("{PREFIX}_{}", family.name))
            .collect();
        let modern = self.open_metrics()?;
        let mut text = String::with_capacity(modern.len() + 1024);
        for line in modern.lines().filter(|line| *line != "# EOF") {
            match described(line) {
                Some((what, name, rest)) if counters.iter().any(|counter| counter == name) => {
                    writeln!(text, "# {what} {name}_total {rest}")?;
                }
                _ => writeln!(text, "{line}")?,
            }
        }
        Ok(text)
    }
}

/// What a line says about a family: `HELP` or `TYPE`, the name, and the rest.
fn described(line: &str) -> Option<(&str, &str, &str)> {
    let (what, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((what, name, rest))
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let kind = match &family.rows {
                Rows::Counters(_) => MetricType::Counter,
                Rows::Gauges(_) => MetricType::Gauge,
                Rows::Histograms(_) => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            // A number alone has no labels, and no braces around none: not every reader knows what those are.
            match &family.rows {
                Rows::Counters(rows) => match rows.as_slice() {
                    [(labels, value)] if labels.is_empty() => ConstCounter::new(*value).encode(metric)?,
                    rows => {
                        for (labels, value) in rows {
                            ConstCounter::new(*value).encode(metric.encode_family(labels)?)?;
                        }
                    }
                },
                Rows::Gauges(rows) => match rows.as_slice() {
                    [(labels, value)] if labels.is_empty() => ConstGauge::new(*value).encode(metric)?,
                    rows => {
                        for (labels, value) in rows {
                            ConstGauge::new(*value).encode(metric.encode_family(labels)?)?;
                        }
                    }
                },
                Rows::Histograms(rows) => match rows.as_slice() {
                    [(labels, histogram)] if labels.is_empty() => histogram.encode(metric)?,
                    rows => {
                        for (labels, histogram) in rows {
                            histogram.encode(metric.encode_family(labels)?)?;
                        }
                    }
                },
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn page() -> Page {
        let mut page = Page::default();
        let of = |platform: &str| vec![("platform", platform.to_owned())];
        page.counters("requests", "Requests.", [(of("a\"b\\c\nd"), 3)]);
        page.gauge("up", "Whether.", 1.0);
        let sizes = Sizes::of_groups();
        sizes.had(3);
        page.sizes("groups", "Groups.", [(of("p"), sizes)]);
        page
    }

    #[test]
    fn both_spellings_say_the_same_and_a_name_cannot_break_out_of_its_quotes() {
        let modern = page().open_metrics().unwrap();
        assert!(modern.starts_with("# HELP truewatt_requests Requests.\n# TYPE truewatt_requests counter\n"));
        assert!(
            modern.contains("truewatt_requests_total{platform=\"a\\\"b\\\\c\\nd\"} 3\n"),
            "{modern}"
        );
        assert!(
            modern.contains("truewatt_groups_bucket{le=\"4.0\",platform=\"p\"} 1\n"),
            "{modern}"
        );
        assert!(modern.ends_with("# EOF\n"));
        let older = page().prometheus().unwrap();
        assert!(older.contains("# TYPE truewatt_requests_total counter\n"), "{older}");
        assert!(older.contains("# TYPE truewatt_up gauge\ntruewatt_up 1.0\n"), "{older}");
        assert!(!older.contains("EOF"));
        let samples = |text: &str| {
            let samples = text.lines().filter(|line| !line.starts_with('#'));
            samples.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(samples(&modern), samples(&older));
    }
}
