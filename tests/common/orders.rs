//! Commands and calls about charging profiles, as requesters place them.

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use truewatt::client::Method;
use truewatt::clock::{Clock, SystemClock};
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::page::parameter;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::sandbox::{Draft, Order, Ordered, Reply, To, Voice};

use super::world::{Neighbour, at};

/// The five commands and the three calls about profiles.
pub const EVERY: [Order; 8] = [
    Order::CancelReservation,
    Order::ReserveNow,
    Order::StartSession,
    Order::StopSession,
    Order::UnlockConnector,
    Order::GetProfile,
    Order::SetProfile,
    Order::ClearProfile,
];

/// The object of a command without its `response_url`, spelled as no serializer would. A reservation ends an hour from now.
pub fn fields(order: Order, by: &PartyId) -> String {
    let token = Draft::token(by, "04A1", "RFID", at());
    match order {
        Order::StartSession => Draft::start_session(&token, "L1", Some("E1")).odd(),
        Order::ReserveNow => reservation(by, SystemClock.now() + TimeDelta::hours(1)),
        Order::CancelReservation => r#"{ "reservation_id" : "R1","x":1.50 }"#.to_owned(),
        Order::UnlockConnector => r#"{ "location_id":"L1", "evse_uid":"E1","connector_id" : "1" }"#.to_owned(),
        _ => r#"{"session_id":"S1" }"#.to_owned(),
    }
}

/// The object of a RESERVE_NOW that ends then.
pub fn reservation(by: &PartyId, expiry: DateTime<Utc>) -> String {
    let token = Draft::token(by, "04A1", "RFID", at());
    Draft::reserve_now(&token, "R1", "L1", expiry).odd()
}

/// Places an order whose results come to a URL of the requester's own server.
pub async fn place(by: &Voice, order: Order, to: &To) -> Ordered {
    let profile = Draft::charging_profile().odd();
    let placed = match order {
        Order::GetProfile => by.get_profile("S 1", 900, to).await,
        Order::SetProfile => by.set_profile("S 1", &profile, to).await,
        Order::ClearProfile => by.clear_profile("S 1", to).await,
        command => by.command(command, &fields(command, by.party()), to).await,
    };
    placed.unwrap()
}

/// Places an order whose results are to come to any URL, or to what is none.
pub async fn place_at(by: &Voice, order: Order, response_url: &str, to: &To) -> Reply {
    let in_body = |fields: &str| {
        let url = serde_json::to_string(response_url).unwrap();
        fields.replacen('{', &format!("{{\"response_url\":{url},"), 1)
    };
    let query = format!("response_url={}", utf8_percent_encode(response_url, NON_ALPHANUMERIC));
    let profiles = |method| by.errand(method, "chargingprofiles", Receiver).at(&["S 1"]).to(to);
    let errand = match order {
        Order::GetProfile => profiles(Method::GET).query(&format!("duration=900&{query}")),
        Order::ClearProfile => profiles(Method::DELETE).query(&query),
        Order::SetProfile => {
            let profile = Draft::charging_profile().odd();
            profiles(Method::PUT).body(&in_body(&format!("{{ \"charging_profile\" : {profile} }}")))
        }
        command => {
            let errand = by.errand(Method::POST, "commands", Receiver);
            errand
                .at(&[command.as_str()])
                .body(&in_body(&fields(command, by.party())))
                .to(to)
        }
    };
    errand.send().await.unwrap()
}

/// The `response_url` in the order that came here last, whatever was answered to it.
pub fn lent_to(receiver: &Neighbour, order: Order) -> String {
    let got = receiver.last(order.module());
    let in_body = || {
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        body["response_url"].as_str().unwrap().to_owned()
    };
    parameter(&got.query, "response_url").unwrap_or_else(in_body)
}

/// A session of `emsp`'s driver is pushed to `emsp`.
pub async fn session_of(cpo: &Neighbour, emsp: &Neighbour, id: &str) {
    let session = Draft::session(&cpo.id, id, "04A1", Some(&emsp.id), at()).json();
    let reply = cpo
        .voice
        .push(Method::PUT, "sessions", &cpo.id, &[id], &session, &emsp.to)
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
}
