//! What a driver wishes for a running session (SES-02).

use super::answer::Answer;
use super::inner::Inner;
use super::meter::json_text;
use super::party::SandboxParty;
use super::server::Asked;
use super::splice;
use crate::ocpi::status::StatusCode;

impl SandboxParty {
    /// What is answered to charging preferences from now on: `ACCEPTED` without a word, `DEPARTURE_REQUIRED`,
    /// `ENERGY_NEED_REQUIRED`, `NOT_POSSIBLE`, `PROFILE_TYPE_NOT_SUPPORTED` (SES-03).
    pub fn prefer(&self, word: &str) {
        self.inner.book().preferences = Some(word.to_owned());
    }
}

/// `PUT {session_id}/charging_preferences`. A session not offered here has no EVSE that could: HTTP 404 with 2001 (SES-04).
pub(super) fn take_preferences(inner: &Inner, asked: &Asked<'_>) -> Answer {
    let rest = asked.rest();
    let session = rest.first().copied().unwrap_or_default();
    if inner.offered("sessions", asked.pair("to"), session, None).is_none() {
        return Answer::refusal(
            404,
            StatusCode::INVALID_PARAMETER,
            "no session here takes preferences (SES-04)",
        );
    }
    if splice::text(asked.text(), "profile_type").is_none() {
        return Answer::invalid("profile_type is missing");
    }
    let word = inner.book().preferences.clone();
    Answer::data(json_text(word.as_deref().unwrap_or("ACCEPTED")))
}
