//! The hub in an eMSP's place: topology 2 with relay by the hub (smart-charging.md 2.5, ECI-11, ECI-12).
//!
//! ```text
//!  SCSP ── to = eMSP, or to = CPO ──► hub ── from = eMSP ──► CPO        the eMSP needs no connection to the SCSP, and no interface for it
//!  SCSP ◄─── from = eMSP ─────────── hub ◄── to = eMSP ──── CPO        results, and reports of the active profile
//! ```
//!
//! The CPO deals with the eMSP alone: what it is sent, and what it hears in answer, names nobody else. What is addressed to the CPO is found by
//! the ledger ([`super::steering`]); here is what is addressed to the eMSP, which may have nothing that such a request could be carried to.

use super::incoming::Incoming;
use super::open::only;
use super::relay::Exchange;
use super::reply::{Reply, Words};
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::ocpi::status::StatusCode;
use crate::parties::Failure;
use crate::profiles::contract::Relay;
use crate::profiles::{Name, Told};
use crate::routing::arrangement::{Speaker, Way, is_acquainted, speaker, way};

/// What a CPO hears of an answer of somebody who acts for an eMSP: how it ended, from the eMSP, and not a word of anybody else's.
pub(super) fn in_its_name(outcome: Result<Reply, Failure>, emsp: &PartyId, cpo: &PartyId) -> Result<Reply, Failure> {
    match outcome {
        Ok(reply) => Ok(Reply {
            http: reply.http,
            words: Words::Own {
                code: reply.code().unwrap_or(StatusCode::CLIENT_ERROR),
                message: None,
                data: None,
            },
            to: Some(cpo.clone()),
            from: emsp.clone(),
            headers: Vec::new(),
        }),
        Err(Failure::Refused(refusal)) => Err(Failure::Refused(Refusal {
            message: format!("this did not reach {emsp}"),
            ..refusal
        })),
        Err(ours) => Err(ours),
    }
}

/// A request to an eMSP that the hub takes for it.
pub(super) enum Proxy {
    /// A provider asks it about a profile.
    Asked {
        /// The provider.
        from: Speaker,
        /// The eMSP, as registered.
        emsp: PartyId,
    },
    /// A CPO tells it of the active profile.
    Told {
        /// The CPO.
        from: Speaker,
        /// Who acts for the eMSP on that session.
        told: Vec<Told>,
    },
}

impl Exchange {
    /// Whether a request is the hub's to answer in an eMSP's place.
    pub(super) async fn proxy(&self, incoming: &Incoming) -> Result<Option<Proxy>, Failure> {
        let (asks, tells) = (self.is_asking(incoming), self.is_report(incoming));
        let Some(to) = incoming.routing.to.as_ref().filter(|_| asks || tells) else {
            return Ok(None);
        };
        let directory = incoming.caller.directory();
        let Some((_, entry)) = directory.host(to, Role::Emsp) else {
            return Ok(None);
        };
        let session = incoming.object()?.unwrap_or_default();
        // One that is a CPO, too, may be asked about a session of its own.
        if asks && directory.host(to, Role::Cpo).is_some() && self.profiles.knows((to, &session)).await? {
            return Ok(None);
        }
        let asked = incoming.asked(None);
        let from = speaker(&incoming.caller.platform, asked, false)?;
        if !is_acquainted(directory, &from, to, asked) {
            // What it hears then is what it hears of everybody it may not talk to.
            return Ok(None);
        }
        if asks {
            let relay = self.profiles.lets_act(&entry.party, &from.party).await?;
            return Ok((relay == Some(Relay::Hub)).then_some(Proxy::Asked {
                from,
                emsp: entry.party,
            }));
        }
        // The eMSP itself, where it had a profile accepted, too.
        let mut told = self.profiles.told((&from.party, &session)).await?;
        told.retain(|one| one.acts_for.as_ref().unwrap_or(&one.party) == to);
        let by_another = told.iter().any(|one| one.acts_for.is_some());
        Ok(by_another.then_some(Proxy::Told { from, told }))
    }

    /// Does for the eMSP what it would do.
    ///
    /// # Errors
    /// 4001 where its sessions of that id are of no CPO or of several (S-41); otherwise as for every request that is carried.
    pub(super) async fn by_proxy(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        proxy: Proxy,
    ) -> Result<Reply, Failure> {
        let (from, emsp) = match proxy {
            Proxy::Told { from, told } => return self.report_to_each(incoming, owner, &from, &told).await,
            Proxy::Asked { from, emsp } => (from, emsp),
        };
        let session = incoming.object()?.unwrap_or_default();
        let cpos = self.profiles.cpos_of(&session, Some(&emsp)).await?;
        let speaks = Speaker {
            party: emsp.clone(),
            role: Role::Emsp,
        };
        let cpo = only(incoming, &speaks, "the session", cpos)?;
        let onward = self.way_for(incoming, &emsp, &cpo)?;
        let way = Way {
            from: from.party,
            to: emsp,
            platform: onward.platform,
        };
        let _turn = self.turn(incoming, owner, &way).await?;
        let admission = self.admission_as(incoming, &way, &onward.to, Name::Of(&way.to)).await?;
        self.send_admitted(incoming, owner, &way, admission).await
    }

    /// The way from an eMSP, for whom somebody acts, to another party.
    ///
    /// # Errors
    /// 4003 where the eMSP is suspended or has left; otherwise as [`way`] says.
    pub(super) fn way_for(&self, incoming: &Incoming, emsp: &PartyId, to: &PartyId) -> Result<Way, Refusal> {
        let directory = incoming.caller.directory();
        let host = directory.host(emsp, Role::Emsp);
        let (platform, entry) = host
            .filter(|(platform, entry)| platform.is_live(entry))
            .ok_or_else(|| Refusal::not_connected(format!("{emsp} takes no part at present")))?;
        let from = Speaker {
            party: entry.party,
            role: Role::Emsp,
        };
        way(directory, &platform, &from, to, incoming.asked(None))
    }
}
