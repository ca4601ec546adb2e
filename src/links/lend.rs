//! Lending: a URL of ours for a URL of theirs, unguessable, short enough, bound to the platform that may use it.
//!
//! How long an answer's address lives (D-14, CMD-11): at least 24 hours and the receiver's `timeout`; for a reservation until 24
//! hours after its `expiry_date`, because the CPO reports its end at the same place (CMD-08); one hour where the receiver did not
//! accept, since nothing is to come then (CMD-04), and a receiver that answers in spite of it is heard.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::Links;
use crate::ocpi::envelope;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::url;
use crate::ocpi::versions::Version;
use crate::parties::{Failure, Fault};
use crate::routing::directory::Platform;
use crate::store::LentRow;

/// What an answer is awaited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command.
    Command {
        /// Its name as in the URL: `RESERVE_NOW`.
        name: String,
        /// The `expiry_date` of a RESERVE_NOW (CMD-11).
        reserved_until: Option<DateTime<Utc>>,
    },
    /// GET of the active charging profile: `response_url` is in the query (CP-01).
    GetProfile,
    /// PUT of a charging profile (CP-02).
    SetProfile,
    /// DELETE of a charging profile: `response_url` is in the query (CP-03).
    ClearProfile,
}

/// An answer's address to lend.
#[derive(Clone, Copy)]
pub struct Lending<'a> {
    /// What the answer is to.
    pub kind: &'a Kind,
    /// The id of what was asked about, where the URL names one: a result does not (CP-13).
    pub object: &'a str,
    /// The `response_url` exactly as given, its query included (CMD-06).
    pub url: &'a str,
    /// Who asks whom: only the platform that is asked may use what is lent.
    pub between: Between<'a>,
}

/// The two ends of a request.
#[derive(Clone, Copy)]
pub struct Between<'a> {
    /// Who asks.
    pub requester: &'a Platform,
    /// Who asks, as registered.
    pub requester_party: &'a PartyId,
    /// Who is asked.
    pub receiver: &'a Platform,
    /// Who is asked, as registered.
    pub receiver_party: &'a PartyId,
    /// The eMSP in whose name is asked, where that is not who asks: each of the two ends deals with it alone.
    pub acts_for: Option<&'a PartyId>,
}

/// An answer's address as lent.
#[derive(Clone)]
pub struct LentAnswer {
    /// For [`Links::answered`].
    pub id: String,
    /// The `response_url` to send on: at most 255 characters (T-46).
    pub url: String,
}

// By hand: who knows the id may answer.
impl std::fmt::Debug for LentAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LentAnswer(***)")
    }
}

/// A next page to lend.
#[derive(Clone, Copy)]
pub struct PageLending<'a> {
    /// The module of the list.
    pub module: &'a str,
    /// The next page as the receiver's `Link` says it; it may be relative.
    pub next: &'a str,
    /// The URL whose answer said so ([`crate::parties::line::Line::address`]).
    pub asked: &'a str,
    /// Who reads whose list: only the platform that reads may use what is lent.
    pub between: Between<'a>,
}

/// A next page as lent: the URL for our `Link` header, at most 255 characters (T-46).
pub type LentPage = String;

/// `kind` in the store.
pub(super) const ANSWER: &str = "answer";
/// `kind` in the store.
pub(super) const PAGE: &str = "page";
/// `what` in the store, of a charging profile that is set.
pub(super) const SET_PROFILE: &str = "PUT";

impl Kind {
    /// The module it belongs to.
    #[must_use]
    pub fn module(&self) -> &'static str {
        match self {
            Kind::Command { .. } => "commands",
            Kind::GetProfile | Kind::SetProfile | Kind::ClearProfile => "chargingprofiles",
        }
    }

    /// What was asked, in a word for the journal.
    fn what(&self) -> &str {
        match self {
            Kind::Command { name, .. } => name,
            Kind::GetProfile => "GET",
            Kind::SetProfile => SET_PROFILE,
            Kind::ClearProfile => "DELETE",
        }
    }

    /// Where the requester wrote its `response_url`.
    fn place(&self) -> &'static str {
        match self {
            Kind::Command { .. } | Kind::SetProfile => "/response_url",
            Kind::GetProfile | Kind::ClearProfile => "the query parameter response_url",
        }
    }

    fn reserved_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Kind::Command { reserved_until, .. } => *reserved_until,
            _ => None,
        }
    }
}

