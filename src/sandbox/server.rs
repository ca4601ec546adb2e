//! The neighbour's own doors: versions, details, credentials, and both sides of `cdrs`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, Door, Moment};
use super::got::Got;
use super::handshake;
use super::meter::json_text;
use super::party::{HubPeer, Inner, mint};
use super::wire::{self, Connection, Request};
use crate::ocpi::envelope;
use crate::ocpi::headers::TokenForm;
use crate::ocpi::page::PageQuery;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::status::StatusCode;
use crate::ocpi::v2_2_1::credentials::Credentials;
use crate::ocpi::versions::Version;

/// Most CDRs on one page of the SENDER interface.
const PAGE: u64 = 50;

/// Accepts until aborted; the connections end with it.
///
/// Told to leave, it closes the port first and then every connection, and ends when the last is closed: no request that was
/// under way is answered afterwards.
pub(super) async fn listen(inner: Arc<Inner>, listener: TcpListener, mut leave: oneshot::Receiver<()>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut leave => break,
            arrived = listener.accept() => match arrived {
                Ok((stream, _)) => { conversations.spawn(converse(Arc::clone(&inner), stream)); }
                Err(error) => log::warn!("sandbox {}: a connection was not accepted: {error}", inner.plan.name),
            },
            Some(_) = conversations.join_next() => {}
        }
    }
    drop(listener);
    conversations.shutdown().await;
}

/// One connection, request after request.
async fn converse(inner: Arc<Inner>, stream: TcpStream) {
    let mut connection = Connection::new(stream);
    loop {
        match connection.read_request().await {
            Ok(Some(request)) => {
                if !answer(&inner, &mut connection, request).await {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                log::info!("sandbox {}: a request could not be read: {error}", inner.plan.name);
                let said = Answer::refusal(400, StatusCode::CLIENT_ERROR, &error.to_string());
                let _ = connection.write(&said.octets(&inner, &[])).await;
                return;
            }
        }
    }
}

/// Answers one request; false when the connection ends with it.
async fn answer(inner: &Arc<Inner>, connection: &mut Connection, request: Request) -> bool {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let door = door_of(inner, path);
    let temper = door.map_or(Behaviour::Proper, |door| inner.next_temper(door));
    if let Behaviour::Slow(delay) = &temper {
        tokio::time::sleep(*delay).await;
    }
    let said = answer_in_mood(inner, door, &temper, &request, path, query).await;
    let echoed: Vec<(String, String)> = ["x-request-id", "x-correlation-id"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), request.header(name)?.to_owned())))
        .collect();

    let got = Got {
        method: request.method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: request.headers,
        body: request.body,
        answered: said.as_ref().map_or(0, |answer| answer.http),
        refused: said.as_ref().and_then(|answer| answer.refused.clone()),
    };
    if let Some(reason) = &got.refused {
        log::info!(
            "sandbox {}: {} {} not taken: {reason}",
            inner.plan.name,
            got.method,
            got.path
        );
    }
    let trigger = {
        let mut book = inner.book();
        book.got.push(got.clone());
        book.trigger.clone().filter(|_| door == Some(Door::CdrReceiver))
    };
    inner.arrivals.send_modify(|count| *count += 1);

    if let Some(trigger) = &trigger {
        trigger(Moment::BeforeAnswer, &got);
    }
    let stays = match (said, &temper) {
        (None, Behaviour::HangUp) => false,
        (None, _) => std::future::pending().await,
        (Some(answer), Behaviour::HalfAnswer) => {
            let octets = answer.octets(inner, &echoed);
            let half = octets.get(..octets.len() / 2 + 40).unwrap_or(&octets);
            let _ = connection.write(half).await;
            false
        }
        (Some(answer), _) => connection.write(&answer.octets(inner, &echoed)).await.is_ok(),
    };
    if let Some(trigger) = &trigger {
        trigger(Moment::AfterAnswer, &got);
    }
    stays
}

