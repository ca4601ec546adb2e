//! What an operator does to a registration that is there: take it back, end it, release it, note exchanged hardware.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::once::{Writing, once};
use super::{find, operator_of};
use crate::registry::record::Registration;
use crate::registry::{Actor, Asked, Said, Told, Wish};
use crate::web::keys::{claim, view};
use crate::web::operator::{Members, Problem};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/partner/v1/registrations/{id}/withdraw", Document::Partner, withdraw),
        Route::post(
            "/partner/v1/registrations/{id}/deactivate",
            Document::Partner,
            deactivate,
        ),
        Route::post("/partner/v1/registrations/{id}/release", Document::Partner, release),
        Route::post("/partner/v1/registrations/{id}/exchange", Document::Partner, exchange),
    ]
}

async fn withdraw(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let read = |wish: &Members| {
        wish.only(&[])?;
        Ok(Wish::Withdraw)
    };
    grant(&id, &writing, &doors, read, shown).await
}

/// Without `at`, now.
async fn deactivate(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let read = |wish: &Members| {
        wish.only(&["at"])?;
        Ok(Wish::Deactivate(claim::instant(wish, "at")?))
    };
    grant(&id, &writing, &doors, read, shown).await
}

async fn release(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let read = |wish: &Members| {
        wish.only(&["to"])?;
        let to = claim::party(wish, "to")?.ok_or_else(|| wish.missing("to"))?;
        Ok(Wish::Release(to))
    };
    grant(&id, &writing, &doors, read, shown).await
}

async fn exchange(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let read = |wish: &Members| {
        // Which key, meter and gateway it is does not change by it.
        let described: Vec<&str> = claim::UNIT.into_iter().skip(3).collect();
        wish.only(&described)?;
        Ok(Wish::Exchange(Box::new(claim::description(wish)?)))
    };
    grant(&id, &writing, &doors, read, shown).await
}

/// Reads a wish and grants it, once.
pub(super) async fn grant(
    id: &str,
    writing: &Writing,
    doors: &Doors,
    read: impl Fn(&Members) -> Result<Wish, Problem>,
    say: impl Fn(&Registration) -> Said + Send + Sync,
) -> Result<HttpResponse, Problem> {
    let work = async {
        let one = find(&writing.partner, id, doors).await?;
        let wish = read(&writing.members()?)?;
        let actor = Actor::Party(operator_of(&one, &writing.partner)?);
        let asked = Asked {
            request: &writing.request,
            say: &say,
        };
        let told: Told<Registration> = doors.registry.wish_once(id, &wish, &actor, Some(&asked)).await?;
        Ok(told)
    };
    once(writing, doors, &say, work).await
}

fn shown(one: &Registration) -> Said {
    Said {
        status: 200,
        location: None,
        body: view::whole(one).to_string(),
    }
}
