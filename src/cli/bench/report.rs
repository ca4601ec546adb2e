//! What was measured and whether the books balance, as text for people and as JSON for scripts.

use serde_json::{Map, Value, json};

/// Everything one run of the bench found.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was done, in one line.
    pub heading: String,
    /// Tables and the sentences that follow from them.
    pub sections: Vec<String>,
    /// The same for scripts. Rates and times are measurements, not amounts: binary floating point is fine for them.
    pub figures: Map<String, Value>,
    /// The books of everybody who was measured.
    pub books: Vec<Books>,
}

/// What somebody was sent, and what must have become of it.
#[derive(Debug, Clone)]
pub struct Books {
    what: &'static str,
    sent: usize,
    counts: Vec<Count>,
    first_refusal: Option<String>,
}

#[derive(Debug, Clone)]
struct Count {
    name: &'static str,
    is: usize,
    should: usize,
}

impl Report {
    /// Whether all books balance. A run without books proves nothing.
    #[must_use]
    pub fn balances(&self) -> bool {
        !self.books.is_empty() && self.books.iter().all(Books::balance)
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let books: Vec<String> = self.books.iter().map(Books::text).collect();
        let mut parts = vec![self.heading.clone()];
        parts.extend(self.sections.iter().cloned());
        parts.push(books.join("\n"));
        parts.join("\n\n")
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> String {
        let mut document = self.figures.clone();
        document.insert("books".to_owned(), self.books.iter().map(Books::json).collect());
        document.insert("balanced".to_owned(), json!(self.balances()));
        serde_json::to_string_pretty(&Value::Object(document)).unwrap_or_default()
    }
}

impl Books {
    /// Books of somebody who was sent so many.
    #[must_use]
    pub fn of(what: &'static str, sent: usize) -> Books {
        Books {
            what,
            sent,
            counts: Vec::new(),
            first_refusal: None,
        }
    }

    /// There must be as many of these as were sent.
    #[must_use]
    pub fn all(self, name: &'static str, is: usize) -> Books {
        let should = self.sent;
        self.exactly(name, is, should)
    }

    /// There must be none of these.
    #[must_use]
    pub fn none(self, name: &'static str, is: usize) -> Books {
        self.exactly(name, is, 0)
    }

    /// There must be this many.
    #[must_use]
    pub fn exactly(mut self, name: &'static str, is: usize, should: usize) -> Books {
        self.counts.push(Count { name, is, should });
        self
    }

    /// What the first refusal said.
    #[must_use]
    pub fn refused(mut self, first: Option<String>) -> Books {
        self.first_refusal = self.first_refusal.or(first);
        self
    }

    /// Whether everything that was sent is where it belongs, once.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.counts.iter().all(|count| count.is == count.should)
    }

    fn text(&self) -> String {
        let counts = self.counts.iter().map(|count| match count.should {
            should if should == 0 || should == self.sent => format!(", {} {}", count.name.replace('_', " "), count.is),
            should => format!(", {} {} of {should}", count.name.replace('_', " "), count.is),
        });
        let counts: String = counts.collect();
        let verdict = if self.balance() { "balanced" } else { "NOT BALANCED" };
        let mut text = format!("books of the {}: sent {}{counts}: {verdict}", self.what, self.sent);
        if let Some(refusal) = &self.first_refusal {
            text.push_str(&format!("\nfirst refusal by the {}: {refusal}", self.what));
        }
        text
    }

    fn json(&self) -> Value {
        let mut books = Map::new();
        books.insert("what".to_owned(), json!(self.what));
        books.insert("sent".to_owned(), json!(self.sent));
        for count in &self.counts {
            books.insert(count.name.to_owned(), json!(count.is));
        }
        books.insert("balanced".to_owned(), json!(self.balance()));
        books.insert("first_refusal".to_owned(), json!(self.first_refusal));
        Value::Object(books)
    }
}

/// A figure with so many digits, or a dash where it is not known.
#[must_use]
pub fn known(figure: Option<f64>, digits: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
}

/// Kilobytes as whole megabytes, or a dash.
#[must_use]
pub fn megabytes(kilobytes: Option<u64>) -> String {
    kilobytes.map_or("-".to_owned(), |kilobytes| (kilobytes / 1024).to_string())
}

/// The middle one, or the mean of the two in the middle; `None` where there is nothing.
#[must_use]
pub fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    Some(f64::midpoint(*figures.get(last / 2)?, *figures.get(last.div_ceil(2))?))
}

/// A count as a number to divide; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 requests")]
#[must_use]
pub fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report(books: Books) -> Report {
        Report {
            heading: "ten of them".to_owned(),
            sections: Vec::new(),
            figures: Map::new(),
            books: vec![books],
        }
    }

    #[test]
    fn one_missing_or_one_twice_and_the_books_do_not_balance() {
        let good = || Books::of("hub", 10).all("answered", 10).none("twice", 0);
        assert!(report(good()).balances() && report(good()).text().contains("twice 0: balanced"));
        for spoilt in [
            good().all("stored", 11),
            good().all("delivered", 9),
            good().none("strangers", 1),
            good().exactly("newest_held", 4, 5),
        ] {
            let spoilt = report(spoilt);
            assert!(!spoilt.balances() && spoilt.text().contains("NOT BALANCED"));
            let document: Value = serde_json::from_str(&spoilt.json()).unwrap();
            assert_eq!(
                (&document["balanced"], &document["books"][0]["answered"]),
                (&json!(false), &json!(10))
            );
        }
        let nothing = Report {
            books: Vec::new(),
            ..report(good())
        };
        assert!(!nothing.balances(), "who counted nothing knows nothing");
    }

    #[test]
    fn a_median_of_two_lies_between_them() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}
