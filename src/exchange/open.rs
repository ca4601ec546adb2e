//! Open routing: the content says to whom a request goes (R-70 … R-74, D-20).
//!
//! | What | The key in it | Known from |
//! | --- | --- | --- |
//! | a session pushed whole | the party of `cdr_token` | itself |
//! | a session patched or read | the party of `cdr_token` where it changes, else the session | itself, else traffic |
//! | charging preferences, profiles, STOP_SESSION | the session | traffic |
//! | START_SESSION, RESERVE_NOW, UNLOCK_CONNECTOR | the location | the mirror, else traffic |
//! | CANCEL_RESERVATION | the reservation | traffic |
//! | the active profile | who set one on the session | results |
//! | authorize | the token | the mirror; unknown or several: everybody is asked (R-73) |
//! | GET of one location | the location | the mirror, else traffic |
//!
//! One party, or 4001: nobody is picked from several.

use std::sync::Arc;

use super::incoming::Incoming;
use super::learning;
use super::relay::{Exchange, is_authorization, is_profile};
use super::reply::Reply;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{COMMANDS, LOCATIONS, SESSIONS};
use crate::ocpi::page;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::status::StatusCode;
use crate::ocpi::v2_2_1::heads::{CommandHead, SessionHead};
use crate::parties::{Failure, Fault};
use crate::routing::arrangement::{Speaker, Way, is_acquainted, is_within_reach, way};

impl Exchange {
    /// Finds the one party a request is for, and carries it there.
    pub(super) async fn open(
        self: &Arc<Self>,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        from: &Speaker,
    ) -> Result<Reply, Failure> {
        if is_authorization(incoming) {
            return self.authorize(incoming, from).await;
        }
        let to = self.addressee(incoming, from).await?;
        let way = self.way(incoming, from, &to)?;
        // A state that is carried later is also kept later, however slow the database is (D-16).
        let _turn = self.turn(incoming, owner, &way).await?;
        let reply = self.send(incoming, owner, &way).await?;
        if incoming.module == &SESSIONS && incoming.changes() && incoming.interface.role == InterfaceRole::Receiver {
            self.keep_session(incoming, owner, &way, &reply).await;
        }
        Ok(reply)
    }

    /// The one party concerned.
    async fn addressee(&self, incoming: &Incoming, from: &Speaker) -> Result<PartyId, Failure> {
        let object = incoming.object()?.unwrap_or_default();
        let at_receiver = incoming.interface.role == InterfaceRole::Receiver;
        let (named, candidates) = if incoming.module == &SESSIONS && at_receiver {
            let payer = match (incoming.route.method, &incoming.body) {
                ("PUT", Some(body)) => SessionHead::read(body)?.cdr_token_party,
                // A change of who pays is for who pays from now on (SES-18).
                ("PATCH", Some(body)) => learning::payer_named(body),
                _ => None,
            };
            let candidates = match payer {
                Some(payer) => vec![payer],
                None => self.payers(&from.party, &object).await?,
            };
            ("the session", candidates)
        } else if incoming.module == &COMMANDS {
            self.of_command(incoming, from).await?
        } else if is_profile(incoming) && !at_receiver {
            let setters = self.hints.setters_of_session(&from.party, &object).await;
            ("the session's profile", setters?)
        } else if is_profile(incoming) && self.profiles.is_kept() {
            ("the session", self.cpos_of_session(incoming, &object).await?)
        } else if is_profile(incoming) || incoming.module == &SESSIONS {
            ("the session", self.hints.cpo_of_session(&object).await?)
        } else if incoming.module == &LOCATIONS {
            (
                "the location",
                self.of_location(&object, incoming.parameter("evse_uid")?.as_deref())
                    .await?,
            )
        } else {
            (
                "the object",
                self.mirror.owners_of(incoming.module.identifier, &object).await?,
            )
        };
        only(incoming, from, named, candidates).map_err(Failure::from)
    }

    /// Who paid for a session so far. Of several, the one it is kept for: the last its token named.
    async fn payers(&self, cpo: &PartyId, session: &str) -> Result<Vec<PartyId>, Fault> {
        let mut payers = self.hints.payers_of_session(cpo, session).await?;
        if payers.len() > 1
            && let Some(key) = self.mirror.payer_of(cpo, session).await?
        {
            payers.retain(|payer| payer.key() == key);
        }
        Ok(payers)
    }

    /// The CPOs known to have a session, from Sessions and profiles that went by; not the eMSPs at which a provider set one (S-41).
    async fn cpos_of_session(&self, incoming: &Incoming, session: &str) -> Result<Vec<PartyId>, Fault> {
        let mut cpos = self.hints.cpo_of_session(session).await?;
        cpos.extend(self.profiles.cpos_of(session, None).await?);
        cpos.retain(|party| incoming.caller.directory().roles_of(party).contains(&Role::Cpo));
        cpos.sort();
        cpos.dedup();
        Ok(cpos)
    }

    /// The CPOs known to have what a command is about.
    async fn of_command(&self, incoming: &Incoming, from: &Speaker) -> Result<(&'static str, Vec<PartyId>), Failure> {
        let body = incoming.body.as_deref().unwrap_or_default();
        let head = CommandHead::read(body)?;
        if let Some(location) = &head.location_id {
            return Ok((
                "the location",
                self.of_location(location, evse_uid(body)?.as_deref()).await?,
            ));
        }
        if let Some(session) = &head.session_id {
            return Ok(("the session", self.hints.cpo_of_session(session).await?));
        }
        if let Some(reservation) = &head.reservation_id {
            let known = self.hints.cpo_of_reservation(&from.party, reservation).await?;
            return Ok(("the reservation", known));
        }
        Ok(("what the command is about", Vec::new()))
    }

