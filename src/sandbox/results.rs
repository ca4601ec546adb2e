//! The two ends of a result: posted from here to a `response_url`, and received at those this platform lent out.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::execution::{Execution, Later, Order, Says, Sent, Taken};
use super::got::Got;
use super::inner::Inner;
use super::meter::json_text;
use super::party::{SandboxParty, routing};
use super::reply::{Reply, SandboxError};
use super::server::Asked;
use super::splice;
use crate::client::Method;
use crate::ocpi::envelope;
use crate::ocpi::ids::PartyId;
use crate::ocpi::status::StatusCode;
use crate::ocpi::time;

/// A response URL this platform gave away.
pub(super) struct Lent {
    pub(super) order: Order,
    path: String,
    query: String,
}

/// An order that was placed, and where its results come.
pub struct Ordered {
    /// What was answered at once.
    pub reply: Reply,
    /// The URL its results come to.
    pub response_url: String,
    /// The octets of the request's body; empty for a profile asked for or cleared.
    pub body: String,
    path: String,
}

impl SandboxParty {
    /// A URL for the results of an order: irregular, with a query that must come back as it is (CMD-06).
    #[must_use]
    pub fn lend(&self, order: Order) -> String {
        self.inner.lend(order)
    }

    /// The results of an order so far, in order of arrival, refused ones too.
    #[must_use]
    pub fn results(&self, ordered: &Ordered) -> Vec<Got> {
        self.results_at(&ordered.path)
    }

    fn results_at(&self, path: &str) -> Vec<Got> {
        let book = self.inner.book();
        book.got.iter().filter(|got| got.path == path).cloned().collect()
    }

    /// Waits until an order has so many results; false when `within` ends first.
    pub async fn wait_for_results(&self, ordered: &Ordered, count: usize, within: Duration) -> bool {
        let enough = || self.results_at(&ordered.path).len() >= count;
        self.inner.wait_until(within, enough).await
    }

    /// Waits for the first result of an order.
    pub async fn wait_for_result(&self, ordered: &Ordered, within: Duration) -> Option<Got> {
        self.wait_for_results(ordered, 1, within).await;
        self.results(ordered).into_iter().next()
    }

    /// Posts a result by hand: for an order taken before a restart, a second time, from the wrong platform.
    ///
    /// # Errors
    /// When the party is not registered or nobody answers.
    pub async fn post_result(&self, taken: &Taken, later: &Later) -> Result<Reply, SandboxError> {
        post(&self.inner, taken, later, "").await
    }
}

impl Ordered {
    pub(super) fn new(reply: Reply, response_url: String, body: String) -> Ordered {
        let path = response_url.split('?').next().unwrap_or_default();
        let path = path
            .splitn(4, '/')
            .nth(3)
            .map(|path| format!("/{path}"))
            .unwrap_or_default();
        Ordered {
            reply,
            response_url,
            body,
            path,
        }
    }
}

impl Inner {
    pub(super) fn lend(&self, order: Order) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let path = format!("{}/{id}/{}.cgi", self.results_path(), order.as_str().to_lowercase());
        // Characters that do not survive being decoded and encoded once more.
        let query = "ticket=a%2Fb%3D%26c+d&&empty=&n=0.10".to_owned();
        let url = self.url(&format!("{path}?{query}"));
        self.book().lent.insert(id, Lent { order, path, query });
        url
    }
}

/// A result comes in. The URL must be the one lent out, to the last character (CMD-06).
pub(super) fn take(inner: &Inner, asked: &Asked<'_>, method: &str) -> Answer {
    if method != "POST" {
        return Answer::no_method();
    }
    let book = inner.book();
    let lent = asked.rest().first().and_then(|id| book.lent.get(*id));
    match lent {
        Some(lent) if lent.path == asked.path && lent.query == asked.query => {}
        _ => {
            return Answer::refusal(
                404,
                StatusCode::CLIENT_ERROR,
                "this is not the response_url as given (CMD-06)",
            );
        }
    }
    match splice::text(asked.text(), "result") {
        Some(_) => Answer::nothing(200),
        None => Answer::invalid("result is missing"),
    }
}

/// Remembers the order and posts the results of its execution, one after the other; not before the answer is made.
pub(super) fn promise(inner: &Arc<Inner>, taken: Taken, execution: &Execution, profile: String) {
    inner.book().taken.push(taken.clone());
    let results = execution.results.clone();
    let this = Arc::clone(inner);
    inner.on_the_side(async move {
        for later in results {
            tokio::time::sleep(later.after).await;
            // What was heard is in the book.
            let _ = post(&this, &taken, &later, &profile).await;
        }
    });
}

/// Who ordered and where the results go; a reason when that cannot be told.
pub(super) fn taken(asked: &Asked<'_>, order: Order, response_url: Option<String>) -> Result<Taken, String> {
    let response_url = response_url.ok_or("response_url is missing")?;
    if !crate::ocpi::url::is_web_url(&response_url) {
        return Err("response_url is no absolute URL of at most 255 characters (T-46)".to_owned());
    }
    let party = |which: &str| {
        let (country_code, party_id) = asked.pair(which).ok_or("the routing headers are missing")?;
        PartyId::new(country_code, party_id).map_err(|error| error.to_string())
    };
    Ok(Taken {
        order,
        response_url,
        to: party("to")?,
        from: party("from")?,
    })
}

async fn post(inner: &Inner, taken: &Taken, later: &Later, profile: &str) -> Result<Reply, SandboxError> {
    let bare = match &later.says {
        Says::Exactly(octets) => octets.clone(),
        Says::Word(word) if taken.order == Order::GetProfile && word == "ACCEPTED" && !profile.is_empty() => {
            format!(r#"{{"result":{},"profile":{profile}}}"#, json_text(word))
        }
        Says::Word(word) => format!(r#"{{"result":{}}}"#, json_text(word)),
    };
    let body = if later.enveloped {
        envelope::write(Some(&bare), StatusCode::SUCCESS, None, inner.clock.now())
    } else {
        bare
    };
    let headers = if later.without_headers {
        Vec::new()
    } else {
        routing(&taken.to, Some(&taken.from))
    };
    let heard = match inner.hub() {
        Ok(hub) => {
            let octets = Some(body.as_bytes());
            inner
                .call(Method::POST, &taken.response_url, &hub.token, &headers, octets)
                .await
        }
        Err(error) => Err(error),
    };
    inner.book().sent.push(Sent {
        order: taken.order,
        response_url: taken.response_url.clone(),
        body,
        heard: match &heard {
            Ok(reply) => Ok(reply.clone()),
            Err(error) => Err(error.to_string()),
        },
    });
    inner.announce();
    heard
}

/// An active profile as of now: what was set, or the most the EVSE can do (CP-09).
pub(super) fn active_profile(inner: &Inner, set: Option<&String>) -> String {
    const MOST: &str = r#"{"charging_rate_unit":"W","charging_profile_period":[{"start_period":0,"limit":11000.0}]}"#;
    format!(
        r#"{{"start_date_time":{},"charging_profile":{}}}"#,
        json_text(&time::write(inner.clock.now())),
        set.map_or(MOST, String::as_str)
    )
}
