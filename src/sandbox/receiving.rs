//! The RECEIVER side: what others push here is checked, kept by owner and id, and shown to whoever pushed it.

use super::answer::Answer;
use super::behaviour::Behaviour;
use super::inner::{Book, Inner};
use super::meter::json_text;
use super::party::SandboxParty;
use super::server::Asked;
use super::splice;
use crate::ocpi::ids::{PartyId, fold};
use crate::ocpi::page;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::status::StatusCode;

impl SandboxParty {
    /// What is kept here of an owner's object, as raw JSON: as it was PUT, or what PATCHes made of it. A location may be
    /// followed by EVSE and connector, a token by its type (RFID when it is not said); `hubclientinfo` has no id behind the owner.
    #[must_use]
    pub fn kept(&self, module: &str, owner: &PartyId, ids: &[&str]) -> Option<String> {
        let mut rest = vec![owner.country_code(), owner.party_id()];
        let (ids, kind) = match (module, ids) {
            ("tokens", [uid, kind]) => (vec![*uid], *kind),
            _ => (ids.to_vec(), "RFID"),
        };
        rest.extend(ids);
        found(&self.inner.book(), module, &rest, kind)
    }

    /// Everything kept of a module, as raw JSON, in no order.
    #[must_use]
    pub fn kept_all(&self, module: &str) -> Vec<String> {
        let prefix = format!("{module}/");
        let book = self.inner.book();
        let of_module = book.kept.iter().filter(|(key, _)| key.starts_with(&prefix));
        of_module.map(|(_, object)| object.clone()).collect()
    }
}

/// Any module but CDRs, commands and charging profiles.
pub(super) fn at_receiver(inner: &Inner, asked: &Asked<'_>, module: &str, method: &str) -> Answer {
    let (methods, least, most): (&[&str], usize, usize) = match module {
        "locations" => (&["GET", "PUT", "PATCH"], 3, 5),
        "sessions" | "tokens" => (&["GET", "PUT", "PATCH"], 3, 3),
        "tariffs" => (&["GET", "PUT", "DELETE"], 3, 3),
        "hubclientinfo" => (&["GET", "PUT"], 2, 2),
        _ => return at_custom(inner, asked, method),
    };
    if !methods.contains(&method) {
        return Answer::no_method();
    }
    let rest = asked.rest();
    if rest.len() < least || rest.len() > most || rest.iter().any(|segment| segment.is_empty()) {
        return Answer::refusal(404, StatusCode::CLIENT_ERROR, "no object has that path (T-30)");
    }
    let kind = page::parameter(asked.query, "type").unwrap_or_else(|| "RFID".to_owned());
    match method {
        "GET" => match found(&inner.book(), module, &rest, &kind) {
            Some(object) => Answer::data(object),
            None => unknown(module),
        },
        "DELETE" => match inner.book().kept.remove(&key(module, &rest, &kind)) {
            Some(_) => Answer::nothing(200),
            None => unknown(module),
        },
        _ => match wrong(module, &rest, &kind, asked.text(), method) {
            Some(why) => Answer::invalid(&why),
            None => take(&mut inner.book(), module, &rest, &kind, asked.text(), method),
        },
    }
}

/// What a module OCPI does not know is told is kept by its path; everything is taken.
pub(super) fn at_custom(inner: &Inner, asked: &Asked<'_>, method: &str) -> Answer {
    let key = format!("custom/{}", asked.path.trim_end_matches('/'));
    let mut book = inner.book();
    match method {
        "GET" => match book.kept.get(&key) {
            Some(object) => Answer::data(object.clone()),
            None => unknown("custom"),
        },
        "DELETE" => {
            book.kept.remove(&key);
            Answer::nothing(200)
        }
        _ => {
            book.kept.insert(key, asked.text().to_owned());
            Answer::nothing(200)
        }
    }
}

/// Why a pushed object cannot be the one its URL names.
fn wrong(module: &str, rest: &[&str], kind: &str, body: &str, method: &str) -> Option<String> {
    if splice::members(body).is_none() {
        return Some("the body is no object".to_owned());
    }
    // T-25
    if splice::text(body, "last_updated").is_none() {
        return Some("last_updated is missing (T-25)".to_owned());
    }
    let must_have = |name: &str, meant: &str, clause: &str| match splice::text(body, name) {
        Some(said) if fold(&said) == fold(meant) => None,
        None if method == "PATCH" => None,
        None => Some(format!("{name} is missing")),
        Some(_) => Some(format!("{name} is not that of the URL ({clause})")),
    };
    let (owner, id) = (rest.first()?, rest.get(1)?);
    let whole = rest.len() <= 3;
    let owned = || must_have("country_code", owner, "T-28").or_else(|| must_have("party_id", id, "T-28"));
    match (module, rest) {
        ("hubclientinfo", _) => owned()
            .or_else(|| must_have_member(body, "role"))
            .or_else(|| must_have_member(body, "status")),
        ("tokens", [_, _, uid]) => owned()
            .or_else(|| must_have("uid", uid, "T-27"))
            .or_else(|| must_have("type", kind, "TOK-08")),
        ("locations", [_, _, _, uid]) => must_have("uid", uid, "T-27"),
        ("locations", [_, _, _, _, id]) => must_have("id", id, "T-27"),
        (_, [_, _, id]) if whole => owned().or_else(|| must_have("id", id, "T-27")),
        _ => None,
    }
}

