//! A relay: one request carried to one platform, once, and what its requester hears of the answer (D-07).

use bytes::Bytes;

use crate::client::outcome::{Answer, Outcome};
use crate::ocpi::envelope;
use crate::ocpi::headers;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::status::StatusCode;
use crate::parties::line::{Call, Line};
use crate::routing::directory::Platform;

/// An answer that is relayed as it came.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// Its HTTP status.
    pub http: u16,
    /// The octets of its envelope.
    pub body: Bytes,
    /// Those of its headers that a module defines, as they came: `Link`, `Location`, `X-Total-Count`, `X-Limit`.
    pub headers: Vec<(String, String)>,
    /// The status code in it.
    pub code: StatusCode,
}

/// Carries one request and reads the answer (S-11 … S-15). Nothing is repeated.
///
/// # Errors
/// 4002 and 4003 where no answer came; 4003 where the receiver refused the hub's token; 404 and 405 without an envelope; 4000 for
/// everything else that is no answer.
pub async fn relay(line: &Line, platform: &Platform, call: Call) -> Result<Relayed, Refusal> {
    let outcome = line
        .send(platform, call)
        .await
        .map_err(|missing| Refusal::hub_error(missing.to_string()))?;
    if let Some(situation) = outcome.situation() {
        return Err(Refusal::new(situation, format!("the receiver: {outcome}")));
    }
    match outcome {
        Outcome::Answered(answer) => read(answer),
        other => Err(Refusal::hub_error(other.to_string())),
    }
}

fn read(answer: Answer) -> Result<Relayed, Refusal> {
    match (answer.status, envelope::read(&answer.body)) {
        (401 | 403, _) => Err(Refusal::not_connected("the receiver refused the hub")),
        (300..=399, _) => Err(Refusal::hub_error("the receiver answered with a redirect")),
        (http, Ok(envelope)) => Ok(Relayed {
            http,
            code: envelope.status_code,
            headers: kept(answer.headers),
            body: answer.body,
        }),
        (404, Err(_)) => Err(Refusal::not_found("the receiver has nothing there")),
        (405, Err(_)) => Err(Refusal::method_not_allowed("the receiver cannot do this")),
        (_, Err(error)) => Err(Refusal::hub_error(error.to_string())),
    }
}

fn kept(all: Vec<(String, String)>) -> Vec<(String, String)> {
    let known = [
        headers::LINK,
        headers::LOCATION,
        headers::X_TOTAL_COUNT,
        headers::X_LIMIT,
    ];
    let is_kept = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    all.into_iter().filter(|(name, _)| is_kept(name)).collect()
}
