//! Charging profiles: from the side that obeys them (CP-01 to CP-05), and the report of an active one to the side that steers.

use std::sync::Arc;

use super::answer::Answer;
use super::execution::Order;
use super::inner::Inner;
use super::results;
use super::server::Asked;
use super::splice;
use crate::ocpi::page;
use crate::ocpi::status::StatusCode;

/// A profile is set, asked for or cleared: answered at once, the result follows.
pub(super) fn take(inner: &Arc<Inner>, asked: &Asked<'_>, method: &str) -> Answer {
    let rest = asked.rest();
    let [session] = rest.as_slice() else {
        return Answer::refusal(404, StatusCode::CLIENT_ERROR, "a charging profile belongs to a session");
    };
    let order = match method {
        "GET" => Order::GetProfile,
        "PUT" => Order::SetProfile,
        "DELETE" => Order::ClearProfile,
        _ => return Answer::no_method(),
    };
    let profile = splice::member(asked.text(), "charging_profile");
    if order == Order::SetProfile && profile.as_deref().and_then(splice::members).is_none() {
        return Answer::invalid("charging_profile is missing");
    }
    let duration = page::parameter(asked.query, "duration");
    if order == Order::GetProfile && duration.is_none_or(|text| text.parse::<u32>().is_err()) {
        return Answer::invalid("duration is missing (CP-01)");
    }
    let response_url = match order {
        Order::SetProfile => splice::text(asked.text(), "response_url"),
        _ => page::parameter(asked.query, "response_url"),
    };
    let taken = match results::taken(asked, order, response_url) {
        Ok(taken) => taken,
        Err(why) => return Answer::invalid(&why),
    };
    let execution = inner.execution(order);
    let active = {
        let mut book = inner.book();
        match (order, execution.answer == "ACCEPTED", profile) {
            (Order::SetProfile, true, Some(profile)) => {
                book.profiles.insert((*session).to_owned(), profile);
            }
            (Order::ClearProfile, true, _) => {
                book.profiles.remove(*session);
            }
            _ => {}
        }
        book.profiles.get(*session).cloned()
    };
    let active = results::active_profile(inner, active.as_ref());
    results::promise(inner, taken, &execution, active);
    Answer::data(execution.answer_json()).saying(execution.code)
}

/// An operator reports the active profile of a session (CP-08): the answer is an envelope without data (CP-07).
pub(super) fn be_told(asked: &Asked<'_>, method: &str) -> Answer {
    let rest = asked.rest();
    match (method, rest.as_slice()) {
        ("PUT", [_]) => {}
        ("PUT", _) => return Answer::refusal(404, StatusCode::CLIENT_ERROR, "a charging profile belongs to a session"),
        _ => return Answer::no_method(),
    }
    for name in ["start_date_time", "charging_profile"] {
        if splice::member(asked.text(), name).is_none() {
            return Answer::invalid(&format!("{name} is missing"));
        }
    }
    Answer::nothing(200)
}
