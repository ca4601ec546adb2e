//! The SENDER side: lists in pages and single objects of what this platform owns (checklist 1.6).

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::behaviour::Behaviour;
use super::inner::Inner;
use super::party::SandboxParty;
use super::receiving;
use super::reply::SandboxError;
use super::server::Asked;
use super::splice;
use crate::ocpi::ids::{PartyId, fold};
use crate::ocpi::page::PageQuery;
use crate::ocpi::role::Role;
use crate::ocpi::status::StatusCode;
use crate::ocpi::time;

/// What is offered of one module, in the order of making (P-08).
#[derive(Default)]
pub(super) struct Shelf {
    offers: Vec<Offer>,
    places: HashMap<String, usize>,
}

struct Offer {
    key: String,
    id: String,
    owner: Option<PartyId>,
    last_updated: Option<DateTime<Utc>>,
    object: String,
}

impl SandboxParty {
    /// Puts an object on this platform's SENDER interface of a module. One with the same owner and id takes the old one's
    /// place in the list.
    ///
    /// # Errors
    /// When it is no object with the members that make it one of the list.
    pub fn offer(&self, module: &str, object_json: &str) -> Result<(), SandboxError> {
        let offer = Offer::read(module, object_json).ok_or_else(|| {
            SandboxError::Unsendable(format!("no object of {module}: owner, id or last_updated is missing"))
        })?;
        self.inner
            .book()
            .shelves
            .entry(module.to_owned())
            .or_default()
            .put(offer);
        Ok(())
    }

    /// Takes an object off the list again. False when there was none.
    pub fn withdraw(&self, module: &str, owner: &PartyId, id: &str) -> bool {
        let mut book = self.inner.book();
        let shelf = book.shelves.get_mut(module);
        shelf.is_some_and(|shelf| {
            shelf.remove(|offer| offer.owner.as_ref() == Some(owner) && fold(&offer.id) == fold(id))
        })
    }
}

impl Offer {
    fn read(module: &str, object: &str) -> Option<Offer> {
        let text = |name: &str| splice::text(object, name);
        let owner = PartyId::new(&text("country_code")?, &text("party_id")?).ok()?;
        let last_updated = time::parse(&text("last_updated")?).ok()?;
        let (id, more) = match module {
            "tokens" => (text("uid")?, text("type")?),
            "hubclientinfo" => (text("role")?, String::new()),
            _ => (text("id")?, String::new()),
        };
        Some(Offer {
            key: fold(&[owner.key(), id.clone(), more].join("\u{1f}")),
            id,
            owner: Some(owner),
            last_updated: Some(last_updated),
            object: object.to_owned(),
        })
    }
}

impl Shelf {
    fn put(&mut self, offer: Offer) {
        let place = self.places.get(&offer.key).copied();
        match place.and_then(|place| self.offers.get_mut(place)) {
            Some(known) => *known = offer,
            None => {
                self.places.insert(offer.key.clone(), self.offers.len());
                self.offers.push(offer);
            }
        }
    }

    fn remove(&mut self, fits: impl Fn(&Offer) -> bool) -> bool {
        let Some(place) = self.offers.iter().position(fits) else {
            return false;
        };
        self.offers.remove(place);
        let renumbered = self.offers.iter().enumerate();
        self.places = renumbered.map(|(place, offer)| (offer.key.clone(), place)).collect();
        true
    }
}

impl Inner {
    /// An object offered here by its owner and id, with its type where it is a token.
    pub(super) fn offered(
        &self,
        module: &str,
        owner: Option<(&str, &str)>,
        id: &str,
        kind: Option<&str>,
    ) -> Option<String> {
        let book = self.book();
        let fits = |offer: &&Offer| {
            fold(&offer.id) == fold(id)
                && owner.is_none_or(|owner| offer.belongs_to(owner))
                && kind.is_none_or(|kind| {
                    splice::text(&offer.object, "type").is_some_and(|known| fold(&known) == fold(kind))
                })
        };
        book.shelves
            .get(module)?
            .offers
            .iter()
            .find(fits)
            .map(|offer| offer.object.clone())
    }
}

impl Offer {
    fn belongs_to(&self, (country_code, party_id): (&str, &str)) -> bool {
        let owner = self.owner.as_ref();
        owner.is_none_or(|owner| {
            fold(owner.country_code()) == fold(country_code) && fold(owner.party_id()) == fold(party_id)
        })
    }
}

/// Any module but charging profiles; authorize and charging preferences have doors of their own.
pub(super) fn at_sender(inner: &Inner, asked: &Asked<'_>, module: &str, method: &str) -> Answer {
    let rest = asked.rest();
    match (module, rest.as_slice()) {
        ("locations" | "sessions" | "tariffs" | "tokens" | "hubclientinfo", _) if method != "GET" => {
            Answer::no_method()
        }
        ("locations" | "sessions" | "tariffs" | "tokens" | "hubclientinfo", []) => list(inner, asked, module),
        ("locations", [id, inside @ ..]) => one_location(inner, asked, id, inside),
        ("commands", _) => Answer::refusal(404, StatusCode::CLIENT_ERROR, "results go to the response_url"),
        ("sessions" | "tariffs" | "tokens" | "hubclientinfo", _) => {
            Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such path")
        }
        (module, []) if method == "GET" => list(inner, asked, module),
        _ => receiving::at_custom(inner, asked, method),
    }
}

