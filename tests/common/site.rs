//! A hub on a database of its own: begun, restarted at its address, joined by a second process; and a client to call it with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use truewatt::cli::serve::{Hub, Running};
use truewatt::client::{Answer, Http, HttpSettings, Method, Outcome, Outgoing};
use truewatt::clock::SharedClock;
use truewatt::config::Config;

use super::place::Place;

/// The operator token of every hub here.
pub const OPERATOR: &str = "operator-token";

/// A free port here.
const ANY: &str = "127.0.0.1:0";

/// A hub, and what it takes to begin another one where it was.
pub struct Site {
    pub hub: Running,
    pub clock: SharedClock,
    http: Http,
    /// What its configuration file says besides.
    more: String,
    place: Arc<Place>,
}

impl Site {
    /// A hub on a free port; `more` is more of a configuration file.
    pub async fn open(place: Place, more: &str, clock: SharedClock) -> Site {
        Site::begin(ANY, &format!("http://{ANY}"), Arc::new(place), more.to_owned(), clock).await
    }

    /// One that says it is at `public_url`.
    pub async fn open_as(place: Place, public_url: &str, more: &str, clock: SharedClock) -> Site {
        Site::begin(ANY, public_url, Arc::new(place), more.to_owned(), clock).await
    }

    /// One that calls nobody at addresses that are not public, but for those of this network.
    pub async fn open_guarded(place: Place, network: &str, clock: SharedClock) -> Site {
        let outbound = format!("allow_http = true\nallowed_networks = [\"{network}\"]\n[timeouts]\nconnect_s = 1\n");
        Site::begin_with(
            ANY,
            &format!("http://{ANY}"),
            Arc::new(place),
            &outbound,
            String::new(),
            clock,
        )
        .await
    }

    /// Where its database is.
    pub fn database(&self) -> &str {
        &self.place.url
    }

    /// A statement behind the hub's back.
    pub async fn execute(&self, sql: &str) {
        self.place.execute(sql).await;
    }

    /// The database itself.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The process ends; the database stays.
    pub async fn ended(self) -> Arc<Place> {
        self.hub.stop().await;
        self.place
    }

    /// A hub on a database that was there before.
    pub async fn again(place: Arc<Place>, more: &str, clock: SharedClock) -> Site {
        Site::begin(ANY, &format!("http://{ANY}"), place, more.to_owned(), clock).await
    }

    /// A second process on the same database.
    pub async fn beside(&self) -> Site {
        Site::begin(
            ANY,
            &format!("http://{ANY}"),
            self.place.clone(),
            self.more.clone(),
            self.clock.clone(),
        )
        .await
    }

    /// The process ends and another one begins at the same address.
    pub async fn restarted(self) -> Site {
        let more = self.more.clone();
        self.restarted_with(&more).await
    }

    /// The same, and its configuration file says something else besides.
    pub async fn restarted_with(self, more: &str) -> Site {
        let address = self.hub.url.trim_start_matches("http://").to_owned();
        self.hub.stop().await;
        Site::begin(
            &address,
            &format!("http://{address}"),
            self.place,
            more.to_owned(),
            self.clock,
        )
        .await
    }

    async fn begin(bind: &str, public_url: &str, place: Arc<Place>, more: String, clock: SharedClock) -> Site {
        let outbound = "allow_http = true\nallow_private_networks = true\n";
        Site::begin_with(bind, public_url, place, outbound, more, clock).await
    }

    async fn begin_with(
        bind: &str,
        public_url: &str,
        place: Arc<Place>,
        outbound: &str,
        more: String,
        clock: SharedClock,
    ) -> Site {
        let file = format!(
            "[server]\nbind = \"{bind}\"\npublic_url = \"{public_url}\"\n[database]\nurl = \"{}\"\n\
             [operator]\ntoken = \"{OPERATOR}\"\n[outbound]\n{outbound}{more}",
            place.url
        );
        let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
        let hub = Hub::start(config, clock.clone()).await.unwrap();
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(3),
            allow_http: true,
            allow_private_networks: true,
            max_body: 50_000_000,
            user_agent: "test".into(),
        });
        Site {
            hub,
            clock,
            http: http.unwrap(),
            more,
            place,
        }
    }

    /// A call with these headers and no others, of a path of the hub or of an absolute URL.
    pub async fn send(
        &self,
        method: Method,
        place: &str,
        headers: Vec<(String, String)>,
        body: Option<&[u8]>,
    ) -> Answer {
        let url = if place.starts_with('/') {
            format!("{}{place}", self.hub.url)
        } else {
            place.to_owned()
        };
        let outgoing = Outgoing {
            method,
            url,
            headers,
            body: body.map(|body| body.to_owned().into()),
            timeout: Duration::from_secs(60),
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => answer,
            other => panic!("{place}: {other}"),
        }
    }

    /// A call with the operator's token: the HTTP status, and the JSON or null.
    pub async fn operate(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut headers = owned(&[("Authorization", &format!("Bearer {OPERATOR}"))]);
        if body.is_some() {
            headers.extend(owned(&[("Content-Type", "application/json")]));
        }
        let body = body.map(|body| body.to_string());
        let answer = self
            .send(method, path, headers, body.as_deref().map(str::as_bytes))
            .await;
        let json = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        (answer.status, json)
    }
}

/// Headers as a client takes them.
pub fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
