//! The answer that comes later: what a receiver posts to a lent `response_url` goes on to the requester's own (D-14, R-38).
//!
//! The octets go on as they came and the requester's answer comes back as it came. Who is called, and in whose name, follows from
//! what was kept when the address was lent; what the caller's headers say is of no account. Every result that is sent is carried
//! once: the second, the late one and the one after a refusal too (CMD-08, CMD-11, CMD-12).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::lend::{ANSWER, SET_PROFILE};
use super::{Behind, Content, Links, nothing_here, party};
use crate::client::Method;
use crate::delivery::relay::{Expects, Relayed, relay};
use crate::ocpi::envelope;
use crate::ocpi::fields::Fields;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::json;
use crate::ocpi::modules::CHARGING_PROFILES;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::v2_2_1::heads::ResultWord;
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure, Fault};
use crate::seeing::Module;
use crate::store::{JournalEntry, LentRow};

/// A result that was taken, on its way to who asked.
pub struct Carried {
    lent: LentRow,
    /// Who was asked, and answers now.
    pub from: PartyId,
    /// Who asked.
    pub to: PartyId,
    /// In whose name, where not in its own: what the asked one thinks it answers to, and who tells the result.
    pub acts_for: Option<PartyId>,
    ids: MessageIds,
    body: Bytes,
}

/// What a result about a charging profile says.
pub struct ProfileResult<'a> {
    /// The id it came to.
    pub id: &'a str,
    /// The session.
    pub session: &'a str,
    /// What was asked: `GET`, `PUT`, `DELETE`.
    pub verb: &'a str,
    /// Whether it says ACCEPTED (CP-05).
    pub is_accepted: bool,
    /// The `profile` in it, as it stands there (CP-06).
    pub active: Option<String>,
}

impl Carried {
    /// What it says about a charging profile, if it is the result of a request about one.
    #[must_use]
    pub fn about_a_profile(&self) -> Option<ProfileResult<'_>> {
        let is_about_one = self.lent.module == CHARGING_PROFILES.identifier && !self.lent.object.is_empty();
        is_about_one.then(|| ProfileResult {
            id: &self.lent.id,
            session: &self.lent.object,
            verb: &self.lent.what,
            is_accepted: says_accepted(&self.body),
            active: profile_in(&self.body),
        })
    }

    /// The session a charging profile is set on from now on, if that is what this result says (CP-05, CP-13).
    #[must_use]
    pub fn steered(&self) -> Option<&str> {
        let is_set = self.lent.module == CHARGING_PROFILES.identifier && self.lent.what == SET_PROFILE;
        let session = Some(self.lent.object.as_str()).filter(|session| is_set && !session.is_empty())?;
        says_accepted(&self.body).then_some(session)
    }
}

impl Links {
    /// Takes a result at a lent `response_url` (CMD-10, CMD-13, CP-05); [`Links::carry`] carries it on.
    ///
    /// # Errors
    /// 404 for an id nobody has, for one that has expired and for every platform but the one that was asked; 400 for what is no
    /// JSON.
    pub async fn take(&self, caller: &Caller, ids: &MessageIds, id: &str, body: Bytes) -> Result<Carried, Failure> {
        let found = self.lent(id, ANSWER).await?;
        let lent = found
            .filter(|row| row.receiver_platform == caller.platform.id.as_str())
            .ok_or_else(nothing_here)?;
        json::check_syntax(&body).map_err(Refusal::from)?;
        Ok(Carried {
            from: party(&lent.receiver_country_code, &lent.receiver_party_id)?,
            to: party(&lent.requester_country_code, &lent.requester_party_id)?,
            acts_for: match &lent.acts_for {
                Some(named) => Some(
                    PartyId::from_slash(named).map_err(|error| Fault::new("reading the parties of a link", error))?,
                ),
                None => None,
            },
            lent,
            ids: ids.clone(),
            body,
        })
    }

    /// Carries a result to the requester's own `response_url`, and its answer back.
    ///
    /// Goes on where the caller hangs up: some send their result and do not wait for an answer.
    ///
    /// # Errors
    /// 4002 when the requester does not answer in time, 4003 when it is not connected.
    pub async fn carry(self: &Arc<Self>, result: Carried) -> Result<Behind, Failure> {
        let links = self.clone();
        let carried = tokio::spawn(async move { links.carry_on(result).await });
        carried.await.map_err(|error| Fault::new("carrying a result", error))?
    }

