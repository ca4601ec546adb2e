//! Steering a session: who may set a charging profile, and who is told of the active one (smart-charging.md 2.3, 2.6).
//!
//! ```text
//!  PUT, GET, DELETE to a CPO ── would it be let through? ── address lent ── control taken ── carried ── first answer ── … result
//!                                      no ▼                          no ▼                        └──────── the ledger moves ─┘
//!                                  the hub's own "REJECTED", "TOO_OFTEN": HTTP 200, 1000, timeout 0
//! ```
//!
//! [`crate::profiles`] decides and remembers; here is what it needs to know of a request, and what its no looks like. With
//! `smart_charging.control = "relay"` nothing here happens.

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::incoming::Incoming;
use super::proxy::in_its_name;
use super::relay::{Exchange, is_profile};
use super::reply::{Reply, Words};
use crate::delivery::relay::Relayed;
use crate::links::{Carried, LentAnswer};
use crate::ocpi::envelope;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::status::StatusCode;
use crate::ocpi::v2_2_1::heads::ResultWord;
use crate::parties::Failure;
use crate::profiles::ledger::Place;
use crate::profiles::{Answered, Ask, Name, Refused, Told, Verb, sanity};
use crate::routing::arrangement::{Speaker, Way};
use crate::routing::directory::Platform;

/// A request that goes to a CPO only if the ledger lets it.
pub(super) struct Steering {
    session: String,
    verb: Verb,
    is_emsp: bool,
    answer_within: TimeDelta,
    /// The way it takes from here where it goes on in another's name (T2 with relay by the hub).
    pub(super) onward: Option<Way>,
}

/// What becomes of a request before anything is lent for it or sent.
pub(super) enum Admission {
    /// It is none of the ledger's business.
    Carried,
    /// It is let through as far as can be seen; control is yet to be taken.
    Asks(Steering),
    /// The hub says no in its own name.
    Refused(Reply),
}

impl Exchange {
    /// Looks whether a request may go to the way's end at all.
    pub(super) async fn admission(&self, incoming: &Incoming, way: &Way) -> Result<Admission, Failure> {
        if !self.is_asking(incoming) {
            return Ok(Admission::Carried);
        }
        if lives_as(&way.platform, &way.to, Role::Emsp) {
            let is_cpo = lives_as(&way.platform, &way.to, Role::Cpo);
            let session = incoming.object()?.unwrap_or_default();
            let is_its_own = is_cpo && self.profiles.knows((&way.to, &session)).await?;
            // T2: it is for the eMSP to send its own request, and only that one is about control.
            if !is_its_own && self.profiles.lets_act(&way.to, &way.from).await?.is_some() {
                return Ok(Admission::Carried);
            }
            if !is_cpo {
                self.profiles.no_contract();
                return Ok(Admission::Refused(self.no(way, Refused::Stranger)));
            }
        }
        self.admission_as(incoming, way, &way.to, Name::Any).await
    }

    /// The same for a session of that CPO, in a name.
    pub(super) async fn admission_as(
        &self,
        incoming: &Incoming,
        way: &Way,
        cpo: &PartyId,
        name: Name<'_>,
    ) -> Result<Admission, Failure> {
        let (Some(verb), Some(session)) = (Verb::of(incoming.route.method), incoming.object()?) else {
            return Ok(Admission::Carried);
        };
        if verb == Verb::Put {
            sanity::check(incoming.body.as_deref().unwrap_or_default())?;
        }
        self.learn_what_is_kept(cpo, &session).await?;
        let mut steering = Steering {
            session,
            verb,
            is_emsp: lives_as(&incoming.caller.platform, &way.from, Role::Emsp),
            answer_within: TimeDelta::from_std(self.deadline(incoming, way)).unwrap_or(TimeDelta::MAX),
            onward: None,
        };
        let place = (cpo, steering.session.as_str());
        let would = self.profiles.would_admit(place, &steering.ask(way, name, "")).await?;
        match would {
            Ok(Some(emsp)) => steering.onward = Some(self.way_for(incoming, &emsp, cpo)?),
            Ok(None) => {}
            Err(refused) => return Ok(Admission::Refused(self.no(way, refused))),
        }
        Ok(Admission::Asks(steering))
    }

    /// Takes control, or lets a question through; the hub's no where somebody was quicker.
    pub(super) async fn take(
        &self,
        way: &Way,
        steering: &Steering,
        lent: &LentAnswer,
    ) -> Result<Option<Reply>, Failure> {
        let request = request(&lent.id);
        // In the name in which it is about to go, and in no other.
        let name = steering
            .onward
            .as_ref()
            .map_or(Name::Own, |onward| Name::Of(&onward.from));
        let ask = steering.ask(way, name, &request);
        let said = self.profiles.admit(steering.place(way), &ask).await?;
        Ok(said.err().map(|refused| self.no(way, refused)))
    }

