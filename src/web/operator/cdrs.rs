//! CDRs as the operator sees them: how each stands, its verdicts and attempts; release and re-check.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Page, Problem, Query, page};
use crate::evidence::assess::Status;
use crate::evidence::intake::word;
use crate::evidence::receipts;
use crate::evidence::recheck::NotNow;
use crate::ocpi::ids::{PartyId, key_of};
use crate::ocpi::time;
use crate::parties::Fault;
use crate::store::evidence::{CdrFilter, CdrRow};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/cdrs", Document::Operator, list),
        Route::get(
            "/operator/v1/cdrs/{country_code}/{party_id}/{id}",
            Document::Operator,
            show,
        ),
        Route::post(
            "/operator/v1/cdrs/{country_code}/{party_id}/{id}/release",
            Document::Operator,
            release,
        ),
        Route::post(
            "/operator/v1/cdrs/{country_code}/{party_id}/{id}/recheck",
            Document::Operator,
            recheck,
        ),
    ]
}

pub(super) type Name = Path<(String, String, String)>;

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["metering_status", "delivery", "cpo", "emsp", "from", "to"])?;
    let page = Page::read(&query)?;
    let statuses = Status::ALL.map(Status::as_str);
    let filter = CdrFilter {
        metering_status: one_of(&query, "metering_status", &statuses)?,
        delivery: one_of(&query, "delivery", &word::ALL)?,
        cpo_key: party(&query, "cpo")?,
        emsp_key: party(&query, "emsp")?,
        from: instant(&query, "from")?,
        to: instant(&query, "to")?,
    };
    let found = doors.store.cdr_list(filter, page.after.as_deref(), page.limit).await;
    let (rows, next) = found.map_err(|error| Fault::new("listing CDRs", error))?;
    let items = rows
        .iter()
        .map(|row| {
            json!({
                "country_code": row.country_code,
                "party_id": row.party_id,
                "id": row.cdr_id,
                "revision": row.revision,
                "emsp": row.emsp_key,
                "received_at": time::write(row.received_at),
                "metering_status": row.metering_status,
                "billable": row.billable,
                "delivery": row.delivery,
            })
        })
        .collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let cdr = find(name, &doors).await?;
    written(&cdr, &doors).await
}

async fn release(name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let cdr = find(name, &doors).await?;
    doors.intake.release(&cdr, doors.clock.now()).await?;
    written(&again(&cdr, &doors).await?, &doors).await
}

async fn recheck(name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let cdr = find(name, &doors).await?;
    still_there(&cdr)?;
    doors.intake.recheck(&cdr, doors.clock.now()).await?;
    written(&again(&cdr, &doors).await?, &doors).await
}

pub(super) async fn find(name: Name, doors: &Doors) -> Result<CdrRow, Problem> {
    let nothing = || Problem::not_found("there is no such CDR");
    let (country_code, party_id, id) = name.into_inner();
    let cpo = PartyId::new(&country_code, &party_id).map_err(|_| nothing())?;
    let found = doors
        .store
        .cdr_find(&cpo.key(), &key_of(&id).ok_or_else(nothing)?)
        .await
        .map_err(|error| Fault::new("reading a CDR", error))?;
    found.ok_or_else(nothing)
}

/// A second look needs the octets.
fn still_there(cdr: &CdrRow) -> Result<(), Problem> {
    match cdr.is_removed() {
        true => Err(Problem::conflict("its octets are no longer kept")),
        false => Ok(()),
    }
}

async fn again(cdr: &CdrRow, doors: &Doors) -> Result<CdrRow, Problem> {
    let found = doors
        .store
        .cdr_by_row(&cdr.id)
        .await
        .map_err(|error| Fault::new("reading a CDR", error))?;
    found.ok_or_else(|| Problem::not_found("there is no such CDR"))
}

/// Everything about one CDR. Body and verdicts stand there as they are kept, octet for octet.
async fn written(cdr: &CdrRow, doors: &Doors) -> Result<HttpResponse, Problem> {
    let reports = doors
        .store
        .verdicts(&cdr.id)
        .await
        .map_err(|error| Fault::new("reading verdicts", error))?;
    let attempts = doors
        .store
        .attempts(&cdr.id)
        .await
        .map_err(|error| Fault::new("reading attempts", error))?;
    let raw = |text: String| RawValue::from_string(text).map_err(|error| Fault::new("reading a CDR as JSON", error));
    #[derive(serde::Serialize)]
    struct Document {
        #[serde(flatten)]
        item: Map<String, Value>,
        attempts: Vec<Value>,
        reports: Vec<Box<RawValue>>,
        /// Null when it is no longer kept.
        body: Option<Box<RawValue>>,
    }
    let item = json!({
        "country_code": cdr.country_code,
        "party_id": cdr.party_id,
        "id": cdr.cdr_id,
        "revision": cdr.revision,
        "emsp": cdr.emsp_key,
        "received_at": time::write(cdr.received_at),
        "visible_at": cdr.visible_at.map(time::write),
        "metering_status": cdr.metering_status,
        "billable": cdr.billable,
        "delivery": cdr.delivery,
    });
    let document = Document {
        item: item.as_object().cloned().unwrap_or_default(),
        attempts: attempts.iter().map(receipts::attempt).collect(),
        reports: reports.into_iter().map(raw).collect::<Result<_, _>>()?,
        body: (!cdr.is_removed()).then(|| raw(cdr.body.clone())).transpose()?,
    };
    let text = serde_json::to_string(&document).map_err(|error| Fault::new("writing a CDR down", error))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}

pub(super) fn one_of(query: &Query, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
    match query.get(name) {
        None => Ok(None),
        Some(text) if words.contains(&text) => Ok(Some(text.to_owned())),
        Some(_) => Err(Problem::bad_request(
            name,
            format!("must be one of {}", words.join(", ")),
        )),
    }
}

/// A party in a query: `DE/ABC`.
pub(in crate::web) fn party(query: &Query, name: &str) -> Result<Option<String>, Problem> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    PartyId::from_slash(text)
        .map(|party| Some(party.key()))
        .map_err(|error| Problem::bad_request(name, error))
}

pub(in crate::web) fn instant(query: &Query, name: &str) -> Result<Option<chrono::DateTime<chrono::Utc>>, Problem> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    time::parse(text)
        .map(Some)
        .map_err(|error| Problem::bad_request(name, error))
}

impl From<NotNow> for Problem {
    fn from(not: NotNow) -> Problem {
        match not {
            NotNow::NotHeld | NotNow::NoReceiver => Problem::conflict(not.to_string()),
            NotNow::Failed(failure) => failure.into(),
        }
    }
}
