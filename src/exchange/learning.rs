//! What the hub learns from what it carries, for open routing later: whose session, whose reservation, who set a profile (D-20).
//!
//! Learned from success only, and from heads, never kept bodies. Who set a profile is learned from its result, since ACCEPTED in
//! the first answer only says that one will follow ([`super::following`], CP-05, CP-13).

use chrono::{DateTime, Utc};

use super::hints::Hints;
use super::incoming::Incoming;
use crate::delivery::relay::Relayed;
use crate::links::Kind;
use crate::ocpi::envelope;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{COMMANDS, SESSIONS};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::v2_2_1::heads::{CommandHead, ResultWord};
use crate::routing::arrangement::Way;

/// What the answer that comes later will be an answer to.
///
/// # Errors
/// 2001 naming the member of a command that cannot be read.
pub fn awaited(incoming: &Incoming) -> Result<Kind, Refusal> {
    if incoming.module == &COMMANDS {
        let head = CommandHead::read(incoming.body.as_deref().unwrap_or_default())?;
        let name = incoming.parameter("command")?.unwrap_or_default();
        let reserved_until = head.expiry_date.filter(|_| name == "RESERVE_NOW");
        return Ok(Kind::Command { name, reserved_until });
    }
    Ok(match incoming.route.method {
        "PUT" => Kind::SetProfile,
        "DELETE" => Kind::ClearProfile,
        _ => Kind::GetProfile,
    })
}

/// Learns from an answer that was a success.
pub fn from_answer(hints: &Hints, incoming: &Incoming, way: &Way, relayed: &Relayed, now: DateTime<Utc>) {
    if !relayed.code.is_success() || !incoming.changes() {
        return;
    }
    let Ok(Some(object)) = incoming.object() else {
        return;
    };
    let at_receiver = incoming.interface.role == InterfaceRole::Receiver;
    if incoming.module == &SESSIONS && at_receiver {
        from_session(hints, incoming, way, &object);
    } else if incoming.module == &COMMANDS && at_receiver && is_accepted(relayed) {
        from_command(hints, incoming, way, now);
    }
}

/// A session: whose it is, who pays, where it is.
fn from_session(hints: &Hints, incoming: &Incoming, way: &Way, session: &str) {
    let body = incoming.body.as_deref().unwrap_or_default();
    let Ok(fields) = Fields::of_body(body, ["status", "location_id", "evse_uid"]) else {
        return;
    };
    let said = |member| fields.text(member).ok().flatten();
    // Who steers a session gets it as well and does not pay for it (SES-19).
    let payer = payer_named(body).or_else(|| way.platform.has_role(&way.to, Role::Emsp).then(|| way.to.clone()));
    if let Some(payer) = payer {
        let has_ended = matches!(said("status").as_deref(), Some("COMPLETED" | "INVALID"));
        hints.remember_session(&way.from, session, &payer, has_ended);
    }
    if let Some(location) = said("location_id") {
        hints.remember_location(&way.from, &location, said("evse_uid").as_deref());
    }
}

/// The party of `cdr_token`, in a body that names one.
#[must_use]
pub fn payer_named(session: &[u8]) -> Option<PartyId> {
    let fields = Fields::of_body(session, ["cdr_token"]).ok()?;
    let token = fields.object("cdr_token", ["country_code", "party_id"]).ok()??;
    let (country, party) = (token.text("country_code").ok()??, token.text("party_id").ok()??);
    PartyId::new(&country, &party).ok()
}

/// A command its receiver will carry out: it has the location, and the reservation from now on.
fn from_command(hints: &Hints, incoming: &Incoming, way: &Way, now: DateTime<Utc>) {
    let Ok(head) = CommandHead::read(incoming.body.as_deref().unwrap_or_default()) else {
        return;
    };
    if let Some(location) = &head.location_id {
        hints.remember_location(&way.to, location, None);
        if let Some(reservation) = &head.reservation_id {
            hints.remember_reservation(&way.from, reservation, &way.to, head.expiry_date.unwrap_or(now));
        }
    }
}

/// Whether the receiver said that it will do it (CMD-03, CP-04).
fn is_accepted(relayed: &Relayed) -> bool {
    let data = envelope::read(&relayed.body).ok().and_then(|envelope| envelope.data);
    data.is_some_and(|data| ResultWord::read(data.get()).is_accepted())
}
