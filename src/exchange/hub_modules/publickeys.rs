//! `publickeys`: operators register their meters' keys under ids of their own, everybody reads what is published.
//!
//! | Interface | Call | Meaning |
//! | --- | --- | --- |
//! | RECEIVER | PUT `{cc}/{pid}/{id}` | submit under the operator's own id; again is no news (PC-09) |
//! | RECEIVER | PATCH `{cc}/{pid}/{id}` | it ended, or is taken back; nothing else of it ever changes |
//! | RECEIVER | GET `{cc}/{pid}/{id}` | how it stands, for its operator |
//! | SENDER | GET, GET `{cc}/{pid}/{id}` | everything that is published |

use uuid::Uuid;

use super::super::custom::CustomRequest;
use super::super::frame::{Cursor, written};
use super::super::relay::Exchange;
use super::super::reply::Reply;
use super::claimed::{self, End};
use super::{not_possible, nothing, owner, segments};
use crate::client::Method;
use crate::metering::key::PublicKey;
use crate::ocpi::ids::{PartyId, fold, key_of};
use crate::ocpi::page::PageQuery;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::parties::{Failure, Fault};
use crate::registry::checks::NewKey;
use crate::registry::index::Registered;
use crate::registry::lifecycle::State;
use crate::registry::record::Registration;
use crate::registry::shown::object;
use crate::registry::{Actor, Declined, Submitted, Wish};

/// Ids of OCPI have so many characters.
const LONGEST_ID: usize = 36;

impl Exchange {
    pub(super) async fn publickeys(&self, request: &CustomRequest) -> Result<Reply, Failure> {
        let segments = segments(request)?;
        let segments = segments.iter().map(String::as_str).collect::<Vec<_>>();
        let refreshed = self.registry.refresh().await;
        refreshed.map_err(|error| Fault::new("reading the key registry", error))?;
        match (request.interface, segments.as_slice()) {
            (InterfaceRole::Sender, []) => match request.method {
                Method::GET => self.list(request),
                _ => Err(not_possible(&request.method, "GET").into()),
            },
            (InterfaceRole::Sender, [country_code, party_id, id]) => match request.method {
                Method::GET => self.published(request, &owner(country_code, party_id)?, id).await,
                _ => Err(not_possible(&request.method, "GET").into()),
            },
            (InterfaceRole::Receiver, [country_code, party_id, id]) => {
                let owner = owner(country_code, party_id)?;
                must_be_its_own(request, &owner)?;
                if id.chars().count() > LONGEST_ID || key_of(id).is_none() {
                    return Err(Refusal::invalid_parameter("the id in the URL must have 1 to 36 characters").into());
                }
                match request.method {
                    Method::GET => self.of_its_operator(request, &owner, id).await,
                    Method::PUT => self.put(request, owner, id).await,
                    Method::PATCH => self.end(request, &owner, id).await,
                    _ => Err(not_possible(&request.method, "GET, PUT, PATCH").into()),
                }
            }
            _ => Err(nothing().into()),
        }
    }

    /// All that is published, in the order it was made.
    fn list(&self, request: &CustomRequest) -> Result<Reply, Failure> {
        let query = request.query.as_deref().unwrap_or_default();
        let asked = PageQuery::read(query)?;
        let limit = asked
            .limit
            .unwrap_or(self.settings.max_limit)
            .min(self.settings.max_limit);
        let fits = |one: &Registered| {
            one.now().state.is_public()
                && asked.date_from.is_none_or(|from| from <= one.learned_at())
                && asked.date_to.is_none_or(|to| one.learned_at() < to)
        };
        let cursor = Cursor::of(query, asked.offset);
        let index = self.registry.index();
        let total = match &cursor {
            Some(cursor) => cursor.total,
            None => index.after("").filter(|one| fits(one)).count() as u64,
        };
        // Nothing published is ever gone, but what waited long is published in between: by the last id nobody misses one.
        let (after, over) = match &cursor {
            Some(cursor) => (cursor.after.as_str(), 0),
            None => ("", usize::try_from(asked.offset).unwrap_or(usize::MAX)),
        };
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = index.after(after).filter(|one| fits(one)).skip(over);
        let shown: Vec<_> = found.by_ref().take(wanted).collect();
        let next = found.next().and(shown.last()).map(|last| Cursor {
            offset: asked.offset.saturating_add(u64::from(limit)),
            total,
            after: last.now().id.clone(),
            until: None,
        });
        let objects = shown
            .iter()
            .map(|one| object(one.now(), &one.now().id, one.learned_at(), false).to_string());
        let data = written(objects);
        Ok(self.page(request, data, total, limit, next.as_ref()))
    }

