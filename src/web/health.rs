//! Alive and ready, for whoever restarts the process.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/health/live", Document::Partner, live),
        Route::get("/health/ready", Document::Partner, ready),
    ]
}

/// The process answers. Nothing else is looked at: a database that is away is no reason to restart the hub.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The database answers, lets itself be written, was not found damaged, and has the schema this program was made for. 503 otherwise, with the check that failed; why it
/// failed is in the log and not for strangers.
async fn ready(doors: Data<Doors>) -> HttpResponse {
    let database = match doors.store.writes().await {
        Ok(()) => true,
        Err(error) => {
            log::warn!("not ready: the database does not let itself be written: {error}");
            false
        }
    };
    let schema = database
        && match doors.store.schema_state().await {
            Ok(state) => state.pending.is_empty(),
            Err(error) => {
                log::warn!("not ready: the schema cannot be read: {error}");
                false
            }
        };
    // It serves what is whole, so that it can be mended in peace, but not as if nothing were.
    let intact = !doors.store.is_damaged();
    let mut checks = json!({"database": database, "schema": schema, "intact": intact});
    if let Some(certificates) = &doors.certificates {
        // An old certificate still opens the door: it is said, and makes nobody restart anything.
        checks["certificate"] = json!(certificates.are_those_of_the_files());
    }
    match schema && intact {
        true => HttpResponse::Ok().json(json!({"status": "ready", "checks": checks})),
        false => HttpResponse::ServiceUnavailable().json(json!({"status": "not ready", "checks": checks})),
    }
}
