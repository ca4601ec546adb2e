//! Submitting a claim: anew, or in the place of a registration of one's own (replace, reassign, correct).
//!
//! The answer is 202 and says how far the registration has come; it is published and confirmed behind it. What is implausible is a 422
//! with every finding, and kept where a key could be read.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::once::{Writing, once};
use super::{ALL, find, place};
use crate::ocpi::ids::PartyId;
use crate::parties::Fault;
use crate::registry::checks::{Level, NewKey, RegistryFinding};
use crate::registry::record::{ConfirmTo, Reason, Registration};
use crate::registry::{Actor, Asked, Said, Submitted, Told, shown};
use crate::web::keys::{claim, view};
use crate::web::operator::{Members, Problem};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, Document::Partner, submit),
        Route::post("/partner/v1/registrations/{id}/replace", Document::Partner, replace),
        Route::post("/partner/v1/registrations/{id}/reassign", Document::Partner, reassign),
        Route::post("/partner/v1/registrations/{id}/correct", Document::Partner, correct),
    ]
}

async fn submit(writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let say = |submitted: &Submitted| told(submitted, &doors);
    let work = async { enter(&writing, &doors, writing.members()?, &say).await };
    once(&writing, &doors, say, work).await
}

/// Another meter, module or key at the same EVSE (SAF-50, SAF-51, SAF-52), from `changed_at` on: no time without a key.
async fn replace(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    follow(&id, &writing, &doors, |wish, old| {
        let mut known = vec!["changed_at", "public_key", "key_pair", "reason", "valid_to"];
        known.extend(HOW_IT_SIGNS);
        known.extend(claim::UNIT);
        wish.only(&known)?;
        let reason = wish
            .text("reason", 20)?
            .unwrap_or_else(|| Reason::Replacement.as_str().to_owned());
        if ![Reason::Replacement, Reason::Firmware]
            .iter()
            .any(|one| one.as_str() == reason)
        {
            return Err(Problem::invalid("/reason", "must be REPLACEMENT or FIRMWARE"));
        }
        // Another number is another unit: what was said of the old one does not hold for it.
        let is_another = ["meter_serial", "gateway_serial"]
            .iter()
            .any(|name| wish.get(name).is_some());
        let unit = if is_another { Map::new() } else { unit_of(old) };
        Ok(merged(
            [at_its_place(old), unit, from_then_on(wish)?, given(wish)],
            reason,
            old,
        ))
    })
    .await
}

/// The same key and meter at another EVSE of the same operator, from `changed_at` on.
async fn reassign(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    follow(&id, &writing, &doors, |wish, old| {
        let mut known = vec![
            "changed_at",
            "evse_id",
            "evse_uid",
            "location_id",
            "parallel_units",
            "calibrated",
        ];
        known.extend(HOW_IT_SIGNS);
        wish.only(&known)?;
        let reason = Reason::Reassignment.as_str().to_owned();
        let mut same = key_of(old);
        same.extend(unit_of(old));
        same.insert("calibrated".to_owned(), json!(old.calibrated));
        same.insert("valid_to".to_owned(), json!(old.valid_to.map(exactly)));
        Ok(merged([same, from_then_on(wish)?, given(wish)], reason, old))
    })
    .await
}

/// The registration was wrong from its beginning: another takes its place for all of its time. What is not given stays; `null` clears.
async fn correct(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    follow(&id, &writing, &doors, |wish, old| {
        let fixed = ["cpo", "reason", "supersedes"];
        let mut known: Vec<&str> = claim::CLAIM.into_iter().filter(|name| !fixed.contains(name)).collect();
        known.extend(claim::UNIT);
        known.push("confirmation_url");
        wish.only(&known)?;
        let mut was = key_of(old);
        was.insert("valid_from".to_owned(), json!(exactly(old.valid_from)));
        was.insert("valid_to".to_owned(), json!(old.valid_to.map(exactly)));
        let reason = Reason::Correction.as_str().to_owned();
        Ok(merged([at_its_place(old), unit_of(old), was, given(wish)], reason, old))
    })
    .await
}

/// Beside the key and its place: what the checks may be told.
const HOW_IT_SIGNS: [&str; 4] = ["encoding_method", "signing_method", "sample", "confirmation_url"];

/// Submits a claim that takes the place of a registration of the caller's. `compose` writes the claim.
async fn follow(
    id: &str,
    writing: &Writing,
    doors: &Data<Doors>,
    compose: impl Fn(&Members, &Registration) -> Result<Map<String, Value>, Problem>,
) -> Result<HttpResponse, Problem> {
    let say = |submitted: &Submitted| told(submitted, doors);
    let work = async {
        let old = find(&writing.partner, id, doors).await?;
        let claim = compose(&writing.members()?, &old)?;
        enter(writing, doors, Members::of(&Value::Object(claim), "")?, &say).await
    };
    once(writing, doors, say, work).await
}