    /// Tells the ledger what the CPO answered at once. Of an answer that was lost nobody knows whether the CPO acted: control then
    /// goes back by its time, or a result decides.
    pub(super) async fn heard(
        &self,
        way: &Way,
        steering: &Steering,
        lent: &LentAnswer,
        relayed: &Result<Relayed, Refusal>,
    ) {
        let answered = match relayed {
            Ok(relayed) => {
                let word = word_of(relayed);
                if word.result.as_deref() == Some("TOO_OFTEN") {
                    self.profiles.cpo_said_too_often();
                }
                match word.is_accepted() && relayed.code.is_success() {
                    true => Answered::Accepted(word.timeout.unwrap_or(0)),
                    false => Answered::No,
                }
            }
            Err(lost) if matches!(lost.situation, Situation::TimedOut | Situation::HubError) => return,
            Err(_) => Answered::No,
        };
        let place = steering.place(way);
        if let Err(fault) = self.profiles.answered(place, &request(&lent.id), answered).await {
            log::error!("{}", fault.chain());
        }
    }

    /// The result of a request came in: the CPO's word moves the ledger, whether or not the requester takes it.
    pub(super) async fn settle(&self, result: &Carried) {
        let Some(profile) = result.about_a_profile().filter(|_| self.profiles.is_kept()) else {
            return;
        };
        let Some(verb) = Verb::of(profile.verb) else { return };
        let active = profile
            .active
            .as_deref()
            .filter(|_| verb == Verb::Get && profile.is_accepted);
        let (request, place) = (request(profile.id), (&result.from, profile.session));
        let settled = self
            .profiles
            .result(place, (verb, &request), profile.is_accepted, active);
        if let Err(fault) = settled.await {
            log::error!("{}", fault.chain());
        }
    }

    /// Whether a request asks for something about a profile that the ledger lets through or not.
    pub(super) fn is_asking(&self, incoming: &Incoming) -> bool {
        self.profiles.is_kept() && is_profile(incoming) && incoming.interface.role == InterfaceRole::Receiver
    }

    /// Whether a request tells somebody of the active profile of a session.
    pub(super) fn is_report(&self, incoming: &Incoming) -> bool {
        let at_sender = incoming.interface.role == InterfaceRole::Sender;
        self.profiles.is_kept() && is_profile(incoming) && at_sender && incoming.route.method == "PUT"
    }

    /// A report to somebody who is named: only to who had a profile accepted on that session (CP-08, ECI-18).
    pub(super) async fn report_to(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        way: &Way,
    ) -> Result<Reply, Failure> {
        let session = incoming.object()?.unwrap_or_default();
        let is_cpo = incoming.caller.platform.has_role(&way.from, Role::Cpo);
        let may = if is_cpo {
            let told = self.profiles.told((&way.from, &session)).await?;
            told.iter().any(|one| one.party == way.to && one.acts_for.is_none())
        } else {
            // T2: what an eMSP was told it may tell on to who set the profile through it.
            self.hints
                .setters_of_session(&way.from, &session)
                .await?
                .contains(&way.to)
                && self.profiles.lets_act(&way.from, &way.to).await?.is_some()
        };
        if !may {
            return Err(Refusal::invalid_parameter(
                "OCPI-to names a party that is not told of this session's profile: it had none accepted, or may not ask any more",
            )
            .into());
        }
        if is_cpo {
            self.keep_report(incoming, &way.from, &session).await?;
        }
        self.carry(incoming, owner, way).await
    }

    /// A report to nobody in particular: to everybody who is told of that session, at once. The first of them that takes it answers for all.
    pub(super) async fn report(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        from: &Speaker,
    ) -> Result<Reply, Failure> {
        let session = incoming.object()?.unwrap_or_default();
        let told = self.told_by(incoming, &from.party, &session).await?;
        self.report_to_each(incoming, owner, from, &told).await
    }

    /// Whom a party tells of a session's profile: a CPO those who had one accepted; an eMSP in the path (T2) those who set one through it and
    /// may act for it.
    async fn told_by(&self, incoming: &Incoming, from: &PartyId, session: &str) -> Result<Vec<Told>, Failure> {
        let mut told = match lives_as(&incoming.caller.platform, from, Role::Cpo) {
            true => self.profiles.told((from, session)).await?,
            false => Vec::new(),
        };
        if told.is_empty() && lives_as(&incoming.caller.platform, from, Role::Emsp) {
            for party in self.hints.setters_of_session(from, session).await? {
                if self.profiles.lets_act(from, &party).await?.is_some() {
                    told.push(Told { party, acts_for: None });
                }
            }
        }
        Ok(told)
    }

