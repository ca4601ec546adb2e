//! Commands from the side that executes them (CMD-01 to CMD-08).

use std::sync::Arc;

use super::answer::Answer;
use super::execution::Order;
use super::inner::Inner;
use super::results;
use super::server::Asked;
use super::splice;
use crate::ocpi::status::StatusCode;

/// A command comes in: answered at once, its results follow.
pub(super) fn take(inner: &Arc<Inner>, asked: &Asked<'_>, method: &str) -> Answer {
    let rest = asked.rest();
    let order = match rest.as_slice() {
        [word] => Order::COMMANDS.into_iter().find(|order| order.as_str() == *word),
        _ => None,
    };
    let Some(order) = order else {
        return Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such command");
    };
    if method != "POST" {
        return Answer::no_method();
    }
    let body = asked.text();
    if let Some(missing) = required(order).iter().find(|name| splice::member(body, name).is_none()) {
        return Answer::invalid(&format!("{missing} is missing"));
    }
    let taken = match results::taken(asked, order, splice::text(body, "response_url")) {
        Ok(taken) => taken,
        Err(why) => return Answer::invalid(&why),
    };
    let execution = inner.execution(order);
    results::promise(inner, taken, &execution, String::new());
    Answer::data(execution.answer_json()).saying(execution.code)
}

/// OBJ-42 to OBJ-46; `response_url` is looked at for itself.
fn required(order: Order) -> &'static [&'static str] {
    match order {
        Order::CancelReservation => &["reservation_id"],
        Order::ReserveNow => &["token", "expiry_date", "reservation_id", "location_id"],
        Order::StartSession => &["token", "location_id"],
        Order::StopSession => &["session_id"],
        Order::UnlockConnector => &["location_id", "evse_uid", "connector_id"],
        Order::GetProfile | Order::SetProfile | Order::ClearProfile => &[],
    }
}