    /// One that is published, by the registry's id of it, or by what its operator calls it.
    async fn published(&self, request: &CustomRequest, owner: &PartyId, id: &str) -> Result<Reply, Failure> {
        let found = self.find(owner, id).await?.filter(|one| one.now().state.is_public());
        let found = found.ok_or_else(nothing)?;
        let object = object(found.now(), id, found.learned_at(), false);
        Ok(self.said(request, 200, Some(object.to_string())))
    }

    async fn of_its_operator(&self, request: &CustomRequest, owner: &PartyId, id: &str) -> Result<Reply, Failure> {
        let found = self.find(owner, id).await?.ok_or_else(nothing)?;
        let object = object(found.now(), id, found.learned_at(), true);
        Ok(self.said(request, 200, Some(object.to_string())))
    }

    /// The id is written down before the claim is submitted under it: whoever repeats the call after a crash finds what became of it.
    async fn put(&self, request: &CustomRequest, owner: PartyId, id: &str) -> Result<Reply, Failure> {
        let body = request.body.as_deref();
        let claim = claimed::read(
            body.ok_or_else(|| Refusal::malformed("the body is missing"))?,
            &owner,
            id,
        )?;
        let known = self.find(&owner, id).await?;
        if let Some(known) = known.as_deref().map(Registered::now) {
            if is_open(known) && !is_about(known, &claim) {
                let sentence =
                    "another key, meter or EVSE stands under this id; what replaces it is a registration of its own";
                return Err(Refusal::invalid("/id", sentence).into());
            }
            if matches!(known.state, State::Deactivated | State::Superseded) {
                return Err(Refusal::invalid("/id", "the registration of this id has ended").into());
            }
        }
        // What was refused or taken back leaves its id free.
        let closed = known.as_deref().map(Registered::now).filter(|known| !is_open(known));
        let name = |registration: String, instead_of: Option<String>| {
            let (store, cpo_key, id) = (self.store.clone(), owner.key(), id.to_owned());
            async move {
                let named = store
                    .registration_name(&cpo_key, &fold(&id), &id, &registration, instead_of.as_deref())
                    .await;
                named.map_err(|error| Fault::new("naming a registration", error))
            }
        };
        let named = match known.as_deref().map(Registered::now).filter(|known| is_open(known)) {
            Some(known) => known.id.clone(),
            None => name(Uuid::now_v7().to_string(), closed.map(|one| one.id.clone())).await?,
        };
        let sample_is_required = request.caller.platform.options.require_sample;
        let submitted = self
            .registry
            .submit_as(&named, claim, &Actor::Party(owner.clone()), sample_is_required)
            .await;
        let (http, one) = match submitted.map_err(|error| Fault::new("registering a key", error))? {
            Submitted::New(one) => (201, one),
            Submitted::Existing(one) => {
                if one.id != named {
                    // PC-09: it was registered before, by another way. From now on it has this name too.
                    name(one.id.clone(), Some(named)).await?;
                }
                (200, one)
            }
            Submitted::Refused(_, findings) => {
                let pointer = findings.first().map_or("", |finding| finding.pointer);
                let reasons = findings.iter().map(|one| format!("{}: {}", one.code, one.message));
                let reasons = reasons.collect::<Vec<_>>().join("; ");
                return Err(Refusal::invalid(pointer, format!("refused: {reasons}")).into());
            }
        };
        self.shown(request, http, &one.id, id)
    }