/// The answer a temper gives; `None` when it gives none.
async fn answer_in_mood(
    inner: &Arc<Inner>,
    door: Option<Door>,
    temper: &Behaviour,
    request: &Request,
    path: &str,
    query: &str,
) -> Option<Answer> {
    match temper {
        Behaviour::Stall | Behaviour::HangUp => None,
        Behaviour::Plain(status) => Some(Answer::page(*status, "text/plain", "something went wrong\n")),
        Behaviour::Html => Some(Answer::page(
            200,
            "text/html",
            "<!doctype html><title>Sign in</title><h1>Please sign in</h1>",
        )),
        Behaviour::Redirect(to) => Some(Answer::page(307, "text/plain", "").with("location", to)),
        Behaviour::Envelope { http, code, message } => Some(Answer::refusal(*http, StatusCode(*code), message)),
        Behaviour::Unauthorised => Some(Answer::refusal(401, StatusCode::CLIENT_ERROR, "unknown token")),
        Behaviour::TooManyRequests(after) => {
            let refusal = Answer::refusal(429, StatusCode::CLIENT_ERROR, "too many requests");
            Some(match after {
                Some(seconds) => refusal.with("retry-after", &seconds.to_string()),
                None => refusal,
            })
        }
        Behaviour::Proper
        | Behaviour::Slow(_)
        | Behaviour::HalfAnswer
        | Behaviour::NoLocation
        | Behaviour::RelativeLocation
        | Behaviour::LocationInData => Some(match door {
            Some(door) => answer_properly(inner, door, temper, request, path, query).await,
            None => Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such path"),
        }),
    }
}

async fn answer_properly(
    inner: &Arc<Inner>,
    door: Door,
    temper: &Behaviour,
    request: &Request,
    path: &str,
    query: &str,
) -> Answer {
    let Some(caller) = inner.recognise(request.header("authorization")) else {
        return Answer::refusal(
            401,
            StatusCode::CLIENT_ERROR,
            "unknown token, or not in the agreed form",
        );
    };
    if door != Door::Credentials && door != Door::Versions && door != Door::Details && caller == Caller::Invited {
        return Answer::refusal(
            401,
            StatusCode::CLIENT_ERROR,
            "TOKEN_A opens versions and credentials only",
        );
    }
    if request.header("x-request-id").is_none() || request.header("x-correlation-id").is_none() {
        return Answer::refusal(
            200,
            StatusCode::INVALID_PARAMETER,
            "X-Request-ID or X-Correlation-ID is missing (M-01, M-02)",
        );
    }
    let has_body = !request.body.is_empty();
    if has_body
        && !request
            .header("content-type")
            .is_some_and(|value| value.starts_with("application/json"))
    {
        return Answer::refusal(
            200,
            StatusCode::INVALID_PARAMETER,
            "Content-Type is not application/json (T-20)",
        );
    }
    match (door, request.method.as_str()) {
        (Door::Versions, "GET") => Answer::data(inner.versions_json()),
        (Door::Details, "GET") => inner.details(path),
        (Door::Credentials, "GET") => {
            let token = inner.book().valid.first().cloned().unwrap_or_default();
            Answer::data(credentials_json(inner, &token))
        }
        (Door::Credentials, method @ ("POST" | "PUT")) => be_registered(inner, method, caller, path, request).await,
        (Door::Credentials, "DELETE") => {
            let mut book = inner.book();
            book.hub = None;
            book.valid.clear();
            Answer::nothing(200)
        }
        (Door::CdrReceiver, "POST") if path.trim_end_matches('/') == inner.path("cdrs-in") => {
            take_cdr(inner, temper, request)
        }
        (Door::CdrReceiver, "GET") => inner.kept_cdr(path),
        (Door::CdrSender, "GET") => inner.offered_cdrs(query),
        _ => Answer::refusal(405, StatusCode::CLIENT_ERROR, "this method is not for this path"),
    }
}

/// The hub registers here: this party is the Receiver (CR-03, CR-04).
async fn be_registered(inner: &Arc<Inner>, method: &str, caller: Caller, path: &str, request: &Request) -> Answer {
    let registered = inner.book().hub.is_some();
    if (method == "POST") == registered {
        let said = if registered {
            "already registered: PUT (CR-21)"
        } else {
            "not registered: POST (CR-22)"
        };
        return Answer::refusal(405, StatusCode::CLIENT_ERROR, said);
    }
    let theirs = match Credentials::read(&request.body) {
        Ok(theirs) => theirs,
        Err(refusal) => return Answer::refusal(200, StatusCode::INVALID_PARAMETER, &refusal.message),
    };
    let Some(version) = inner
        .plan
        .versions
        .iter()
        .copied()
        .find(|version| path.contains(version.as_str()))
    else {
        return Answer::refusal(200, StatusCode::UNSUPPORTED_VERSION, "this version is not served here");
    };
    let found = match handshake::discover(inner, &theirs.url, &theirs.token, Some(version)).await {
        Ok(found) => found,
        Err(error) => return Answer::refusal(200, StatusCode::UNUSABLE_CLIENT_API, &error.to_string()),
    };
    let ours = mint();
    let answer = Answer::data(credentials_json(inner, &ours));
    let mut book = inner.book();
    book.valid = vec![ours];
    if caller == Caller::Invited {
        book.invitation = None;
    }
    book.hub = Some(HubPeer {
        versions_url: theirs.url,
        version: found.version,
        token: theirs.token,
        endpoints: found.endpoints,
        credentials_url: found.credentials_url,
    });
    answer
}

