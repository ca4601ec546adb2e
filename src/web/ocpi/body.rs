//! A body as it arrived: the octets, within the limit, announced as JSON.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;

use crate::ocpi::json;
use crate::ocpi::refusal::Refusal;
use crate::web::error::OcpiError;
use crate::web::limits::bodies::Arriving;
use crate::web::limits::{self, Reading};

/// 10 MB (D-19): three signed values of 10 000 characters each are 0.3 % of it, a list page of several MB fits.
pub const MAX_BODY: usize = 10 * 1024 * 1024;

// What is kept of others could have been pushed whole.
const _: () = assert!(MAX_BODY == crate::mirror::intake::LARGEST);

/// A body that goes on beyond the limit is read to its end and thrown away, up to here: a client that is still sending
/// would see a broken connection instead of the 413.
const MAX_DRAINED: usize = 8 * MAX_BODY;

/// The octets of a JSON body. Whether they *are* JSON is for whoever reads them to say (T-22).
pub struct JsonBody(pub Bytes);

impl FromRequest for JsonBody {
    type Error = OcpiError;
    type Future = Pin<Box<dyn Future<Output = Result<JsonBody, OcpiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let reading = limits::reading(request);
        let payload = payload.take();
        Box::pin(async move {
            let body = read(payload, MAX_BODY, &reading).await?;
            json::check_lengths(&body).map_err(Refusal::from)?;
            // T-20: without a body the type may be missing; what is then missing is the body.
            if !is_json && !body.is_empty() {
                return Err(Refusal::unsupported_media_type("the Content-Type must be application/json").into());
            }
            Ok(JsonBody(body))
        })
    }
}

/// Whether the request announces JSON, with any parameters (T-20).
pub(in crate::web) fn is_json(request: &HttpRequest) -> bool {
    let announced = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = announced.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The octets of a body of at most `limit`.
pub(in crate::web) async fn read(payload: Payload, limit: usize, reading: &Reading) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(reading.within, collect(payload, limit, reading.bodies.begin())).await {
        Ok(body) => body,
        Err(_) => Err(Refusal::too_slow(format!(
            "the body did not arrive within {} s",
            reading.within.as_secs()
        ))),
    }
}

async fn collect(mut payload: Payload, limit: usize, body: Arriving) -> Result<Bytes, Refusal> {
    let mut body = Some(body);
    let mut length = 0usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::malformed("the body broke off"))?;
        length = length.saturating_add(chunk.len());
        match &mut body {
            Some(body) if length <= limit => body.take(&chunk)?,
            _ => body = None,
        }
        if length > limit.max(MAX_DRAINED) {
            break;
        }
    }
    let whole = body.map(Arriving::whole);
    whole.ok_or_else(|| Refusal::too_large(format!("a body may have at most {limit} bytes")))
}
