//! Is the key printed on this station the one that is registered? In any spelling (CAL-IF09).

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::{claim, read, view};
use crate::metering::key::{Curve, KeyError, PublicKey};
use crate::metering::limits::MAX_KEY_TEXT;
use crate::web::operator::{Members, Problem};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::post("/keys/compare", Document::Partner, compare)]
}

/// With a fingerprint: whether the text is that key. With an EVSE-ID: whether that EVSE's key of `at` (now, without) is. With neither:
/// whether the key is registered at all.
async fn compare(wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["public_key", "fingerprint", "evse_id", "at"])?;
    let text = claim::long_text(&wish, "public_key", MAX_KEY_TEXT)?.ok_or_else(|| wish.missing("public_key"))?;
    let fingerprint = wish.text("fingerprint", 64)?.map(|text| text.to_ascii_lowercase());
    let evse_id = wish.text("evse_id", 48)?;
    let at = claim::instant(&wish, "at")?.unwrap_or_else(|| doors.clock.now());
    read::refresh(&doors).await?;
    let index = doors.registry.index();
    let expected: Vec<_> = match (&fingerprint, &evse_id) {
        (Some(fingerprint), _) => read::of_key(&index, fingerprint),
        (None, Some(evse)) => index
            .of_evse(evse)
            .map(|one| one.now())
            .filter(|one| one.state.is_public() && one.covers(at))
            .cloned()
            .collect(),
        (None, None) => Vec::new(),
    };
    // A bare or compressed point may not say on which curve it lies: the key it is compared with does.
    let hints = expected.iter().filter_map(|one| Curve::from_name(&one.curve)).map(Some);
    let read = std::iter::once(None)
        .chain(hints)
        .map(|hint| PublicKey::read(&text, hint))
        .reduce(|found, next| found.or(next))
        .unwrap_or(Err(KeyError::Empty));
    let key = match read {
        Ok(key) => key,
        Err(error) => return Err(Problem::invalid("/public_key", error)),
    };
    let own = key.fingerprint();
    let registrations = read::of_key(&index, &own);
    let agrees = match (&fingerprint, &evse_id) {
        (Some(fingerprint), _) => *fingerprint == own,
        (None, Some(_)) => expected.iter().any(|one| one.fingerprint == own),
        (None, None) => !registrations.is_empty(),
    };
    Ok(HttpResponse::Ok().json(json!({
        "agrees": agrees,
        "fingerprint": own,
        "curve": key.curve().name(),
        "registrations": registrations.iter().map(view::public).collect::<Vec<Value>>(),
    })))
}
