//! Registrations of meter keys, for the operators whose meters they are (key-registry.md 4.5, "Party API").
//!
//! An operator submits that a key signs for its meter and follows what becomes of it; later it replaces, moves, corrects or ends the
//! registration, releases the meter to another operator, and lays documents beside it. Every write carries an `Idempotency-Key` and has
//! one answer, however often it is sent ([`once`]).
//!
//! Never here: a decision about a warning, which is a person's at the hub; another's registration, which does not exist (404). The rule
//! all follows from: **an operator speaks for its own meters only**. Start with [`submitting`]; [`wishing`] is what is done to a
//! registration that is there, [`evidence`] the documents, [`reading`] the lists, [`extract`] what proves it all
//! without the hub.

pub mod evidence;
pub mod extract;
pub mod once;
pub mod reading;
pub mod submitting;
pub mod wishing;

use super::Partner;
use crate::ocpi::ids::{PartyId, key_of};
use crate::parties::Fault;
use crate::registry::record::Registration;
use crate::web::operator::Problem;
use crate::web::{Doors, Route};

const ALL: &str = "/partner/v1/registrations";

/// What this folder serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        submitting::routes(),
        wishing::routes(),
        evidence::routes(),
        extract::routes(),
        reading::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where a registration is found.
fn place(doors: &Doors, id: &str) -> String {
    format!("{}{ALL}/{id}", doors.parties.settings().public_url)
}

/// A registration of the caller's, as it is now, also where another process has just changed it.
async fn find(partner: &Partner, id: &str, doors: &Doors) -> Result<Registration, Problem> {
    key_of(id).ok_or_else(nothing)?;
    refresh(doors).await?;
    let found = doors.registry.latest(id);
    found.filter(|one| is_of(one, partner)).ok_or_else(nothing)
}

/// Whether a registration is the caller's business: what a party submitted is that party's, whatever operator it named (a claim for
/// somebody else is refused and is not that operator's to read); what the hub's people registered is its operator's.
fn is_of(one: &Registration, partner: &Partner) -> bool {
    let whose = match PartyId::from_slash(&one.submitted_by) {
        Ok(party) => party.key(),
        Err(_) => one.cpo.clone(),
    };
    partner.asking.cpo_keys.contains(&whose)
}

/// The operator of a registration that the caller found, as whom it acts: one of its own.
fn operator_of(one: &Registration, partner: &Partner) -> Result<PartyId, Problem> {
    let own = partner.asking.cpo_keys.iter().find(|key| **key == one.cpo);
    own.and_then(|key| PartyId::from_slash(key).ok()).ok_or_else(nothing)
}

/// Registrations are for operators of charge points.
fn operators_only(partner: &Partner) -> Result<(), Problem> {
    match partner.asking.cpo_keys.is_empty() {
        true => Err(Problem::forbidden("registrations are for parties with the role CPO")),
        false => Ok(()),
    }
}

async fn refresh(doors: &Doors) -> Result<(), Fault> {
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))
}

fn nothing() -> Problem {
    Problem::not_found("there is no such registration")
}