impl Between<'_> {
    /// A row that says who may use what from when to when. Every one is like no other, unless it is given another digest.
    fn row(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<LentRow, Fault> {
        let id = unguessable()?;
        Ok(LentRow {
            digest: id.clone(),
            id,
            kind: String::new(),
            module: String::new(),
            what: String::new(),
            object: String::new(),
            requester_platform: self.requester.id.as_str().to_owned(),
            requester_country_code: self.requester_party.country_code().to_owned(),
            requester_party_id: self.requester_party.party_id().to_owned(),
            receiver_platform: self.receiver.id.as_str().to_owned(),
            receiver_country_code: self.receiver_party.country_code().to_owned(),
            receiver_party_id: self.receiver_party.party_id().to_owned(),
            acts_for: self.acts_for.map(PartyId::to_string),
            url: String::new(),
            created_at: now,
            expires_at: until,
        })
    }
}

impl Links {
    /// Lends an answer's address (D-14, CMD-09). To be called before the command is sent: the answer may be faster than the
    /// command's own.
    ///
    /// # Errors
    /// 2001 naming `response_url` when it is no web address, or one that the requester's token may not be sent to (N-04, N-05):
    /// told at once, for later there is nobody to tell. Longer than 255 characters is only logged.
    pub async fn lend_answer(&self, lending: Lending<'_>) -> Result<LentAnswer, Failure> {
        let place = lending.kind.place();
        let wrong = |why: &str| Refusal::invalid_parameter(format!("{place}: {why}"));
        // No URL has a blank in it: in a query it was a plus that its writer should have encoded, and left as it was.
        let url = match lending.kind {
            Kind::GetProfile | Kind::ClearProfile => lending.url.replace(' ', "+"),
            Kind::Command { .. } | Kind::SetProfile => lending.url.to_owned(),
        };
        if url.chars().any(|one| one.is_control() || one.is_whitespace()) {
            return Err(wrong("must be a URL, without blanks and control characters").into());
        }
        let may_call = self.parties.line().may_call(lending.between.requester, &url);
        may_call.map_err(|forbidden| wrong(&forbidden.to_string()))?;
        if url.chars().count() > 255 {
            log::warn!(
                "a response_url of {} is longer than 255 characters (T-46)",
                lending.between.requester_party
            );
        }
        let now = self.clock.now();
        let until = first_end(now, lending.kind.reserved_until());
        let id = self
            .add(LentRow {
                kind: ANSWER.to_owned(),
                module: lending.kind.module().to_owned(),
                what: lending.kind.what().to_owned(),
                object: lending.object.to_owned(),
                url,
                ..lending.between.row(now, until)?
            })
            .await?;
        let version = lending.between.receiver.version.unwrap_or(Version::V2_2_1);
        let url = self.hubs_url(&[version.as_str(), "callbacks", &id]);
        Ok(LentAnswer { id, url })
    }

    /// The receiver has answered the command itself, and the address lives on accordingly (D-14, CMD-11). Not to be called
    /// where no answer came: then nobody knows whether one is still to come.
    pub async fn answered(&self, lent: &LentAnswer, answer: &[u8]) {
        let now = self.clock.now();
        let changed = match accepted(answer) {
            // As long as it was lent for in any case.
            Some(timeout) if timeout <= DAY => Ok(false),
            Some(timeout) => self.store.lent_extend(&lent.id, later(now, timeout)).await,
            None => self.store.lent_shorten(&lent.id, later(now, HOUR)).await,
        };
        if let Err(error) = changed {
            // The requester has its answer; the address lives as long as it was lent for.
            log::error!("{}", Fault::new("changing how long a link lives", error).chain());
        }
    }

    /// Lends the next page of a routed list for 24 hours (D-11, P-12). The same page lent to the same reader again is the same URL.
    ///
    /// An address that may not be called is lent like any other, and following it fails: a list without `Link` would look complete.
    ///
    /// # Errors
    /// Only ours.
    pub async fn lend_page(&self, lending: PageLending<'_>) -> Result<LentPage, Fault> {
        let next = url::resolve(lending.asked, lending.next).unwrap_or_else(|| lending.next.to_owned());
        let now = self.clock.now();
        let id = self
            .add(LentRow {
                digest: digest(&lending, &next),
                kind: PAGE.to_owned(),
                module: lending.module.to_owned(),
                what: "GET".to_owned(),
                url: next,
                ..lending.between.row(now, later(now, DAY))?
            })
            .await?;
        Ok(self.hubs_url(&["p", &id]))
    }

    async fn add(&self, row: LentRow) -> Result<String, Fault> {
        let added = self.store.lent_add(row).await;
        added.map_err(|error| Fault::new("lending a link", error))
    }

    fn hubs_url(&self, segments: &[&str]) -> String {
        let base = url::join(&self.parties.settings().public_url, &["ocpi"]);
        url::join(&base, segments)
    }
}

const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// A reservation further ahead than this is a mistake, and its URL must not outlive everybody who could use it.
const LONGEST_RESERVATION: TimeDelta = TimeDelta::days(400);

