//! The proof of one session or of many as a file for transparency software (key-registry.md SAF-22, CAL-IF05).

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::cdrs::{Name, find, instant, party};
use super::{Problem, Query};
use crate::evidence::export::Form;
use crate::evidence::handing::{Handed, MOST};
use crate::ocpi::ids::{PartyId, key_of};
use crate::parties::Fault;
use crate::store::evidence::{CdrFilter, CdrRow};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/transparency", Document::Operator, many),
        Route::get(
            "/operator/v1/cdrs/{country_code}/{party_id}/{id}/transparency",
            Document::Operator,
            one,
        ),
    ]
}

async fn one(name: Name, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["format"])?;
    let form = form(&query)?;
    let cdr = find(name, &doors).await?;
    file_of_one(&cdr, form, &doors).await
}

/// Those named, or those that fit.
async fn many(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["format", "cdrs", "cpo", "emsp", "from", "to"])?;
    let form = form(&query)?;
    let filter = filter(&query)?;
    let cdrs = match query.get("cdrs") {
        Some(names) => {
            if filter != CdrFilter::default() {
                return Err(Problem::bad_request("cdrs", "goes with no other filter"));
            }
            named(names, &doors).await?
        }
        None => fitting(filter, &doors, |_| true).await?,
    };
    Ok(answer(doors.intake.hand_on(&cdrs, form).await?, form))
}

/// The one CDR, or that there is nothing to hand on.
pub(in crate::web) async fn file_of_one(cdr: &CdrRow, form: Form, doors: &Doors) -> Result<HttpResponse, Problem> {
    if cdr.is_removed() {
        return Err(Problem::not_found("its octets are no longer kept"));
    }
    let handed = doors.intake.hand_on(std::slice::from_ref(cdr), form).await?;
    if handed.sessions == 0 {
        return Err(Problem::not_found("the CDR has no signed values"));
    }
    Ok(answer(handed, form))
}

/// The file, with what it holds in headers.
pub(in crate::web) fn answer(handed: Handed, form: Form) -> HttpResponse {
    let name = format!("attachment; filename=\"transparency.{}\"", form.extension());
    HttpResponse::Ok()
        .content_type(form.media_type())
        .insert_header(("Content-Disposition", name))
        .insert_header(("Truewatt-Sessions", handed.sessions.to_string()))
        .insert_header(("Truewatt-Without-Signed-Values", handed.without.to_string()))
        .body(handed.file)
}

/// The form asked for; S.A.F.E. XML where nothing is said.
pub(in crate::web) fn form(query: &Query) -> Result<Form, Problem> {
    match query.get("format") {
        None => Ok(Form::SafeXml),
        Some("safe-xml") => Ok(Form::SafeXml),
        Some("chargy") => Ok(Form::Chargy),
        Some("raw") => Ok(Form::Raw),
        Some(_) => Err(Problem::bad_request("format", "must be one of safe-xml, chargy, raw")),
    }
}

/// Parties and times.
pub(in crate::web) fn filter(query: &Query) -> Result<CdrFilter, Problem> {
    Ok(CdrFilter {
        cpo_key: party(query, "cpo")?,
        emsp_key: party(query, "emsp")?,
        from: instant(query, "from")?,
        to: instant(query, "to")?,
        ..CdrFilter::default()
    })
}

/// All CDRs that fit and that whoever asks may see, in the order of arrival, the newest revision of each.
pub(in crate::web) async fn fitting(
    filter: CdrFilter,
    doors: &Doors,
    may_see: impl Fn(&CdrRow) -> bool,
) -> Result<Vec<CdrRow>, Problem> {
    let reading = |error| Fault::new("reading CDRs", error);
    let mut cdrs: Vec<CdrRow> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let found = doors.store.cdr_list(filter.clone(), cursor.as_deref(), 500).await;
        let (rows, next) = found.map_err(reading)?;
        for row in rows {
            let Some(cdr) = doors.store.cdr_by_row(&row.id).await.map_err(reading)? else {
                continue;
            };
            // Newest first: a later revision was met before.
            let is_old = cdr.revision > 1 || cdr.delivery == "rejected";
            let is_old = is_old
                && cdrs
                    .iter()
                    .any(|known| (&known.cpo_key, &known.cdr_key) == (&cdr.cpo_key, &cdr.cdr_key));
            if is_old || !may_see(&cdr) {
                continue;
            }
            cdrs.push(cdr);
            if cdrs.len() > MOST {
                let reason = format!("more than {MOST} CDRs fit; ask for a shorter time");
                return Err(Problem::bad_request("from", reason));
            }
        }
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    cdrs.reverse();
    Ok(cdrs)
}

/// The CDRs of a list, between commas: `DE/ABC/C-1`. A comma in an id is written `%2C`, a percent sign `%25`.
async fn named(names: &str, doors: &Doors) -> Result<Vec<CdrRow>, Problem> {
    let mut cdrs = Vec::new();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let wrong = || Problem::bad_request("cdrs", "must name CDRs like DE/ABC/C-1, between commas");
        let name = name.replace("%2C", ",").replace("%25", "%");
        let mut parts = name.splitn(3, '/');
        let (country_code, party_id, id) = (parts.next(), parts.next(), parts.next());
        let cpo = PartyId::new(country_code.unwrap_or_default(), party_id.unwrap_or_default());
        let (cpo, key) = (cpo.map_err(|_| wrong())?, id.and_then(key_of).ok_or_else(wrong)?);
        let found = doors.store.cdr_find(&cpo.key(), &key).await;
        let found = found.map_err(|error| Fault::new("reading a CDR", error))?;
        let found = found.filter(|cdr| !cdr.is_removed());
        cdrs.push(found.ok_or_else(|| Problem::not_found(format!("there is no CDR {}/{key}", cpo.key())))?);
        if cdrs.len() > MOST {
            return Err(Problem::bad_request("cdrs", format!("names more than {MOST}")));
        }
    }
    match cdrs.is_empty() {
        true => Err(Problem::bad_request("cdrs", "names none")),
        false => Ok(cdrs),
    }
}
