//! The neighbour's front door: connections, tempers, and everything that is checked before a module is asked.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::answer::{Answer, echoed};
use super::behaviour::{Behaviour, Door, Moment};
use super::configuration;
use super::doors::Place;
use super::got::Got;
use super::inner::Inner;
use super::wire::{Connection, Request};
use super::{commands, offering, profiles, receiving, results, sessions, tokens};
use crate::ocpi::headers::TokenForm;
use crate::ocpi::json;
use crate::ocpi::status::StatusCode;

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
    let (path, query) = (path.to_owned(), query.to_owned());
    let arrived = Instant::now();
    let place = inner.place_of(&request.method, &path, &query);
    let door = place.as_ref().map(|place| place.door);
    let temper = door.map_or(Behaviour::Proper, |door| inner.next_temper(door));
    if let Behaviour::Slow(delay) = &temper {
        tokio::time::sleep(*delay).await;
    }
    let asked = Asked {
        request: &request,
        place,
        path: &path,
        query: &query,
        temper: &temper,
    };
    let said = answer_in_mood(inner, &asked).await;
    let echoed = echoed(&request, door.is_some_and(Door::is_functional), &temper);

    let got = Got {
        method: request.method,
        path,
        query,
        headers: request.headers,
        body: request.body,
        door,
        arrived,
        settled: Instant::now(),
        answered: said.as_ref().map_or(0, |answer| answer.http),
        refused: said.as_ref().and_then(|answer| answer.refused.clone()),
    };
    if let Some(reason) = &got.refused {
        let name = &inner.plan.name;
        log::info!("sandbox {name}: {} {} not taken: {reason}", got.method, got.path);
    }
    let trigger = {
        let mut book = inner.book();
        book.got.push(got.clone());
        door.and_then(|door| book.triggers.get(&door).cloned())
    };
    inner.announce();

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

/// A request, the door it came to, and the temper it meets there.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    pub(super) place: Option<Place>,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) temper: &'a Behaviour,
}

impl Asked<'_> {
    /// A pair of routing headers: country code and party id, as sent.
    pub(super) fn pair(&self, which: &str) -> Option<(&str, &str)> {
        let country_code = self.request.header(&format!("ocpi-{which}-country-code"))?;
        Some((country_code, self.request.header(&format!("ocpi-{which}-party-id"))?))
    }

    /// The segments behind the endpoint.
    pub(super) fn rest(&self) -> Vec<&str> {
        let rest = self.place.iter().flat_map(|place| &place.rest);
        rest.map(String::as_str).collect()
    }

    /// The body as text; empty when it is none.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.request.body).unwrap_or_default()
    }
}

/// The answer a temper gives; `None` when it gives none.
async fn answer_in_mood(inner: &Arc<Inner>, asked: &Asked<'_>) -> Option<Answer> {
    match asked.temper {
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
        // The others answer what they are asked, each in its own way.
        _ => Some(match &asked.place {
            Some(place) => answer_properly(inner, asked, place).await.in_temper(asked.temper),
            None => Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such path"),
        }),
    }
}

async fn answer_properly(inner: &Arc<Inner>, asked: &Asked<'_>, place: &Place) -> Answer {
    let (request, door) = (asked.request, place.door);
    let Some(caller) = inner.recognise(request.header("authorization")) else {
        return Answer::refusal(
            401,
            StatusCode::CLIENT_ERROR,
            "unknown token, or not in the agreed form",
        );
    };
    if let Some(refusal) = unmannerly(inner, asked, place, caller) {
        return refusal;
    }
    match (door, request.method.as_str()) {
        (Door::Versions, "GET") => Answer::data(inner.versions_json()),
        (Door::Details, "GET") => inner.details(asked.path),
        (Door::Credentials, "GET") => {
            let token = inner.book().valid.first().cloned().unwrap_or_default();
            Answer::data(configuration::credentials_json(inner, &token))
        }
        (Door::Credentials, method @ ("POST" | "PUT")) => {
            configuration::be_registered(inner, method, caller, asked.path, request).await
        }
        (Door::Credentials, "DELETE") => {
            let mut book = inner.book();
            book.hub = None;
            book.valid.clear();
            Answer::nothing(200)
        }
        (Door::CdrReceiver, "POST") if place.rest.is_empty() => receiving::take_cdr(inner, asked),
        (Door::CdrReceiver, "GET") => receiving::kept_cdr(inner, &place.rest),
        (Door::CdrSender, "GET") if place.rest.is_empty() => offering::list(inner, asked, "cdrs"),
        (Door::Authorize, _) => tokens::authorize(inner, asked),
        (Door::Preferences, _) => sessions::take_preferences(inner, asked),
        (Door::Results(_), method) => results::take(inner, asked, method),
        (Door::Receiver("commands"), method) => commands::take(inner, asked, method),
        (Door::Receiver("chargingprofiles"), method) => profiles::take(inner, asked, method),
        (Door::Sender("chargingprofiles"), method) => profiles::be_told(asked, method),
        (Door::Receiver(module), method) => receiving::at_receiver(inner, asked, module, method),
        (Door::Sender(module), method) => offering::at_sender(inner, asked, module, method),
        _ => Answer::no_method(),
    }
}

/// What is wrong with a request, whatever it asks for.
fn unmannerly(inner: &Inner, asked: &Asked<'_>, place: &Place, caller: Caller) -> Option<Answer> {
    let (request, door) = (asked.request, place.door);
    let is_discovery = matches!(door, Door::Credentials | Door::Versions | Door::Details);
    if !is_discovery && caller == Caller::Invited {
        return Some(Answer::refusal(
            401,
            StatusCode::CLIENT_ERROR,
            "TOKEN_A opens versions and credentials only",
        ));
    }
    if request.header("x-request-id").is_none() || request.header("x-correlation-id").is_none() {
        return Some(Answer::invalid(
            "X-Request-ID or X-Correlation-ID is missing (M-01, M-02)",
        ));
    }
    let has_body = !request.body.is_empty();
    let kind = request.header("content-type");
    if has_body && !kind.is_some_and(|value| value.starts_with("application/json")) {
        return Some(Answer::invalid("Content-Type is not application/json (T-20)"));
    }
    if place.lost_query {
        return Some(Answer::invalid("the query of the endpoint's URL is missing (U-04)"));
    }
    // CDRs are read at the `Location` given, and nothing says with which headers (CDR-03).
    let is_told = door == Door::CdrReceiver && request.method == "GET";
    if door.is_functional() && !is_told {
        if asked.pair("from").is_none() {
            return Some(Answer::invalid("the OCPI-from headers are missing (R-23)"));
        }
        let Some((country_code, party_id)) = asked.pair("to") else {
            return Some(Answer::invalid("the OCPI-to headers are missing (R-23)"));
        };
        if !inner.takes_for(country_code, party_id, None) {
            return Some(Answer::invalid(
                "the OCPI-to headers name no party of this platform (R-04)",
            ));
        }
    } else if !door.is_functional() && request.headers.iter().any(|(name, _)| is_routing(name)) {
        return Some(Answer::invalid("routing headers do not belong on this module (R-03)"));
    }
    if has_body && json::check_syntax(&request.body).is_err() {
        return Some(Answer::refusal(400, StatusCode::CLIENT_ERROR, "the body is not JSON"));
    }
    None
}

fn is_routing(name: &str) -> bool {
    name.starts_with("ocpi-to-") || name.starts_with("ocpi-from-")
}

/// Who presents a token here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
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
}