/// LOC-02: a location, an EVSE of it, a connector of that.
fn one_location(inner: &Inner, asked: &Asked<'_>, id: &str, inside: &[&str]) -> Answer {
    let found = inner
        .offered("locations", asked.pair("to"), id, None)
        .and_then(|location| match inside {
            [] => Some(location),
            [evse] => splice::child(&location, "evses", "uid", evse),
            [evse, connector] => {
                let evse = splice::child(&location, "evses", "uid", evse)?;
                splice::child(&evse, "connectors", "id", connector)
            }
            _ => None,
        });
    match found {
        Some(object) => Answer::data(object),
        None => Answer::refusal(404, StatusCode::UNKNOWN_LOCATION, "no such location, EVSE or connector"),
    }
}

/// A page of what the addressed party owns, in the order of making (P-08).
pub(super) fn list(inner: &Inner, asked: &Asked<'_>, module: &str) -> Answer {
    let wanted = match PageQuery::read(asked.query) {
        Ok(wanted) => wanted,
        Err(refusal) => return Answer::invalid(&refusal.message),
    };
    if module == "sessions" && wanted.date_from.is_none() {
        return Answer::invalid("date_from is missing (SES-01)");
    }
    if *asked.temper == Behaviour::BrokenNextPage && wanted.offset > 0 {
        return Answer::page(502, "text/html", "<!doctype html><title>Bad Gateway</title>");
    }
    let most = u64::from(inner.plan.page.max(1));
    let limit = wanted.limit.map_or(most, u64::from).min(most);
    // A hub's list is everybody's (R-75).
    let is_hub = |(country_code, party_id): &(&str, &str)| inner.hosts(country_code, party_id, Some(Role::Hub));
    let of_owner = asked.pair("to").filter(|to| !is_hub(to));
    let mut book = inner.book();
    let shelf = book.shelves.entry(module.to_owned()).or_default();
    if *asked.temper == Behaviour::Shrinking && wanted.offset > 0 {
        shelf.remove(|offer| of_owner.is_none_or(|owner| offer.belongs_to(owner)));
    }
    let fitting: Vec<&Offer> = shelf
        .offers
        .iter()
        .filter(|offer| of_owner.is_none_or(|owner| offer.belongs_to(owner)))
        .filter(|offer| {
            let at = offer.last_updated;
            wanted.date_from.is_none_or(|from| at.is_none_or(|at| at >= from))
                && wanted.date_to.is_none_or(|to| at.is_none_or(|at| at < to))
        })
        .collect();
    let total = fitting.len() as u64;
    let mut page: Vec<String> = fitting
        .into_iter()
        .skip(usize::try_from(wanted.offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|offer| offer.object.clone())
        .collect();
    if *asked.temper == Behaviour::BadObjects {
        spoil(&mut page);
    }
    let answer = Answer::data(format!("[{}]", page.join(",")))
        .with("x-total-count", &total.to_string())
        .with("x-limit", &limit.to_string());
    match link(inner, asked, wanted.offset.saturating_add(limit), limit, total) {
        Some(link) => answer.with("link", &link),
        None => answer,
    }
}

/// Things that are no objects of the list: at its beginning, behind its first, at its end (T-32).
fn spoil(page: &mut Vec<String>) {
    page.insert(
        0,
        r#"{"country_code":"DE","party_id":7,"last_updated":"soon"}"#.to_owned(),
    );
    page.insert(page.len().min(2), "42".to_owned());
    page.push(r#"{"id":"NO-OWNER"}"#.to_owned());
}

/// The `Link` header: every filter of the request, explicit offset and limit (P-05).
fn link(inner: &Inner, asked: &Asked<'_>, next: u64, limit: u64, total: u64) -> Option<String> {
    if *asked.temper == Behaviour::EndlessPage {
        return Some(format!("<{}>; rel=\"next\"", inner.url(&asked.request.target)));
    }
    if next >= total {
        return None;
    }
    let rest: String = asked
        .query
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("offset=") && !part.starts_with("limit="))
        .map(|part| format!("{part}&"))
        .collect();
    let target = format!("{}?{rest}offset={next}&limit={limit}", asked.path.trim_end_matches('/'));
    let absolute = inner.url(&target);
    Some(match asked.temper {
        Behaviour::RelativeLink => format!("<{target}>; rel=\"next\""),
        Behaviour::UnquotedLink => format!("<{absolute}>;rel=next"),
        Behaviour::SeveralLinks => format!(
            "<{first}>; rel=\"first\"; title=\"one, two\", <{absolute}>; title=\"x\"; rel=\"next\", <{first}>; rel=\"last\"",
            first = inner.url("/elsewhere")
        ),
        _ => format!("<{absolute}>; rel=\"next\""),
    })
}
