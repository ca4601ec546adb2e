//! What the hub learns from what it carries, for open routing later: whose session, whose reservation, who set a profile (D-20).
//!
//! Learned from success only, and from heads, never kept bodies.

use super::hints::Hints;
use super::incoming::Incoming;
use super::relay::is_profile;
use crate::delivery::relay::Relayed;
use crate::links::Kind;
use crate::ocpi::envelope;
use crate::ocpi::modules::{COMMANDS, SESSIONS};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::v2_2_1::heads::{CommandHead, ResultWord};
use crate::routing::arrangement::Way;

/// What the answer that comes later will be an answer to.
///
/// # Errors
/// 2001 naming the member of a command that cannot be read.
pub fn awaited(incoming: &Incoming) -> Result<Kind, Refusal> {
    if incoming.module == &COMMANDS {
        let head = CommandHead::read(incoming.body.as_deref().unwrap_or_default())?;
        return Ok(Kind::Command {
            name: incoming.parameter("command")?.unwrap_or_default(),
            reserved_until: head.expiry_date,
        });
    }
    Ok(match incoming.route.method {
        "PUT" => Kind::SetProfile,
        "DELETE" => Kind::ClearProfile,
        _ => Kind::GetProfile,
    })
}

/// Learns from an answer that was a success.
pub fn from_answer(hints: &Hints, incoming: &Incoming, way: &Way, relayed: &Relayed) {
    if !relayed.code.is_success() || !incoming.changes() {
        return;
    }
    let Ok(Some(object)) = incoming.object() else {
        return;
    };
    if incoming.module == &SESSIONS && incoming.interface.role == InterfaceRole::Receiver {
        hints.remember_session(&way.from, &object, &way.to, has_ended(incoming));
    } else if is_profile(incoming) && incoming.route.method == "PUT" && is_accepted(relayed) {
        if incoming.interface.role == InterfaceRole::Receiver {
            hints.remember_profile(&way.to, &object, &way.from);
        }
    } else if incoming.module == &COMMANDS && object == "RESERVE_NOW" && is_accepted(relayed) {
        let head = CommandHead::read(incoming.body.as_deref().unwrap_or_default()).ok();
        if let Some(id) = head.as_ref().and_then(|head| head.reservation_id.as_deref()) {
            let until = head.as_ref().and_then(|head| head.expiry_date);
            hints.remember_reservation(&way.from, id, &way.to, until);
        }
    }
}

/// Whether a pushed session says that it is over (SES-13).
fn has_ended(incoming: &Incoming) -> bool {
    use crate::ocpi::fields::Fields;
    let body = incoming.body.as_deref().unwrap_or_default();
    let status = Fields::of_body(body, ["status"]).ok();
    let status = status.as_ref().and_then(|fields| fields.text("status").ok().flatten());
    matches!(status.as_deref(), Some("COMPLETED" | "INVALID"))
}

/// Whether the receiver said that it will do it (CMD-03, CP-04).
fn is_accepted(relayed: &Relayed) -> bool {
    let data = envelope::read(&relayed.body).ok().and_then(|envelope| envelope.data);
    data.is_some_and(|data| ResultWord::read(data.get()).is_accepted())
}