/// A CDR comes in; strict about the headers a hub owes its receiver (R-23, R-31).
fn take_cdr(inner: &Arc<Inner>, temper: &Behaviour, request: &Request) -> Answer {
    let pair = |which: &str| -> Option<(String, String)> {
        let country_code = request.header(&format!("ocpi-{which}-country-code"))?;
        Some((
            country_code.to_owned(),
            request.header(&format!("ocpi-{which}-party-id"))?.to_owned(),
        ))
    };
    let Some(to) = pair("to") else {
        return Answer::refusal(
            200,
            StatusCode::INVALID_PARAMETER,
            "the OCPI-to headers are missing (R-23)",
        );
    };
    if pair("from").is_none() {
        return Answer::refusal(
            200,
            StatusCode::INVALID_PARAMETER,
            "the OCPI-from headers are missing (R-23)",
        );
    }
    // R-04: in the spelling this party registered.
    let is_ours = inner
        .plan
        .parties
        .iter()
        .any(|(party, role)| *role == Role::Emsp && party.country_code() == to.0 && party.party_id() == to.1);
    if !is_ours {
        return Answer::refusal(
            200,
            StatusCode::INVALID_PARAMETER,
            "the OCPI-to headers name no eMSP of this platform",
        );
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&request.body).is_err() {
        return Answer::refusal(400, StatusCode::CLIENT_ERROR, "the body is not JSON");
    }
    let key = uuid::Uuid::new_v4().simple().to_string();
    inner.book().kept.insert(key.clone(), request.body.clone());
    let path = format!("{}/{key}", inner.path("cdrs-in"));
    let absolute = format!("http://{}{path}", inner.address);
    match temper {
        Behaviour::NoLocation => Answer::nothing(201),
        Behaviour::RelativeLocation => Answer::nothing(201).with("location", &path),
        Behaviour::LocationInData => Answer {
            http: 201,
            ..Answer::data(json_text(&absolute))
        },
        _ => Answer::nothing(201).with("location", &absolute),
    }
}

/// This platform's credentials object.
pub(super) fn credentials_json(inner: &Inner, token: &str) -> String {
    let roles: Vec<String> = inner
        .plan
        .parties
        .iter()
        .map(|(party, role)| {
            format!(
                r#"{{"role":{},"business_details":{{"name":{}}},"party_id":{},"country_code":{}}}"#,
                json_text(role.as_str()),
                json_text(&inner.plan.name),
                json_text(party.party_id()),
                json_text(party.country_code())
            )
        })
        .collect();
    let url = json_text(&inner.url("versions"));
    format!(
        r#"{{"token":{},"url":{url},"roles":[{}]}}"#,
        json_text(token),
        roles.join(",")
    )
}

/// Who presents a token here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Invited,
    Registered,
}

impl Inner {
    fn next_temper(&self, door: Door) -> Behaviour {
        let mut book = self.book();
        let mood = book
            .moods
            .get_mut(&door)
            .and_then(std::collections::VecDeque::pop_front);
        mood.or_else(|| book.tempers.get(&door).cloned())
            .unwrap_or(Behaviour::Proper)
    }

    /// Exactly the form of the plan: Base64 with padding and one blank (T-02), or the bare token.
    fn recognise(&self, authorization: Option<&str>) -> Option<Caller> {
        let value = authorization?.strip_prefix("Token ")?;
        let token = match self.plan.token_form {
            TokenForm::Base64 => String::from_utf8(STANDARD.decode(value).ok()?).ok()?,
            TokenForm::Raw => value.to_owned(),
        };
        let book = self.book();
        if book.valid.contains(&token) {
            Some(Caller::Registered)
        } else if book.invitation.as_ref() == Some(&token) {
            Some(Caller::Invited)
        } else {
            None
        }
    }