fn must_have_member(body: &str, name: &str) -> Option<String> {
    splice::member(body, name)
        .is_none()
        .then(|| format!("{name} is missing"))
}

fn take(book: &mut Book, module: &str, rest: &[&str], kind: &str, body: &str, method: &str) -> Answer {
    let known = found(book, module, rest, kind);
    let object = match (method, &known) {
        ("PATCH", None) => return unknown(module),
        ("PATCH", Some(known)) => {
            let append = (module == "sessions").then_some("charging_periods");
            splice::patched(known, body, append)
        }
        _ => Some(body.to_owned()),
    };
    let whole = object.and_then(|object| within_parents(book, rest, &object).map(|whole| (object, whole)));
    let Some((object, whole)) = whole else {
        // LOC-10
        return Answer::refusal(
            404,
            StatusCode::UNKNOWN_LOCATION,
            "there is no parent to attach this to",
        );
    };
    let role = if module == "hubclientinfo" {
        splice::text(&object, "role").unwrap_or_default()
    } else {
        kind.to_owned()
    };
    book.kept
        .insert(key(module, rest.get(..3).unwrap_or(rest), &role), whole);
    Answer::nothing(if known.is_some() { 200 } else { 201 })
}

/// A location with the EVSE or connector that was pushed in its place, and no younger than it (LOC-08).
fn within_parents(book: &Book, rest: &[&str], object: &str) -> Option<String> {
    let [country_code, party_id, location, inside @ ..] = rest else {
        return Some(object.to_owned());
    };
    let [evse, connector @ ..] = inside else {
        return Some(object.to_owned());
    };
    let whole = book
        .kept
        .get(&key("locations", &[country_code, party_id, location], ""))?;
    let last_updated = splice::text(object, "last_updated")?;
    let evse_object = match connector {
        [] => object.to_owned(),
        [connector, ..] => {
            let parent = splice::child(whole, "evses", "uid", evse)?;
            let parent = splice::with_child(&parent, "connectors", "id", connector, object)?;
            splice::not_older_than(&parent, &last_updated)?
        }
    };
    let whole = splice::with_child(whole, "evses", "uid", evse, &evse_object)?;
    splice::not_older_than(&whole, &last_updated)
}

fn found(book: &Book, module: &str, rest: &[&str], kind: &str) -> Option<String> {
    if module == "hubclientinfo" {
        let prefix = key(module, rest, "");
        let mut of_party = book.kept.iter().filter(|(key, _)| key.starts_with(&prefix));
        return of_party.next().map(|(_, object)| object.clone());
    }
    let whole = book.kept.get(&key(module, rest.get(..3)?, kind))?;
    let Some(evse) = rest.get(3) else {
        return Some(whole.clone());
    };
    let evse = splice::child(whole, "evses", "uid", evse)?;
    match rest.get(4) {
        None => Some(evse),
        Some(connector) => splice::child(&evse, "connectors", "id", connector),
    }
}

/// Module, owner and id as one text; a token has its type, a ClientInfo its role behind it (TOK-08, D-21).
fn key(module: &str, rest: &[&str], kind: &str) -> String {
    let kind = if matches!(module, "tokens" | "hubclientinfo") {
        kind
    } else {
        ""
    };
    format!("{module}/{}/{}", fold(&rest.join("\u{1f}")), fold(kind))
}

fn unknown(module: &str) -> Answer {
    let code = match module {
        "locations" => StatusCode::UNKNOWN_LOCATION,
        "tokens" => StatusCode::UNKNOWN_TOKEN,
        _ => StatusCode::CLIENT_ERROR,
    };
    Answer::refusal(404, code, "no such object")
}

/// A CDR comes in.
pub(super) fn take_cdr(inner: &Inner, asked: &Asked<'_>) -> Answer {
    // in the spelling this party registered.
    let is_ours = asked
        .pair("to")
        .is_some_and(|(country_code, party_id)| inner.takes_for(country_code, party_id, Some(Role::Emsp)));
    if !is_ours {
        return Answer::invalid("the OCPI-to headers name no eMSP of this platform");
    }
    if asked.request.body.is_empty() {
        return Answer::refusal(400, StatusCode::CLIENT_ERROR, "the body is not JSON");
    }
    let key = uuid::Uuid::new_v4().simple().to_string();
    inner.book().cdrs.insert(key.clone(), asked.request.body.clone());
    let path = format!("{}/{key}", inner.module_path("cdrs", InterfaceRole::Receiver));
    let absolute = inner.url(&path);
    match asked.temper {
        Behaviour::NoLocation => Answer::nothing(201),
        Behaviour::RelativeLocation => Answer::nothing(201).with("location", &path),
        Behaviour::LocationInData => Answer {
            http: 201,
            ..Answer::data(json_text(&absolute))
        },
        _ => Answer::nothing(201).with("location", &absolute),
    }
}

pub(super) fn kept_cdr(inner: &Inner, rest: &[String]) -> Answer {
    let book = inner.book();
    match rest.last().and_then(|key| book.cdrs.get(key)) {
        Some(body) => Answer::data(String::from_utf8_lossy(body).into_owned()),
        None => Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such CDR"),
    }
}
