//! One CDR as its two parties may see it: the verdict, and the delivery receipt.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::Partner;
use crate::evidence::receipts;
use crate::ocpi::ids::{PartyId, key_of};
use crate::parties::Fault;
use crate::store::evidence::CdrRow;
use crate::web::operator::Problem;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/partner/v1/cdrs/{country_code}/{party_id}/{id}/report",
            Document::Partner,
            report,
        ),
        Route::get(
            "/partner/v1/cdrs/{country_code}/{party_id}/{id}/delivery",
            Document::Partner,
            delivery,
        ),
    ]
}

pub(super) type Name = Path<(String, String, String)>;

/// The newest verdict, as it was written down.
async fn report(partner: Partner, name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let cdr = find(&partner, name, &doors).await?;
    let reports = doors
        .store
        .verdicts(&cdr.id)
        .await
        .map_err(|error| Fault::new("reading a verdict", error))?;
    let newest = reports.last().ok_or_else(|| Fault::found("a CDR has no verdict"))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(newest.clone()))
}

async fn delivery(partner: Partner, name: Name, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let cdr = find(&partner, name, &doors).await?;
    let attempts = doors
        .store
        .attempts(&cdr.id)
        .await
        .map_err(|error| Fault::new("reading attempts", error))?;
    Ok(HttpResponse::Ok().json(receipts::receipt(&cdr, &attempts)))
}

pub(super) async fn find(partner: &Partner, name: Name, doors: &Doors) -> Result<CdrRow, Problem> {
    let nothing = || Problem::not_found("there is no such CDR");
    let (country_code, party_id, id) = name.into_inner();
    let cpo = PartyId::new(&country_code, &party_id).map_err(|_| nothing())?;
    let found = doors
        .store
        .cdr_find(&cpo.key(), &key_of(&id).ok_or_else(nothing)?)
        .await
        .map_err(|error| Fault::new("reading a CDR", error))?;
    found.filter(|cdr| partner.asking.may_see(cdr)).ok_or_else(nothing)
}