    fn versions_json(&self) -> String {
        let entries: Vec<String> = self
            .plan
            .versions
            .iter()
            .map(|version| {
                let url = json_text(&self.url(version.as_str()));
                format!(r#"{{"version":{},"url":{url}}}"#, json_text(version.as_str()))
            })
            .collect();
        format!("[{}]", entries.join(","))
    }

    fn details(&self, path: &str) -> Answer {
        let path = path.trim_end_matches('/');
        let Some(version) = self
            .plan
            .versions
            .iter()
            .find(|version| self.path(version.as_str()) == path)
        else {
            return Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such version");
        };
        let endpoints: Vec<String> = self
            .endpoints(*version)
            .iter()
            .map(|(module, role, url)| {
                let role = if *role == InterfaceRole::Sender {
                    "SENDER"
                } else {
                    "RECEIVER"
                };
                format!(
                    r#"{{"identifier":"{module}","role":"{role}","url":{}}}"#,
                    json_text(url)
                )
            })
            .collect();
        Answer::data(format!(
            r#"{{"version":{},"endpoints":[{}]}}"#,
            json_text(version.as_str()),
            endpoints.join(",")
        ))
    }

    fn kept_cdr(&self, path: &str) -> Answer {
        let key = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        match self.book().kept.get(key) {
            Some(body) => Answer::data(String::from_utf8_lossy(body).into_owned()),
            None => Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such CDR"),
        }
    }

    /// A page of what this party sent, oldest first (P-08).
    fn offered_cdrs(&self, query: &str) -> Answer {
        let wanted = match PageQuery::read(query) {
            Ok(wanted) => wanted,
            Err(refusal) => return Answer::refusal(200, StatusCode::INVALID_PARAMETER, &refusal.message),
        };
        let limit = wanted.limit.map_or(PAGE, u64::from).min(PAGE);
        let book = self.book();
        let fitting: Vec<&str> = book
            .offered
            .iter()
            .filter(|(at, _)| {
                wanted.date_from.is_none_or(|from| *at >= from) && wanted.date_to.is_none_or(|to| *at < to)
            })
            .map(|(_, body)| body.as_str())
            .collect();
        let total = fitting.len() as u64;
        let page: Vec<&str> = fitting
            .into_iter()
            .skip(usize::try_from(wanted.offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect();
        let next = wanted.offset.saturating_add(limit);
        let mut answer = Answer::data(format!("[{}]", page.join(",")))
            .with("x-total-count", &total.to_string())
            .with("x-limit", &limit.to_string());
        if next < total {
            let rest: String = query
                .split('&')
                .filter(|part| !part.is_empty() && !part.starts_with("offset=") && !part.starts_with("limit="))
                .map(|part| format!("{part}&"))
                .collect();
            let url = format!("{}?{rest}offset={next}&limit={limit}", self.url("cdrs-out"));
            answer = answer.with("link", &format!("<{url}>; rel=\"next\""));
        }
        answer
    }
}

fn door_of(inner: &Inner, path: &str) -> Option<Door> {
    let path = path.trim_end_matches('/');
    if path == inner.path("versions") {
        return Some(Door::Versions);
    }
    for version in [Version::V2_2, Version::V2_2_1] {
        if path == inner.path(version.as_str()) {
            return Some(Door::Details);
        }
        if path == inner.path(&format!("{}/credentials", version.as_str())) {
            return Some(Door::Credentials);
        }
    }
    let receiver = inner.path("cdrs-in");
    if inner.plan.receives_cdrs && (path == receiver || path.starts_with(&(receiver + "/"))) {
        return Some(Door::CdrReceiver);
    }
    (inner.plan.sends_cdrs && path == inner.path("cdrs-out")).then_some(Door::CdrSender)
}

/// An answer before it is octets.
struct Answer {
    http: u16,
    headers: Vec<(String, String)>,
    body: AnswerBody,
    refused: Option<String>,
}

enum AnswerBody {
    /// `data`, OCPI status, message.
    Envelope(Option<String>, StatusCode, Option<String>),
    Text(String),
}

impl Answer {
    fn data(json: String) -> Answer {
        Answer {
            http: 200,
            headers: Vec::new(),
            body: AnswerBody::Envelope(Some(json), StatusCode::SUCCESS, None),
            refused: None,
        }
    }

    fn nothing(http: u16) -> Answer {
        Answer {
            http,
            headers: Vec::new(),
            body: AnswerBody::Envelope(None, StatusCode::SUCCESS, None),
            refused: None,
        }
    }

    fn refusal(http: u16, code: StatusCode, why: &str) -> Answer {
        Answer {
            http,
            headers: Vec::new(),
            body: AnswerBody::Envelope(None, code, Some(why.to_owned())),
            refused: Some(why.to_owned()),
        }
    }

    fn page(http: u16, kind: &str, text: &str) -> Answer {
        Answer {
            http,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: AnswerBody::Text(text.to_owned()),
            refused: Some(format!("HTTP {http} on purpose")),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn octets(mut self, inner: &Inner, echoed: &[(String, String)]) -> Vec<u8> {
        self.headers.extend_from_slice(echoed);
        match &self.body {
            AnswerBody::Text(text) => wire::response(self.http, &self.headers, text.as_bytes()),
            AnswerBody::Envelope(data, code, message) => {
                self.headers
                    .push(("content-type".to_owned(), "application/json".to_owned()));
                let body = envelope::write(data.as_deref(), *code, message.as_deref(), inner.clock.now());
                wire::response(self.http, &self.headers, body.as_bytes())
            }
        }
    }
}
