//! Direct and open routing: carried once, waited for, answered (R-20 … R-33).
//!
//! The requester waits, so nothing is kept and nothing repeated: late is worse than never (design.md promise 3). A request that
//! changes something goes on if its caller hangs up; its receiver sees a whole request, and what the hub learns from the answer
//! is not lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hints::Hints;
use super::hop::Hop;
use super::incoming::Incoming;
use super::journal::Journal;
use super::learning;
use super::passing::Passed;
use super::reply::{Reply, Words};
use super::seen::Seen;
use super::steering::Admission;
use crate::client::Method;
use crate::clock::SharedClock;
use crate::delivery::Delivery;
use crate::delivery::order::{Object, Order, Turn};
use crate::delivery::relay::{Expects, relay};
use crate::links::{Between, Lending, LentAnswer, Links};
use crate::mirror::Mirror;
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::{PartyId, fold};
use crate::ocpi::modules::{Answer, CHARGING_PROFILES, COMMANDS, TOKENS};
use crate::ocpi::refusal::Refusal;
use crate::parties::line::{Call, Line, Target};
use crate::parties::{Failure, Fault, Parties};
use crate::profiles::Profiles;
use crate::registry::Registry;
use crate::routing::arrangement::{Arrangement, Way, arrange};
use crate::store::Store;

/// The life of a request to a functional module, CDRs that are posted or listed aside.
pub struct Exchange {
    pub(super) parties: Arc<Parties>,
    pub(super) links: Arc<Links>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) hints: Arc<Hints>,
    pub(super) profiles: Arc<Profiles>,
    pub(super) delivery: Arc<Delivery>,
    pub(super) settings: ExchangeSettings,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Store,
    order: Order,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: SharedClock,
    seen: Seen,
}

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct ExchangeSettings {
    /// The hub's own party.
    pub hub: PartyId,
    /// Where parties reach the hub, without a trailing slash.
    pub public_url: String,
    /// The most objects on one page.
    pub max_limit: u32,
    /// How long a receiver may take (D-15), unless its platform has a deadline of its own.
    pub patience: Patience,
}

/// Deadlines by what is asked (D-15, R-45).
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// `timeouts.relay`: everything else.
    pub relay: Duration,
    /// `timeouts.authorize`: real-time authorization.
    pub authorize: Duration,
    /// `timeouts.command`: commands and charging profiles.
    pub command: Duration,
    /// `timeouts.list`: pages of lists.
    pub list: Duration,
}

/// What an exchange works with.
pub struct Rooms {
    /// Who is connected, and the line to them.
    pub parties: Arc<Parties>,
    /// URLs lent out.
    pub links: Arc<Links>,
    /// What the hub knows by itself.
    pub mirror: Arc<Mirror>,
    /// What the hub learned from traffic.
    pub hints: Arc<Hints>,
    /// Who steers which session.
    pub profiles: Arc<Profiles>,
    /// What is owed.
    pub delivery: Arc<Delivery>,
    /// One at a time per object.
    pub order: Order,
    /// Who sent what when.
    pub journal: Arc<Journal>,
    /// Which key belongs to which meter.
    pub registry: Arc<Registry>,
    /// What was found out about CDRs.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
}

impl Exchange {
    /// A new exchange.
    #[must_use]
    pub fn new(rooms: Rooms, settings: ExchangeSettings) -> Arc<Exchange> {
        let Rooms {
            parties,
            links,
            mirror,
            hints,
            profiles,
            delivery,
            order,
            journal,
            registry,
            store,
            clock,
        } = rooms;
        Arc::new(Exchange {
            parties,
            links,
            mirror,
            hints,
            profiles,
            delivery,
            settings,
            registry,
            store,
            order,
            journal,
            clock,
            seen: Seen::default(),
        })
    }

    /// How many lines of the journal were lost since the start.
    #[must_use]
    pub fn journal_lines_lost(&self) -> u64 {
        self.journal.lost()
    }

