//! The proof of a CDR, for its two parties, as files for transparency software.
//!
//! The link of a CDR works from its delivery on and stays (key-registry.md SAF-21): it names the CDR, and what it leads to are the octets
//! that were posted.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Partner;
use super::cdrs::{Name, find};
use crate::evidence::export::Form;
use crate::store::evidence::{CdrFilter, CdrRow};
use crate::web::operator::transparency::{answer, file_of_one, filter, fitting, form};
use crate::web::operator::{Problem, Query};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.xml",
            Document::Partner,
            xml,
        ),
        Route::get(
            "/partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.json",
            Document::Partner,
            chargy,
        ),
        Route::get(
            "/partner/v1/cdrs/{country_code}/{party_id}/{id}/transparency.raw",
            Document::Partner,
            raw,
        ),
        Route::get("/partner/v1/transparency", Document::Partner, many),
    ]
}

async fn xml(partner: Partner, name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    file_of_one(&find(&partner, name, &doors).await?, Form::SafeXml, &doors).await
}

async fn chargy(partner: Partner, name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    file_of_one(&find(&partner, name, &doors).await?, Form::Chargy, &doors).await
}

async fn raw(partner: Partner, name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    file_of_one(&find(&partner, name, &doors).await?, Form::Raw, &doors).await
}

/// All of one's own sessions that fit, in one file.
async fn many(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["format", "cpo", "emsp", "from", "to"])?;
    let (form, filter) = (form(&query)?, filter(&query)?);
    let asking = partner.asking;
    let mut cdrs: Vec<CdrRow> = Vec::new();
    // Asked for by each party it acts as: others' CDRs are not even read.
    let as_cpo = asking.cpo_keys.iter().map(|key| (Some(key), None));
    let as_emsp = asking.emsp_keys.iter().map(|key| (None, Some(key)));
    for (cpo, emsp) in as_cpo.chain(as_emsp) {
        let fits = |wanted: &Option<String>, own: Option<&String>| {
            own.is_none_or(|own| wanted.as_ref().is_none_or(|wanted| wanted == own))
        };
        if !fits(&filter.cpo_key, cpo) || !fits(&filter.emsp_key, emsp) {
            continue;
        }
        let own = CdrFilter {
            cpo_key: cpo.cloned().or_else(|| filter.cpo_key.clone()),
            emsp_key: emsp.cloned().or_else(|| filter.emsp_key.clone()),
            ..filter.clone()
        };
        let found = fitting(own, &doors, |cdr| asking.may_see(cdr)).await?;
        cdrs.extend(
            found
                .into_iter()
                .filter(|cdr| cdrs.iter().all(|known| known.id != cdr.id))
                .collect::<Vec<_>>(),
        );
    }
    Ok(answer(doors.intake.hand_on(&cdrs, form).await?, form))
}