    /// Who has a location: those who said so, or, where nobody did, those in whose sessions it was seen. Hardware ids of EVSEs are used
    /// twice, so an EVSE counts only together with its location (F-16).
    async fn of_location(&self, location: &str, evse: Option<&str>) -> Result<Vec<PartyId>, Failure> {
        let owners = self.mirror.owners_of(LOCATIONS.identifier, location).await?;
        if owners.is_empty() {
            return Ok(self.hints.cpo_of_location(location, evse).await?);
        }
        Ok(owners)
    }

    /// Asks the eMSP of the token; several eMSPs or none known: all that may be asked, and the first that knows it answers (R-73, TOK-16).
    async fn authorize(self: &Arc<Self>, incoming: &Incoming, from: &Speaker) -> Result<Reply, Failure> {
        let uid = incoming.object()?.unwrap_or_default();
        let query = incoming.query.as_deref().unwrap_or_default();
        let kind = page::parameter(query, "type").unwrap_or_else(|| "RFID".to_owned());
        let directory = incoming.caller.directory();
        let mut known = self.mirror.owners_of_token(&uid, &kind).await?;
        // Not even by name: whoever one may not talk to is unknown, and so is who has left.
        known.retain(|issuer| is_within_reach(directory, from, issuer, incoming.asked(None)));
        if let [issuer] = known.as_slice() {
            // Whose it is is known: that it cannot be asked does not make the token an unknown one.
            let way = self.way(incoming, from, issuer)?;
            return self.carry(incoming, None, &way).await;
        }
        let asked = if known.is_empty() {
            self.issuers(incoming)
        } else {
            known
        };
        let ways: Vec<Way> = asked
            .iter()
            .filter_map(|party| self.way(incoming, from, party).ok())
            .collect();
        let mut asking = tokio::task::JoinSet::new();
        for way in ways {
            let (exchange, incoming) = (Arc::clone(self), incoming.clone());
            asking.spawn(async move { exchange.carry(&incoming, None, &way).await });
        }
        let (mut unreached, mut otherwise) = (None, None);
        let mut said_unknown = false;
        while let Some(asked) = asking.join_next().await {
            match asked.map_err(|error| Fault::new("asking for an authorization", error))? {
                Ok(reply) if reply.is_success() => return Ok(reply),
                Ok(reply) if reply.code() == Some(StatusCode::UNKNOWN_TOKEN) => said_unknown = true,
                // It knows the token and wants to know more, or has a trouble of its own: its words, not ours (S-11, TOK-05).
                Ok(reply) => otherwise = Some(reply),
                Err(Failure::Refused(refusal)) if refusal.code() == StatusCode::UNKNOWN_TOKEN => {
                    said_unknown = true;
                }
                Err(failure) => unreached = Some(failure),
            }
        }
        if let Some(reply) = otherwise {
            return Ok(reply);
        }
        match unreached {
            // Nobody said that the token is unknown to all: one that could not be asked may know it.
            Some(failure) if !said_unknown => Err(failure),
            _ => Err(Refusal::unknown_token("no eMSP here knows the token").into()),
        }
    }

    /// Everybody who issues tokens and lives here.
    fn issuers(&self, incoming: &Incoming) -> Vec<PartyId> {
        let platforms = incoming.caller.directory().platforms();
        let all = platforms.flat_map(|platform| platform.parties_with(Role::Emsp));
        all.map(|entry| entry.party.clone()).collect()
    }

    /// The way to a party that was found in the content.
    pub(super) fn way(&self, incoming: &Incoming, from: &Speaker, to: &PartyId) -> Result<Way, Refusal> {
        let asked = incoming.asked(None);
        way(incoming.caller.directory(), &incoming.caller.platform, from, to, asked)
    }
}

/// Exactly one of those the requester may talk to.
pub(super) fn only(
    incoming: &Incoming,
    from: &Speaker,
    named: &str,
    candidates: Vec<PartyId>,
) -> Result<PartyId, Refusal> {
    let directory = incoming.caller.directory();
    let (near, far): (Vec<PartyId>, Vec<PartyId>) = candidates
        .into_iter()
        .filter(|party| is_acquainted(directory, from, party, incoming.asked(None)))
        .partition(|party| is_within_reach(directory, from, party, incoming.asked(None)));
    // One that is PLANNED or SUSPENDED is no unknown one: its way ends with a 4003.
    let mut candidates = if near.is_empty() { far } else { near }.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Refusal::unknown_receiver(format!(
            "{named} is known of no party here: OCPI-to-country-code and OCPI-to-party-id are needed"
        ))),
        (Some(_), Some(_)) => Err(Refusal::unknown_receiver(format!(
            "{named} is known of several parties: OCPI-to-country-code and OCPI-to-party-id are needed"
        ))),
    }
}

/// The EVSE a command names.
fn evse_uid(body: &[u8]) -> Result<Option<String>, Refusal> {
    let fields = Fields::of_body(body, ["evse_uid"])?;
    Ok(fields.text("evse_uid")?.map(Into::into))
}
