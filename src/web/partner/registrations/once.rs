//! One answer to a request, however often it is sent: the `Idempotency-Key` of every write.
//!
//! The first answer to a key is the answer to it for seven days: status, `Location` and body, in every process and after a restart, also
//! where it was a no. It is kept in the commit of what was done, so that no crash lies between; where nothing was done, alone. What
//! never came so far (401, 403, 413, 429, a fault of ours) uses up no key. Another request under a used key is a 409.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode as Http;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use sha2::{Digest, Sha256};

use super::{Partner, operators_only};
use crate::ocpi::json;
use crate::ocpi::refusal::Refusal;
use crate::parties::Fault;
use crate::registry::{Request, Said, Told, answers_count_since};
use crate::store::answers::AnswerRow;
use crate::web::ocpi::body::{is_json, read};
use crate::web::operator::{Members, Problem};
use crate::web::{Doors, limits};

/// A document of five megabytes in Base64, and what is said about it.
const MAX_BODY: usize = 7 * 1024 * 1024 + 64 * 1024;

const HEADER: &str = "Idempotency-Key";
const MAX_KEY: usize = 64;

/// A write of an operator.
pub struct Writing {
    /// Who.
    pub partner: Partner,
    /// Which, so that its repeat is recognised.
    pub request: Request,
    body: Bytes,
    is_json: bool,
}

impl Writing {
    /// The members of the body; none where it is empty.
    ///
    /// # Errors
    /// 415, 400 or 422 for what is no JSON object.
    pub fn members(&self) -> Result<Members, Problem> {
        if self.body.is_empty() {
            return Members::of(&serde_json::json!({}), "");
        }
        if !self.is_json {
            return Err(Problem::unsupported_media_type());
        }
        let value = serde_json::from_slice(&self.body);
        let value = value.map_err(|error| Problem::bad_request("", format!("is not JSON: {error}")))?;
        Members::of(&value, "")
    }
}

/// Answers as before where the request came before; otherwise works, and keeps the answer. `work` keeps the answer to what it did itself.
pub(super) async fn once<T>(
    writing: &Writing,
    doors: &Doors,
    say: impl Fn(&T) -> Said,
    work: impl Future<Output = Result<Told<T>, Problem>>,
) -> Result<HttpResponse, Problem> {
    let request = &writing.request;
    let before = doors
        .store
        .answer_find(&request.holder, &request.key, request.since)
        .await;
    if let Some(before) = before.map_err(|error| Fault::new("reading an answer", error))? {
        return repeat(request, before);
    }
    // PC-20. A repeat costs nothing and is not counted.
    doors.submissions.ask(&request.holder).map_err(Problem::too_often)?;
    match work.await {
        Ok(Told::Now(outcome)) => Ok(answer(say(&outcome))),
        Ok(Told::Before(before)) => repeat(request, before),
        Err(problem) if !is_worth_keeping(&problem) => Err(problem),
        Err(problem) => {
            let said = problem.said();
            let row = request.answered(said, doors.clock.now());
            let before = doors.store.answer_keep(row, request.since).await;
            match before.map_err(|error| Fault::new("keeping an answer", error))? {
                Some(before) => repeat(request, before),
                None => Err(problem),
            }
        }
    }
}

fn is_worth_keeping(problem: &Problem) -> bool {
    let status = problem.status_code();
    status != Http::TOO_MANY_REQUESTS && !status.is_server_error()
}

fn repeat(request: &Request, before: AnswerRow) -> Result<HttpResponse, Problem> {
    if before.digest != request.digest {
        let text = "this Idempotency-Key was used for another request; use a fresh one for each";
        return Err(Problem::conflict(text));
    }
    let status = u16::try_from(before.status).map_err(|_| Fault::found("a kept answer has no HTTP status"))?;
    Ok(answer(Said {
        status,
        location: before.location,
        body: before.body,
    }))
}

fn answer(said: Said) -> HttpResponse {
    let status = Http::from_u16(said.status).unwrap_or(Http::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    answer.content_type(match status.is_success() {
        true => "application/json",
        false => "application/problem+json",
    });
    if let Some(location) = said.location {
        answer.insert_header(("Location", location));
    }
    answer.body(said.body)
}

impl Problem {
    /// As it is kept.
    pub(super) fn said(&self) -> Said {
        Said {
            status: self.status_code().as_u16(),
            location: None,
            body: self.document(),
        }
    }
}

impl FromRequest for Writing {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Writing, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let partner = Partner::from_request(request, payload);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let partner = partner.await?;
            operators_only(&partner)?;
            let doors = request
                .app_data::<Data<Doors>>()
                .ok_or_else(|| Fault::found("a request reached a door without rooms"))?;
            let key = key(&request)?;
            let body = read(payload, MAX_BODY, &limits::reading(&request)).await?;
            json::check_lengths(&body).map_err(Refusal::from)?;
            let from = partner.from.as_ref().map_or_else(|| "*".to_owned(), |from| from.key());
            Ok(Writing {
                request: Request {
                    holder: format!("{} {from}", partner.platform.id),
                    key,
                    digest: digest(&request, &body),
                    since: answers_count_since(doors.clock.now()),
                },
                is_json: is_json(&request),
                partner,
                body,
            })
        })
    }
}

/// One key of 1 to 64 printable ASCII characters.
fn key(request: &HttpRequest) -> Result<String, Problem> {
    let wrong = |reason: &str| Problem::bad_request(HEADER, reason);
    let mut given = request.headers().get_all(HEADER);
    let (Some(key), None) = (given.next(), given.next()) else {
        return Err(wrong("must be given, once"));
    };
    let key = key.to_str().map(str::trim).unwrap_or_default();
    let is_printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match (1..=MAX_KEY).contains(&key.len()) && is_printable {
        true => Ok(key.to_owned()),
        false => Err(wrong("must have 1 to 64 printable ASCII characters")),
    }
}

/// Method, path and body; whose it is says the holder.
fn digest(request: &HttpRequest, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(request.method().as_str());
    digest.update(" ");
    digest.update(request.path());
    digest.update("\n");
    digest.update(body);
    hex::encode(digest.finalize())
}
