//! The descriptions of the three interfaces, as they were when this program was built.

use actix_web::HttpResponse;

use super::{Document, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi/ocpi.yaml", Document::Partner, ocpi),
        Route::get("/openapi/partner.yaml", Document::Partner, partner),
        Route::get("/openapi/operator.yaml", Document::Partner, operator),
    ]
}

async fn ocpi() -> HttpResponse {
    yaml(include_str!("../../openapi/ocpi.yaml"))
}

async fn partner() -> HttpResponse {
    yaml(include_str!("../../openapi/partner.yaml"))
}

async fn operator() -> HttpResponse {
    yaml(include_str!("../../openapi/operator.yaml"))
}

fn yaml(text: &'static str) -> HttpResponse {
    // RFC 9512.
    HttpResponse::Ok().content_type("application/yaml").body(text)
}
