//! The bare path of a request that is carried: the same octets come in over actix, the same octets and as many headers leave by the
//! hub's client, the answer comes back as it was. No token is looked up, nobody is routed, no body is read, nothing is written down.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::{Ends, PATIENCE, client, failed};
use crate::cli::NotDone;
use crate::client::{Http, Method, Outcome, Outgoing};

/// How the floor is laid.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    ends: Ends,
}

struct Floor {
    http: Http,
    receiver: String,
}

/// The headers a hub writes on what it carries.
const CARRIED: [&str; 8] = [
    "authorization",
    "content-type",
    "x-request-id",
    "x-correlation-id",
    "ocpi-from-country-code",
    "ocpi-from-party-id",
    "ocpi-to-country-code",
    "ocpi-to-party-id",
];

/// Serves until killed.
pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    let floor = web::Data::new(Floor {
        http: client()?,
        receiver: arguments.ends.receiver,
    });
    HttpServer::new(move || {
        App::new()
            .app_data(floor.clone())
            .route("/ready", web::get().to(HttpResponse::Ok))
            .default_service(web::to(carry))
    })
    .bind(arguments.ends.bind)
    .map_err(failed)?
    .run()
    .await
    .map_err(failed)
}

async fn carry(floor: web::Data<Floor>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers = CARRIED.iter().filter_map(|name| {
        let value = request.headers().get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    let Ok(method) = Method::from_bytes(request.method().as_str().as_bytes()) else {
        return HttpResponse::MethodNotAllowed().finish();
    };
    let outgoing = Outgoing {
        method,
        url: format!("{}{}", floor.receiver, request.uri()),
        headers: headers.collect(),
        body: (!body.is_empty()).then_some(body),
        timeout: PATIENCE,
        allowed_hosts: None,
    };
    match floor.http.send(outgoing).await {
        Outcome::Answered(answer) => {
            let status = actix_web::http::StatusCode::from_u16(answer.status);
            HttpResponse::build(status.unwrap_or(actix_web::http::StatusCode::BAD_GATEWAY))
                .content_type("application/json")
                .body(answer.body)
        }
        other => HttpResponse::BadGateway().body(other.to_string()),
    }
}