    /// Carries a request to whom it is for, or answers it from what the hub knows.
    ///
    /// # Errors
    /// What [`arrange`] refuses; 400 and 2001 for a body the hub cannot route; 4000 to 4003 where no answer came; faults of ours.
    pub async fn handle(self: &Arc<Self>, incoming: Incoming) -> Result<Reply, Failure> {
        if !incoming.changes() {
            return self.written(&incoming).await;
        }
        let exchange = self.clone();
        let task = tokio::spawn(async move { exchange.written(&incoming).await });
        task.await.map_err(|error| Fault::new("carrying a request", error))?
    }

    /// With a line in the journal, whatever became of it (M-09).
    async fn written(self: &Arc<Self>, incoming: &Incoming) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let owner = incoming.owner();
        let outcome = match &owner {
            Ok(owner) => self.arranged(incoming, owner.as_ref()).await,
            Err(refusal) => Err(refusal.clone().into()),
        };
        self.note(incoming, owner.ok().flatten().as_ref(), &outcome, begun.elapsed());
        outcome
    }

    async fn arranged(self: &Arc<Self>, incoming: &Incoming, owner: Option<&PartyId>) -> Result<Reply, Failure> {
        let directory = incoming.caller.directory();
        let proxy = self.proxy(incoming).await?;
        let arrangement = match &proxy {
            None => Some(arrange(directory, &incoming.caller.platform, incoming.asked(owner))?),
            Some(_) => None,
        };
        incoming.check_body(owner)?;
        if incoming.caller.platform.options.strict
            && let Some(refusal) = Passed::of(incoming).and_then(|passed| passed.refusal())
        {
            return Err(refusal.into());
        }
        if incoming.caller.platform.is_hub_peer() {
            // D-26: what came by another way already must not go round again.
            self.seen.once(incoming, self.clock.now())?;
        }
        let arrangement = match (proxy, arrangement) {
            (Some(proxy), _) => return self.by_proxy(incoming, owner, proxy).await,
            (None, Some(arrangement)) => arrangement,
            (None, None) => return Err(Fault::found("a request was arranged in no way").into()),
        };
        match arrangement {
            Arrangement::Direct(way) if self.is_report(incoming) => self.report_to(incoming, owner, &way).await,
            Arrangement::Open(from) if self.is_report(incoming) => self.report(incoming, owner, &from).await,
            Arrangement::Direct(way) => self.carry(incoming, owner, &way).await,
            Arrangement::Open(from) => self.open(incoming, owner, &from).await,
            Arrangement::Broadcast(from) => self.broadcast(incoming, owner, &from).await,
            Arrangement::GetAll(readers) => self.get_all(incoming, &readers).await,
            Arrangement::Own(from) => self.own(incoming, owner, &from).await,
        }
    }

    /// Carries a request along one way and answers with what came back.
    pub(super) async fn carry(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        way: &Way,
    ) -> Result<Reply, Failure> {
        let _turn = self.turn(incoming, owner, way).await?;
        self.send(incoming, owner, way).await
    }

    /// The same for who has its turn already.
    pub(super) async fn send(&self, incoming: &Incoming, owner: Option<&PartyId>, way: &Way) -> Result<Reply, Failure> {
        let admission = self.admission(incoming, way).await?;
        self.send_admitted(incoming, owner, way, admission).await
    }

    /// The same for what was admitted already. A request in another's name goes its own way from here, and is answered on that it came by.
    pub(super) async fn send_admitted(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        way: &Way,
        admission: Admission,
    ) -> Result<Reply, Failure> {
        let steering = match admission {
            Admission::Refused(no) => return Ok(no),
            Admission::Asks(steering) => Some(steering),
            Admission::Carried => None,
        };
        let onward = steering
            .as_ref()
            .and_then(|steering| steering.onward.as_ref())
            .unwrap_or(way);
        let mut call = self.call(incoming, owner, onward)?;
        let lent = self
            .lend_answer(incoming, between(incoming, way, onward), &mut call)
            .await?;
        let asked = Line::address(&way.platform, &call.to, call.query.as_deref());
        let asked = asked.map_err(|missing| Refusal::hub_error(missing.to_string()))?;
        let steering = steering.as_ref().zip(lent.as_ref());
        if let Some((steering, lent)) = steering
            && let Some(no) = self.take(way, steering, lent).await?
        {
            self.links.answered(lent, &[]).await;
            return Ok(no);
        }
        let relayed = relay(self.parties.line(), &way.platform, call, expects(incoming)).await;
        if let Some((steering, lent)) = steering {
            self.heard(way, steering, lent, &relayed).await;
        }
        let relayed = relayed?;
        if let Some(lent) = &lent {
            self.links.answered(lent, &relayed.body).await;
        }
        if relayed.code.is_success() {
            self.session_went_by(incoming, owner, way).await;
        }
        learning::from_answer(&self.hints, incoming, way, &relayed, self.clock.now());
        let headers = match incoming.route.answer {
            Answer::Page => {
                let (module, between) = (incoming.module.identifier, between(incoming, way, way));
                self.links.page_headers(&relayed, module, &asked, between).await?
            }
            _ => Vec::new(),
        };
        Ok(Reply {
            http: relayed.http,
            words: Words::Relayed(relayed.body, Some(relayed.code)),
            to: Some(way.from.clone()),
            from: way.to.clone(),
            headers,
        })
    }

    /// The request as it leaves: the same method, path, query and octets; other ids and headers (R-13, R-23, M-03, M-04).
    fn call(&self, incoming: &Incoming, owner: Option<&PartyId>, way: &Way) -> Result<Call, Refusal> {
        let owner = owner.map(|owner| if *owner == way.from { &way.from } else { owner });
        let method = Method::from_bytes(incoming.route.method.as_bytes())
            .map_err(|_| Refusal::method_not_allowed("this method cannot be carried"))?;
        Ok(Call {
            method,
            to: Target::AsCame(
                incoming.module.identifier,
                incoming.interface.role,
                incoming.tail(owner),
            ),
            query: incoming.query.clone(),
            routing: Some(Routing {
                to: Some(way.to.clone()),
                from: Some(way.from.clone()),
            }),
            ids: incoming.ids.clone(),
            body: incoming.body.clone(),
            headers: Vec::new(),
            timeout: Some(self.deadline(incoming, way)),
            max_answer: None,
        })
    }

    /// Waits until everybody who came before about the same object is through, as long as for an answer. Whoever waits longer has
    /// not been sent at all: late is worse than never. Held until the answer is here and what follows from it is kept: the next
    /// request about the same object leaves after it (R-46, D-16).
    pub(super) async fn turn(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        way: &Way,
    ) -> Result<Option<Turn>, Refusal> {
        let Some(object) = self.object(incoming, owner, way)? else {
            return Ok(None);
        };
        if self.order.waiting(&object) >= IN_LINE {
            return Err(Refusal::hub_error(
                "too many requests about this object wait for the receiver; this one was not sent",
            ));
        }
        let patience = self.deadline(incoming, way);
        let turn = tokio::time::timeout(patience, self.order.queue(object).turn()).await;
        turn.map(Some).map_err(|_| {
            Refusal::timed_out("the receiver is busy with earlier requests about this object; this one was not sent")
        })
    }

    /// How long a receiver may take: what the operator says of its platform, else by what is asked (D-15).
    pub(super) fn deadline(&self, incoming: &Incoming, way: &Way) -> Duration {
        let own = way.platform.options.timeouts.relay;
        own.unwrap_or_else(|| self.patience(incoming))
    }

    fn patience(&self, incoming: &Incoming) -> Duration {
        let patience = &self.settings.patience;
        match incoming.route.answer {
            Answer::Page => patience.list,
            Answer::LaterInBody | Answer::LaterInQuery => patience.command,
            _ if is_authorization(incoming) => patience.authorize,
            Answer::Once | Answer::Result => patience.relay,
        }
    }

    /// Whose turn a request has to wait for. Reads and authorisations wait for nobody (TOK-14); neither do commands: each is its own.
    fn object(&self, incoming: &Incoming, owner: Option<&PartyId>, way: &Way) -> Result<Option<Object>, Refusal> {
        if !incoming.changes() || is_authorization(incoming) || incoming.module == &COMMANDS {
            return Ok(None);
        }
        let Some(object) = incoming.object()? else {
            return Ok(None);
        };
        Ok(Some(Object {
            platform: way.platform.id.clone(),
            module: incoming.module.identifier.to_owned(),
            owner: owner.unwrap_or(&way.from).key(),
            object: fold(&object),
        }))
    }

    /// Puts a URL of ours in the place of the requester's `response_url` (D-14, CMD-09, CP-11).
    async fn lend_answer(
        &self,
        incoming: &Incoming,
        between: Between<'_>,
        call: &mut Call,
    ) -> Result<Option<LentAnswer>, Failure> {
        use crate::ocpi::splice;
        let object = incoming.object()?.unwrap_or_default();
        let lending = |kind, url| Lending {
            kind,
            object: &object,
            url,
            between,
        };
        match incoming.route.answer {
            Answer::LaterInBody => {
                let body = incoming.body.clone().unwrap_or_default();
                let found = splice::string_member(&body, RESPONSE_URL)?;
                let found = found.ok_or_else(|| Refusal::invalid("/response_url", "is missing"))?;
                let kind = learning::awaited(incoming)?;
                let lent = self.links.lend_answer(lending(&kind, &found.text)).await?;
                let ours = splice::json_string(&lent.url);
                call.body = Some(Bytes::from(splice::replace_range(&body, &found.range, &ours)));
                Ok(Some(lent))
            }
            Answer::LaterInQuery => {
                let query = incoming.query.clone().unwrap_or_default();
                let others: &[&str] = if incoming.route.method == "GET" {
                    &["duration"]
                } else {
                    &[]
                };
                let found = splice::nested_url(&query, RESPONSE_URL, others)?;
                let found = found.ok_or_else(|| Refusal::invalid_parameter("parameter response_url: is missing"))?;
                let kind = learning::awaited(incoming)?;
                let lent = self.links.lend_answer(lending(&kind, &found.decoded)).await?;
                call.query = Some(splice::replace_parameter(&query, &found.range, &lent.url));
                Ok(Some(lent))
            }
            Answer::Once | Answer::Page | Answer::Result => Ok(None),
        }
    }

    fn note(&self, incoming: &Incoming, owner: Option<&PartyId>, outcome: &Result<Reply, Failure>, took: Duration) {
        let hop = Hop {
            caller: &incoming.caller.platform.id,
            ids: &incoming.ids,
            module: incoming.module.identifier,
            method: incoming.route.method,
            object: written_object(incoming, owner),
            from: incoming.routing.from.as_ref(),
            to: incoming.routing.to.as_ref(),
        };
        let line = hop.line(outcome, took, self.clock.now());
        // What the hub keeps for others it has looked at before it took it.
        let was_carried = matches!(outcome, Ok(reply) if matches!(reply.words, Words::Relayed(..)));
        match Passed::of(incoming).filter(|_| was_carried) {
            Some(passed) => self.journal.note_passed(line, passed),
            None => self.journal.note(line),
        }
    }
}

