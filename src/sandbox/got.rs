//! What a neighbour got: every request, octet by octet.

use std::fmt;
use std::time::Instant;

use super::behaviour::Door;

/// One request a neighbour received.
#[derive(Clone)]
pub struct Got {
    /// `GET`, `POST` …
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without the question mark; empty when there was none.
    pub query: String,
    /// Names in lower case, values as sent. Contains the `Authorization` header, which [`fmt::Debug`] leaves out.
    pub headers: Vec<(String, String)>,
    /// The octets of the body.
    pub body: Vec<u8>,
    /// The door it came to; `None` when there is none at that URL.
    pub door: Option<Door>,
    /// When it had been read.
    pub arrived: Instant,
    /// When its answer was made, a slow temper behind it.
    pub settled: Instant,
    /// How it was answered: the HTTP status, or 0 when no answer was given on purpose.
    pub answered: u16,
    /// Why it was not taken, in the words of the answer.
    pub refused: Option<String>,
}

impl Got {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the other one arrived before this one was settled, or the other way round: two at a time.
    #[must_use]
    pub fn overlaps(&self, other: &Got) -> bool {
        self.arrived < other.settled && other.arrived < self.settled
    }

    /// The pair of routing headers `OCPI-to-…` or `OCPI-from-…`, as `DE/ABC` in the spelling sent.
    #[must_use]
    pub fn pair(&self, which: &str) -> Option<String> {
        let country_code = self.header(&format!("ocpi-{which}-country-code"))?;
        Some(format!(
            "{country_code}/{}",
            self.header(&format!("ocpi-{which}-party-id"))?
        ))
    }

    /// The body as text; octets that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The member `id` of the body, when it is an object that has one.
    #[must_use]
    pub fn object_id(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Head {
            id: String,
        }
        serde_json::from_slice::<Head>(&self.body).ok().map(|head| head.id)
    }

    /// The raw text of the member `metering_validation`, when the body carries the hub's marker.
    #[must_use]
    pub fn marker(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            metering_validation: Option<&'a serde_json::value::RawValue>,
        }
        serde_json::from_slice::<Head<'_>>(&self.body)
            .ok()?
            .metering_validation
            .map(|raw| raw.get().to_owned())
    }
}

impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| name != "authorization")
            .collect();
        f.debug_struct("Got")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &headers)
            .field("door", &self.door)
            .field("body_octets", &self.body.len())
            .field("answered", &self.answered)
            .field("refused", &self.refused)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_got_can_be_printed_without_the_token_and_the_driver() {
        let got = Got {
            method: "POST".to_owned(),
            path: "/cdrs".to_owned(),
            query: String::new(),
            headers: vec![("authorization".to_owned(), "Token c2VjcmV0".to_owned())],
            body: br#"{"id":"C1","cdr_token":{"uid":"DRIVER"}}"#.to_vec(),
            door: Some(Door::CdrReceiver),
            arrived: Instant::now(),
            settled: Instant::now(),
            answered: 201,
            refused: None,
        };
        let printed = format!("{got:?}");
        assert!(!printed.contains("c2VjcmV0") && !printed.contains("DRIVER"));
        assert_eq!(got.object_id().as_deref(), Some("C1"));
        assert_eq!(got.marker(), None);
    }
}
