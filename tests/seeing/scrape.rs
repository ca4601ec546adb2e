//! Reading `/metrics` as somebody else's program reads it, and holding every line to the letter of the format.

use std::collections::{BTreeMap, BTreeSet};

use prometheus_parse::{Scrape, Value};
use truewatt::client::{Answer, Method};

use crate::common::site::{OPERATOR, Site, owned};

/// All numbers of one moment.
pub struct Numbers {
    scrape: Scrape,
    pub text: String,
}

/// What `/metrics` answers to this Authorization.
pub async fn fetch(site: &Site, authorization: Option<&str>, accept: Option<&str>) -> Answer {
    let mut headers = Vec::new();
    headers.extend(
        authorization
            .into_iter()
            .flat_map(|value| owned(&[("Authorization", value)])),
    );
    headers.extend(accept.into_iter().flat_map(|value| owned(&[("Accept", value)])));
    site.send(Method::GET, "/metrics", headers, None).await
}

impl Numbers {
    /// As an operator reads them.
    pub async fn of(site: &Site) -> Numbers {
        let answer = fetch(site, Some(&format!("Bearer {OPERATOR}")), None).await;
        assert_eq!(answer.status, 200);
        Numbers::read(&answer)
    }

    pub fn read(answer: &Answer) -> Numbers {
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        check_every_line(&text);
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Numbers {
            scrape: Scrape::parse(lines).unwrap(),
            text,
        }
    }

    /// The sum of all numbers of a family with these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&prometheus_parse::Sample| {
            sample.metric == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(label) == Some(value))
        };
        let values = self
            .scrape
            .samples
            .iter()
            .filter(fits)
            .map(|sample| match sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
                Value::Histogram(_) | Value::Summary(_) => panic!("{name} is no single number"),
            });
        values.sum()
    }

    /// The same as a whole number.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum = self.sum(name, labels);
        assert!(sum.fract() == 0.0 && sum >= 0.0, "{name}: {sum}");
        sum as u64
    }

    /// The series there are, but for those of two families that begin like this, with and without `s`.
    pub fn series_but(&self, family: &str) -> BTreeSet<&str> {
        let plural = family.replacen("request_", "requests_", 1);
        let samples = self.text.lines().filter(|line| !line.starts_with('#'));
        let others = samples.filter(|line| !line.starts_with(family) && !line.starts_with(&plural));
        others.map(|line| line.rsplit_once(' ').unwrap().0).collect()
    }

    /// Every value of a label, wherever it stands.
    pub fn values_of(&self, label: &str) -> BTreeSet<String> {
        let labels = self.scrape.samples.iter().filter_map(|sample| sample.labels.get(label));
        labels.map(str::to_owned).collect()
    }
}

/// Every line is a description or a sample, every family is described once, before its samples and by both lines, no series stands
/// twice, and the buckets of a distribution grow up to their count.
fn check_every_line(text: &str) {
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    let (mut series, mut current) = (BTreeSet::new(), String::new());
    let mut buckets: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    let is_name = |name: &str| {
        name.starts_with("truewatt_")
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(
                is_name(name) && help.len() > 10 && helped.insert(name.to_owned()),
                "{line}"
            );
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                name == current && ["counter", "gauge", "histogram"].contains(&kind),
                "{line}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            typed.insert(name.to_owned(), kind.to_owned());
        } else {
            let (name, labels, value) = sample(line);
            assert!(is_name(&name), "{line}");
            let kind = &typed[&current];
            let family = match kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end)),
                _ => Some(name.as_str()),
            };
            assert_eq!(family, Some(current.as_str()), "{line}");
            assert!(series.insert((name.clone(), labels.clone())), "twice: {line}");
            let others = labels.iter().filter(|(label, _)| label != "le");
            let key = format!("{current} {:?}", others.collect::<Vec<_>>());
            if name.ends_with("_bucket") {
                let grown = buckets.entry(key).or_default();
                assert!(grown.last().is_none_or(|before| *before <= value), "{line}");
                grown.push(value);
            } else if name.ends_with("_count") && kind == "histogram" {
                counts.insert(key, value);
            }
        }
    }
    let last = |(key, grown): (&String, &Vec<f64>)| (key.clone(), grown.last().copied().unwrap());
    assert_eq!(buckets.iter().map(last).collect::<BTreeMap<_, _>>(), counts);
    assert_eq!(helped, typed.into_keys().collect());
    assert!(helped.len() > 20, "only {} families", helped.len());
}

/// Name, labels and value of a line.
fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        while !inside.starts_with('}') {
            let (label, after) = inside.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut letters = after.char_indices();
            let end = loop {
                match letters.next().unwrap() {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(match letters.next().unwrap().1 {
                        'n' => '\n',
                        other @ ('\\' | '"') => other,
                        other => panic!("\\{other} in {line}"),
                    }),
                    (_, letter) => value.push(letter),
                }
            };
            labels.push((label.to_owned(), value));
            inside = after[end..].strip_prefix(',').unwrap_or(&after[end..]);
        }
        rest = &inside[1..];
    }
    let value = rest.strip_prefix(' ').unwrap();
    labels.sort();
    (name.to_owned(), labels, value.parse().unwrap())
}