    /// The same to some of those who are told. Who acts for an eMSP is told in its name, and the CPO hears the eMSP answer.
    pub(super) async fn report_to_each(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        from: &Speaker,
        told: &[Told],
    ) -> Result<Reply, Failure> {
        if !told.is_empty() && lives_as(&incoming.caller.platform, &from.party, Role::Cpo) {
            let session = incoming.object()?.unwrap_or_default();
            self.keep_report(incoming, &from.party, &session).await?;
        }
        let all = told.iter().map(|one| async move {
            let Some(emsp) = &one.acts_for else {
                let way = self.way(incoming, from, &one.party)?;
                return self.carry(incoming, owner, &way).await;
            };
            let told = async {
                let way = self.way_for(incoming, emsp, &one.party)?;
                self.carry(incoming, owner, &way).await
            };
            in_its_name(told.await, emsp, &from.party)
        });
        let mut heard: Vec<Result<Reply, Failure>> = futures_util::future::join_all(all).await;
        let taken = heard.iter().position(|one| one.as_ref().is_ok_and(Reply::is_success));
        match taken {
            Some(taken) => heard.swap_remove(taken),
            None => heard.into_iter().next().unwrap_or_else(|| {
                Err(
                    Refusal::unknown_receiver("nobody here is told of this session's profile: none was accepted")
                        .into(),
                )
            }),
        }
    }

    /// What the CPO says is active, and whether it says that nobody's profile holds any more.
    async fn keep_report(&self, incoming: &Incoming, cpo: &PartyId, session: &str) -> Result<(), Failure> {
        let body = incoming.body.as_deref().unwrap_or_default();
        let is_revoked = Fields::of_body(body, ["revoked"])?
            .boolean("revoked")
            .map_err(Refusal::from)?;
        let active = std::str::from_utf8(body).unwrap_or_default();
        let is_revoked = is_revoked.unwrap_or(false);
        Ok(self.profiles.reported((cpo, session), active, is_revoked).await?)
    }

    /// The hub's own no (2.3): what the requester would hear of a CPO, in the hub's name, with nothing to follow.
    fn no(&self, way: &Way, refused: Refused) -> Reply {
        let (result, message, wait) = match refused {
            Refused::Stranger => (
                "REJECTED",
                "neither a token nor a contract lets this party steer the session",
                None,
            ),
            Refused::Controlled => ("REJECTED", "the session has a controller", None),
            Refused::Outranked => ("REJECTED", "another has precedence on this session", None),
            Refused::TooOften(wait) => ("TOO_OFTEN", "asked too often about this session", Some(wait)),
        };
        let seconds = |wait: TimeDelta| (wait.num_milliseconds().max(1) + 999) / 1000;
        Reply {
            http: 200,
            words: Words::Own {
                code: StatusCode::SUCCESS,
                message: Some(message.to_owned()),
                data: Some(format!(r#"{{"result":"{result}","timeout":0}}"#)),
            },
            to: Some(way.from.clone()),
            from: self.settings.hub.clone(),
            headers: wait
                .map(|wait| ("Retry-After", seconds(wait).to_string()))
                .into_iter()
                .collect(),
        }
    }
}

impl Steering {
    /// Whose session of which id.
    fn place<'a>(&'a self, way: &'a Way) -> Place<'a> {
        let onward = self.onward.as_ref().unwrap_or(way);
        (&onward.to, &self.session)
    }

    fn ask<'a>(&self, way: &'a Way, name: Name<'a>, request: &'a str) -> Ask<'a> {
        Ask {
            party: &way.from,
            is_emsp: self.is_emsp,
            name,
            verb: self.verb,
            request,
            answer_within: self.answer_within,
        }
    }
}

/// A request by the digest of the id its result comes to: who knows the id itself may answer, so that one stands in no second place.
fn request(lent: &str) -> String {
    hex::encode(Sha256::digest(lent))
}

fn word_of(relayed: &Relayed) -> ResultWord {
    let data = envelope::read(&relayed.body).ok().and_then(|envelope| envelope.data);
    ResultWord::read(data.as_ref().map_or("", |data| data.get()))
}

/// Whether a party lives there in that role: registered, or carried by a peer hub.
pub(super) fn lives_as(platform: &Platform, party: &PartyId, role: Role) -> bool {
    platform
        .party_role(party, role)
        .is_some_and(|entry| platform.is_live(entry))
}