const RESPONSE_URL: &str = "response_url";

/// How many requests about one object may wait for one receiver (D-16). At a request a second, what came first is by then
/// no news to anybody.
const IN_LINE: usize = 64;

/// What a request was about, as `DE/ABC/S-1`. A token is personal data and stays out of the journal (N-07).
fn written_object(incoming: &Incoming, owner: Option<&PartyId>) -> Option<String> {
    let object = incoming
        .object()
        .ok()
        .flatten()
        .filter(|_| incoming.module != &TOKENS)?;
    Some(owner.map_or_else(|| object.clone(), |owner| format!("{}/{}", owner.key(), fold(&object))))
}

/// Whether a request asks if a token may charge (TOK-02).
pub(super) fn is_authorization(incoming: &Incoming) -> bool {
    incoming.module == &TOKENS && incoming.route.method == "POST"
}

/// Who may use what is lent for a request.
fn between<'a>(incoming: &'a Incoming, way: &'a Way, onward: &'a Way) -> Between<'a> {
    Between {
        requester: &incoming.caller.platform,
        requester_party: &way.from,
        receiver: &onward.platform,
        receiver_party: &onward.to,
        acts_for: (onward.from != way.from).then_some(&onward.from),
    }
}

/// What kind of answer a request has.
fn expects(incoming: &Incoming) -> Expects {
    match incoming.route.answer {
        Answer::Page => Expects::List,
        _ if is_authorization(incoming) => Expects::Authorization,
        _ => Expects::Object,
    }
}

/// Whether a request is about charging profiles.
pub(super) fn is_profile(incoming: &Incoming) -> bool {
    incoming.module == &CHARGING_PROFILES
}