/// 144 random bits in 24 characters that need no escape in a URL.
fn unguessable() -> Result<String, Fault> {
    let mut random = [0u8; 18];
    getrandom::fill(&mut random).map_err(|error| Fault::new("drawing a random id", error))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// The same for the same page of the same reader.
fn digest(lending: &PageLending<'_>, next: &str) -> String {
    let between = &lending.between;
    let page = [
        between.requester.id.as_str(),
        &between.requester_party.key(),
        between.receiver.id.as_str(),
        &between.receiver_party.key(),
        lending.module,
        next,
    ];
    // None of the others can have a line feed in it.
    hex::encode(Sha256::digest(page.join("\n")))
}

/// How long an address lives before anybody has answered (CMD-11).
fn first_end(now: DateTime<Utc>, reserved_until: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let reserved_until = reserved_until.unwrap_or(now).min(later(now, LONGEST_RESERVATION));
    later(now.max(reserved_until), DAY)
}

/// An instant later, or the last one there is.
fn later(instant: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    instant.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The `timeout` of a CommandResponse or ChargingProfileResponse that says ACCEPTED; `None` for everything else (CMD-02, CP-04).
fn accepted(answer: &[u8]) -> Option<TimeDelta> {
    let envelope = envelope::read(answer).ok()?;
    let data = envelope.data.filter(|_| envelope.status_code.is_success())?;
    let response = Fields::of_text(data.get(), "/data".to_owned(), ["result", "timeout"]).ok()?;
    let result = response.text("result").ok()??;
    if !result.eq_ignore_ascii_case("ACCEPTED") {
        return None;
    }
    // A timeout that cannot be read costs nothing: a day is longer than any that was ever seen.
    let seconds = response.raw("timeout").and_then(|text| text.parse::<u32>().ok());
    Some(TimeDelta::seconds(seconds.unwrap_or(0).into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn envelope(code: u32, data: &str) -> Vec<u8> {
        format!("{{\"status_code\":{code},\"data\":{data},\"timestamp\":\"2026-11-21T12:00:00Z\"}}").into_bytes()
    }

    // CMD-09, D-14
    #[test]
    fn an_id_is_unguessable_and_one_url_segment() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let id = unguessable().unwrap();
            assert_eq!((id.len(), url::join("x", &[&id])), (24, format!("x/{id}")));
            assert!(seen.insert(id));
        }
    }

    // CMD-11, D-14
    #[test]
    fn a_reservation_can_be_answered_until_a_day_after_its_end() {
        let now = at("2026-11-21T12:00:00Z");
        for (reserved_until, end) in [
            (None, "2026-11-22T12:00:00Z"),
            (Some("2026-11-21T14:30:00Z"), "2026-11-22T14:30:00Z"),
            (Some("2026-12-24T18:00:00Z"), "2026-12-25T18:00:00Z"),
            (Some("2020-01-01T00:00:00Z"), "2026-11-22T12:00:00Z"),
        ] {
            assert_eq!(first_end(now, reserved_until.map(at)), at(end), "{reserved_until:?}");
        }
        let never = first_end(now, Some(DateTime::<Utc>::MAX_UTC));
        assert_eq!(never, at("2027-12-27T12:00:00Z"), "400 days and one");
    }

    // CMD-02, CP-04, D-14
    #[test]
    fn only_accepted_means_that_an_answer_is_still_to_come() {
        let seconds = |answer: &[u8]| accepted(answer).map(|timeout| timeout.num_seconds());
        assert_eq!(
            seconds(&envelope(1000, r#"{"result":"ACCEPTED","timeout":30}"#)),
            Some(30)
        );
        assert_eq!(
            seconds(&envelope(
                1000,
                r#"{"timeout":100000,"result":"ACCEPTED","message":[]}"#
            )),
            Some(100_000)
        );
        for odd in ["\"30\"", "-1", "1.5", "1e99", "99999999999999999999", "null", "[]"] {
            let answer = envelope(1000, &format!(r#"{{"result":"ACCEPTED","timeout":{odd}}}"#));
            assert_eq!(seconds(&answer), Some(0), "{odd}");
        }
        for answer in [
            envelope(1000, r#"{"result":"REJECTED","timeout":30}"#),
            envelope(1000, r#"{"result":"NOT_SUPPORTED","timeout":30}"#),
            envelope(1000, r#"{"result":"UNKNOWN_SESSION","timeout":30}"#),
            envelope(1000, r#"{"result":"TOO_OFTEN","timeout":30}"#),
            envelope(2003, r#"{"result":"ACCEPTED","timeout":30}"#),
            envelope(1000, r#"{"result":["ACCEPTED"]}"#),
            envelope(1000, "null"),
            envelope(1000, "\"ACCEPTED\""),
            b"<html>".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(accepted(&answer), None, "{}", String::from_utf8_lossy(&answer));
        }
    }
}