    async fn carry_on(&self, result: Carried) -> Result<Behind, Failure> {
        if is_enveloped(&result.body) {
            log::info!(
                "{} sends the result of {} in an envelope; it goes on as it is (F-17)",
                result.from,
                result.lent.what
            );
        }
        let began = self.clock.now();
        let answer = self.post(&result).await;
        let took = self.clock.now().signed_duration_since(began).num_milliseconds();
        self.write_down(&result, &answer, took).await;
        let Relayed { http, body, code, .. } = answer?;
        Ok(Behind {
            content: Content::Relayed {
                http,
                body,
                code: Some(code),
            },
            // The caller is the one who was asked (R-08).
            to: result.from,
            from: result.acts_for.unwrap_or(result.to),
            headers: Vec::new(),
        })
    }

    async fn post(&self, result: &Carried) -> Result<Relayed, Refusal> {
        let platform = self.connected(&result.lent.requester_platform, &result.to)?;
        let call = Call {
            method: Method::POST,
            to: Target::Url(Module::identified(&result.lent.module), result.lent.url.clone()),
            query: None,
            routing: Some(Routing {
                to: Some(result.to.clone()),
                from: Some(result.acts_for.as_ref().unwrap_or(&result.from).clone()),
            }),
            ids: result.ids.clone(),
            body: Some(result.body.clone()),
            headers: Vec::new(),
            timeout: platform.options.timeouts.relay.or(Some(self.timeouts.answer)),
            max_answer: None,
        };
        relay(self.parties.line(), &platform, call, Expects::Object).await
    }

    async fn write_down(&self, result: &Carried, answer: &Result<Relayed, Refusal>, took: i64) {
        let (http_status, status_code, outcome) = match answer {
            Ok(relayed) => (
                Some(i64::from(relayed.http)),
                relayed.code.0,
                "result carried to the requester".to_owned(),
            ),
            Err(refusal) => (None, refusal.code().0, refusal.message.clone()),
        };
        let entry = JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: self.clock.now(),
            correlation_id: result.ids.correlation_id.clone().unwrap_or_default(),
            request_id: result.ids.request_id.clone(),
            from_party: Some(result.from.key()),
            to_party: Some(result.to.key()),
            platform: Some(result.lent.receiver_platform.clone()),
            module: result.lent.module.clone(),
            method: "POST".to_owned(),
            object: Some(format!("result of {}", result.lent.what)),
            http_status,
            status_code: Some(status_code.into()),
            outcome,
            duration_ms: Some(took),
        };
        if let Err(error) = self.store.journal_add(entry).await {
            log::error!("writing the journal: {error}");
        }
    }
}

/// Whether a result came wrapped like an answer (F-17).
fn is_enveloped(body: &[u8]) -> bool {
    json::top_level(body).is_ok_and(|members| {
        let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
        has("status_code") && has("data")
    })
}

/// Whether a result says ACCEPTED, bare or in an envelope (F-17).
fn says_accepted(body: &[u8]) -> bool {
    in_a_result(body, |result| ResultWord::read(result).is_accepted()).unwrap_or(false)
}

/// The active profile in an ActiveChargingProfileResult.
fn profile_in(body: &[u8]) -> Option<String> {
    let profile = |result: &str| {
        let fields = Fields::of_text(result, String::new(), ["profile"]).ok()?;
        fields.raw("profile").map(str::to_owned)
    };
    in_a_result(body, profile).flatten()
}

/// Looks into a result, bare or in an envelope (F-17); `None` for what is no text.
fn in_a_result<T>(body: &[u8], look: impl Fn(&str) -> T) -> Option<T> {
    let data = envelope::read(body).ok().and_then(|envelope| envelope.data);
    let result = data.as_deref().map(RawValue::get).or(std::str::from_utf8(body).ok());
    result.map(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    // F-17
    #[test]
    fn a_result_in_an_envelope_is_recognised() {
        assert!(is_enveloped(br#"{"data":{"result":"ACCEPTED"},"status_code":1000}"#));
        for bare in [r#"{"result":"ACCEPTED"}"#, r#"{"result":"FAILED","data":1}"#, "[]", "1"] {
            assert!(!is_enveloped(bare.as_bytes()), "{bare}");
        }
    }

    // CP-05, F-17
    #[test]
    fn a_result_says_accepted_bare_or_in_an_envelope() {
        for accepted in [
            r#"{"result":"ACCEPTED"}"#,
            r#"{"status_code":1000,"data":{"result":"ACCEPTED"},"timestamp":"2026-11-21T12:00:00Z"}"#,
        ] {
            assert!(says_accepted(accepted.as_bytes()), "{accepted}");
        }
        for not in [
            r#"{"result":"REJECTED"}"#,
            r#"{"status_code":1000,"data":{"result":"UNKNOWN"},"timestamp":"2026-11-21T12:00:00Z"}"#,
            "[]",
            "",
        ] {
            assert!(!says_accepted(not.as_bytes()), "{not}");
        }
        assert!(!says_accepted(b"\xff"));
    }
}
