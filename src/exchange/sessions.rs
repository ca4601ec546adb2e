//! Sessions on their way: what the ledger learns of them, and which providers get a copy (smart-charging.md 2.5).
//!
//! A copy is owed behind the eMSP's answer, with the same write by which the ledger learns. It is the hub's own word from then on: the CPO's
//! octets, and what the eMSP answered, have nothing to do with what becomes of it (ECI-08, ECI-12, ECI-14).

use chrono::{DateTime, Utc};

use super::incoming::Incoming;
use super::learning;
use super::relay::Exchange;
use super::steering::lives_as;
use crate::delivery::kinds;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::{PartyId, fold};
use crate::ocpi::modules::SESSIONS;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::time;
use crate::parties::Fault;
use crate::profiles::ledger::Place;
use crate::profiles::{Contract, Push, Seen, Showing};
use crate::routing::arrangement::{Speaker, Way, is_acquainted};
use crate::store::{Message, NewNotice, UnderContract};

impl Exchange {
    /// A Session went by: whose it is, where it is, whether it is over; and who else is to see it.
    pub(super) async fn session_went_by(&self, incoming: &Incoming, owner: Option<&PartyId>, way: &Way) {
        let is_told = incoming.module == &SESSIONS && incoming.interface.role == InterfaceRole::Receiver;
        if !self.profiles.is_kept() || !is_told || !incoming.changes() {
            return;
        }
        if let Err(fault) = self.session_passed(incoming, owner.unwrap_or(&way.from), way).await {
            log::error!("{}", fault.chain());
        }
    }

    async fn session_passed(&self, incoming: &Incoming, cpo: &PartyId, way: &Way) -> Result<(), Fault> {
        let (Ok(Some(session)), Some(body)) = (incoming.object(), &incoming.body) else {
            return Ok(());
        };
        let place = (cpo, session.as_str());
        let mut seen = read_session(body);
        // Who steers a session gets it as well and does not pay for it (SES-19).
        let is_payer = lives_as(&way.platform, &way.to, Role::Emsp);
        let Some(body) = std::str::from_utf8(body).ok().filter(|_| is_payer) else {
            return self.profiles.seen(place, &seen).await;
        };
        seen.addressee = Some(way.to.clone());
        let payer = seen.emsp.as_ref().unwrap_or(&way.to);
        let contracts = self.profiles.contracts_about(cpo, Some(payer)).await?;
        let is_whole = incoming.route.method == "PUT";
        let lacks = !is_whole && !contracts.is_empty() && self.profiles.lacks_a_copy(place).await?;
        let earlier = match lacks {
            true => self.mirror.session_of(cpo, &session).await?.map(|(_, body)| body),
            false => None,
        };
        let push = Push {
            is_whole,
            body,
            earlier: earlier.as_deref(),
        };
        let owe = |showing: &Showing, now: DateTime<Utc>| self.owed_copy(incoming, place, showing, now);
        if self.profiles.passed(place, (&seen, &push), &contracts, owe).await? > 0 {
            self.delivery.nudge();
        }
        Ok(())
    }

    /// The copy for a provider; `None` where it listens to no Sessions, or may not deal with whoever shows it.
    fn owed_copy(
        &self,
        incoming: &Incoming,
        (cpo, session): Place<'_>,
        showing: &Showing,
        now: DateTime<Utc>,
    ) -> Option<NewNotice> {
        let directory = incoming.caller.directory();
        let Contract { id, scsp, to, .. } = &showing.contract;
        let hosts = directory
            .roles_of(scsp)
            .iter()
            .filter_map(|role| directory.host(scsp, *role));
        let mut listening = hosts.filter(|(platform, _)| {
            let endpoint = platform.endpoint(SESSIONS.identifier, InterfaceRole::Receiver);
            platform.status.is_registered() && endpoint.is_some()
        });
        let (platform, entry) = listening.next()?;
        let from = Speaker {
            party: showing.from.clone(),
            role: if showing.from == *cpo { Role::Cpo } else { Role::Emsp },
        };
        if !is_acquainted(directory, &from, scsp, incoming.asked(None)) {
            return None;
        }
        let (method, body, whole) = match &showing.change {
            Some(change) => ("PATCH", change, Some(showing.whole.clone())),
            None => ("PUT", &showing.whole, None),
        };
        let object = format!("{}/{}", cpo.key(), fold(session));
        Some(NewNotice {
            duty: kinds::session(&platform.id, &format!("{object} {}", scsp.key()), *to, now),
            message: Message {
                identifier: SESSIONS.identifier.to_owned(),
                method: method.to_owned(),
                path: vec![
                    cpo.country_code().to_owned(),
                    cpo.party_id().to_owned(),
                    session.to_owned(),
                ],
                to_party: entry.party.to_string(),
                object,
                body: body.clone(),
                shown: Some(UnderContract {
                    from_party: showing.from.to_string(),
                    contract: id.clone(),
                    whole,
                }),
            },
        })
    }

    /// A session that went by before there was a ledger may be kept for its payer's lists, or be known from traffic.
    pub(super) async fn learn_what_is_kept(&self, cpo: &PartyId, session: &str) -> Result<(), Fault> {
        if self.profiles.knows((cpo, session)).await? {
            return Ok(());
        }
        let seen = match self.mirror.session_of(cpo, session).await? {
            Some((payer, body)) => {
                let seen = read_session(body.as_bytes());
                Seen {
                    emsp: PartyId::from_slash(&payer).ok().or(seen.emsp),
                    ..seen
                }
            }
            None => {
                let mut payers = self.hints.payers_of_session(cpo, session).await?.into_iter();
                let (Some(only), None) = (payers.next(), payers.next()) else {
                    return Ok(());
                };
                Seen {
                    emsp: Some(only),
                    ..Seen::default()
                }
            }
        };
        self.profiles.seen((cpo, session), &seen).await
    }
}

/// What a Session, whole or in part, says of whose it is and where. What cannot be read says nothing.
fn read_session(body: &[u8]) -> Seen {
    let Ok(fields) = Fields::of_body(body, ["status", "location_id", "evse_uid", "end_date_time"]) else {
        return Seen::default();
    };
    let said = |member| fields.text(member).ok().flatten();
    Seen {
        emsp: learning::payer_named(body),
        addressee: None,
        location: said("location_id").map(Into::into),
        evse: said("evse_uid").map(Into::into),
        ends_at: said("end_date_time").and_then(|text| time::parse(&text).ok()),
        is_over: matches!(said("status").as_deref(), Some("COMPLETED" | "INVALID")),
    }
}