async fn enter(
    writing: &Writing,
    doors: &Doors,
    wish: Members,
    say: &(dyn Fn(&Submitted) -> Said + Send + Sync),
) -> Result<Told<Submitted>, Problem> {
    let (claim, actor) = read(writing, doors, wish)?;
    let asked = Asked {
        request: &writing.request,
        say,
    };
    let sample_is_required = writing.partner.platform.options.require_sample;
    let told = doors
        .registry
        .submit_once(&claim, &actor, sample_is_required, &asked)
        .await;
    told.map_err(|error| Fault::new("registering a key", error).into())
}

/// The claim, and on whose word it is made. The operator is the acting party where the body names none.
fn read(writing: &Writing, doors: &Doors, mut wish: Members) -> Result<(NewKey, Actor), Problem> {
    let partner = &writing.partner;
    let confirmation_url = wish.text("confirmation_url", MAX_URL)?;
    wish.take("confirmation_url");
    let own: Vec<PartyId> = partner
        .asking
        .cpo_keys
        .iter()
        .filter_map(|key| PartyId::from_slash(key).ok())
        .collect();
    let only = match own.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    let claim = claim::read(&wish, only)?;
    // SAF-10: what commissioning records.
    if let Some(name) = claim.unsaid() {
        return Err(wish.missing(name));
    }
    let confirm_to = confirmation_url.map(|url| {
        let may = doors.parties.line().may_call(&partner.platform, &url);
        may.map_err(|forbidden| Problem::invalid("/confirmation_url", forbidden))?;
        Ok::<_, Problem>(ConfirmTo {
            platform: partner.platform.id.to_string(),
            url,
        })
    });
    let actor = match own.iter().find(|party| **party == claim.cpo).or(own.first()) {
        Some(party) => Actor::Party(party.clone()),
        None => return Err(Problem::forbidden("registrations are for parties with the role CPO")),
    };
    let claim = NewKey {
        confirm_to: confirm_to.transpose()?,
        ..claim
    };
    Ok((claim, actor))
}

/// URLs of the field are rarely longer than 255 characters (T-46).
const MAX_URL: usize = 2000;

fn told(submitted: &Submitted, doors: &Doors) -> Said {
    let shown = |status, one: &Registration| Said {
        status,
        location: Some(place(doors, &one.id)),
        body: view::whole(one).to_string(),
    };
    match submitted {
        Submitted::New(one) => shown(202, one),
        // PC-09: the registration that stands.
        Submitted::Existing(one) => shown(200, one),
        Submitted::Refused(kept, findings) => refused(kept.as_deref(), findings).said(),
    }
}

/// A claim that was refused, whether for what it says or for what is registered already.
fn refused(kept: Option<&Registration>, findings: &[RegistryFinding]) -> Problem {
    let of = |level: Level| findings.iter().find(|one| one.level == level);
    let problem = match of(Level::Error).or_else(|| of(Level::Conflict)) {
        Some(first) => Problem::invalid(first.pointer, &first.message),
        None => Problem::invalid("", "the registration was refused"),
    };
    let findings: Vec<Value> = findings.iter().map(view::finding).collect();
    problem
        .with("findings", json!(findings))
        .with("registration", json!(kept.map(|one| &one.id)))
}

/// One map after the other, the later goes before the earlier; then what only this door says.
fn merged<const N: usize>(maps: [Map<String, Value>; N], reason: String, old: &Registration) -> Map<String, Value> {
    let mut claim: Map<String, Value> = maps.into_iter().flatten().collect();
    let (country_code, party_id) = old.cpo.split_once('/').unwrap_or_default();
    claim.insert(
        "cpo".to_owned(),
        json!({"country_code": country_code, "party_id": party_id}),
    );
    claim.insert("reason".to_owned(), json!(reason));
    claim.insert("supersedes".to_owned(), json!(old.id));
    claim
}

/// What the caller gave, but for the instant of the change.
fn given(wish: &Members) -> Map<String, Value> {
    let mut given = wish.raw().clone();
    given.remove("changed_at");
    given
}

fn from_then_on(wish: &Members) -> Result<Map<String, Value>, Problem> {
    claim::instant(wish, "changed_at")?.ok_or_else(|| wish.missing("changed_at"))?;
    Ok(object(json!({"valid_from": wish.get("changed_at")})))
}

fn at_its_place(old: &Registration) -> Map<String, Value> {
    object(json!({
        "evse_id": old.evse_id,
        "evse_uid": old.evse_uid,
        "location_id": old.location_id,
        "parallel_units": old.parallel_units,
        "calibrated": old.calibrated,
    }))
}

fn key_of(old: &Registration) -> Map<String, Value> {
    object(json!({"public_key": old.public_key, "key_pair": old.key_pair}))
}

fn unit_of(old: &Registration) -> Map<String, Value> {
    object(shown::unit(&old.unit))
}

/// As exact as it is kept.
fn exactly(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