    async fn end(&self, request: &CustomRequest, owner: &PartyId, id: &str) -> Result<Reply, Failure> {
        let body = request.body.as_deref();
        let end = claimed::end(body.ok_or_else(|| Refusal::malformed("the body is missing"))?)?;
        let found = self.find(owner, id).await?.ok_or_else(nothing)?;
        let (registration, actor) = (&found.now().id, Actor::Party(owner.clone()));
        let wish = match end {
            End::Deactivate(at) => Wish::Deactivate(at),
            End::Withdraw => Wish::Withdraw,
        };
        let ended = self.registry.wish(registration, &wish, &actor).await;
        match ended {
            Ok(one) => self.shown(request, 200, &one.id, id),
            Err(Declined::Unknown) => Err(nothing().into()),
            Err(declined @ Declined::NotThen) => Err(Refusal::invalid("/valid_to", declined).into()),
            Err(
                declined @ (Declined::NotNow(_) | Declined::Contradicts(_) | Declined::TooMuch | Declined::Unproven),
            ) => Err(Refusal::invalid("/state", declined).into()),
            Err(Declined::Failed(error)) => Err(Fault::new("ending a registration", error).into()),
        }
    }

    /// The answer to a change: how the registration stands now.
    fn shown(&self, request: &CustomRequest, http: u16, registration: &str, id: &str) -> Result<Reply, Failure> {
        let found = self.registry.index().get(registration).cloned();
        let found = found.ok_or_else(|| Fault::found("a registration is gone from the index"))?;
        let object = object(found.now(), id, found.learned_at(), true);
        Ok(self.said(request, http, Some(object.to_string())))
    }

    /// By what its operator calls it, else by the registry's own id.
    async fn find(&self, owner: &PartyId, id: &str) -> Result<Option<std::sync::Arc<Registered>>, Failure> {
        let Some(key) = key_of(id) else { return Ok(None) };
        let named = self.store.registration_named(&owner.key(), &key).await;
        let named = named.map_err(|error| Fault::new("reading the name of a registration", error))?;
        let registration = named.unwrap_or_else(|| id.to_ascii_lowercase());
        let found = self.registry.index().get(&registration).cloned();
        Ok(found.filter(|one| one.now().cpo == owner.key()))
    }
}

/// Nobody speaks for somebody else: what a URL of the RECEIVER interface names is the caller's own (T-27).
fn must_be_its_own(request: &CustomRequest, owner: &PartyId) -> Result<(), Refusal> {
    let platform = &request.caller.platform;
    let speaks = request.routing.from.as_ref().is_none_or(|from| from == owner);
    match speaks && platform.has_role(owner, Role::Cpo) {
        true => Ok(()),
        false => Err(Refusal::invalid_parameter(
            "the URL names another owner than the party that speaks, or one that is no CPO of this platform",
        )),
    }
}

/// Whether it stands, or may come to stand.
fn is_open(one: &Registration) -> bool {
    !matches!(
        one.state,
        State::Refused | State::Withdrawn | State::Deactivated | State::Superseded
    )
}

fn folded(serial: Option<&str>) -> Option<String> {
    serial.map(str::to_ascii_lowercase)
}

/// Whether a claim says the same of key, meter and EVSE. A key that cannot be read is the checks' business.
fn is_about(one: &Registration, claim: &NewKey) -> bool {
    let curve = crate::metering::key::Curve::from_name(&one.curve);
    let key = PublicKey::read(&claim.public_key, curve).ok();
    let evse = crate::registry::evse_id::EvseId::read(&claim.evse_id).map(|id| id.to_string());
    key.is_none_or(|key| key.fingerprint() == one.fingerprint)
        && folded(one.unit.meter_serial.as_deref()) == folded(claim.unit.meter_serial.as_deref())
        && evse.is_none_or(|evse| evse == one.evse_id)
}
