//! The operator API as the commands use it: JSON in, JSON out, problems as one sentence.

use std::time::Duration;

use serde_json::{Value, json};

use super::{NotDone, with_causes};
use crate::client::http::DEFAULT_MAX_BODY;
use crate::client::{Answer, Http, HttpSettings, Method, Outcome, Outgoing};
use crate::config::Secret;
use crate::ocpi::ids::PartyId;

/// Where a hub answers that was started without configuration.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Where the hub is and how to be let in; part of every command that speaks to one.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Where the hub answers.
    #[arg(long, env = "TRUEWATT_URL", default_value = DEFAULT_URL)]
    url: String,
    /// The operator token.
    #[arg(long, env = "TRUEWATT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// What every question to a hub can be told.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The hub.
    #[command(flatten)]
    pub access: Access,
    /// The answer as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Common {
    /// Prints all items of a list: as JSON, or a line for each under a heading.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn list(self, path: &str, heading: &[&str], row: impl Fn(&Value) -> Vec<String>) -> Result<(), NotDone> {
        let items = self.access.open()?.all(path).await?;
        if self.json {
            println!("{}", json!(items));
        } else {
            println!("{}", table(heading, &items.iter().map(row).collect::<Vec<_>>()));
        }
        Ok(())
    }
}

/// A running hub, seen from a shell.
pub struct Api {
    http: Http,
    url: String,
    token: Option<Secret>,
}

/// Longer than a handshake, which waits for a peer three times.
const PATIENCE: Duration = Duration::from_secs(120);

impl Access {
    /// The hub.
    ///
    /// # Errors
    /// When no token is given.
    pub fn open(self) -> Result<Api, NotDone> {
        let token = self.token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| NotDone::usage("no operator token: give --token or set TRUEWATT_TOKEN"))?;
        Api::with_token(&self.url, Secret::new(token))
    }
}

impl Api {
    /// The hub, for its operator.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn with_token(url: &str, token: Secret) -> Result<Api, NotDone> {
        Ok(Api {
            token: Some(token),
            ..Api::public(url)?
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The hub, for what anybody may ask.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn public(url: &str) -> Result<Api, NotDone> {
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(3),
            // The operator names the address: it may be this very machine.
            allow_http: true,
            allow_private_networks: true,
            max_body: DEFAULT_MAX_BODY,
            user_agent: concat!("truewatt/", env!("CARGO_PKG_VERSION")).to_owned(),
        });
        let http = http.map_err(|error| NotDone::failed(with_causes(&error)))?;
        Ok(Api {
            http,
            url: url.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// GET of a path, query included.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn get(&self, path: &str) -> Result<Value, NotDone> {
        self.ask(Method::GET, path, None).await
    }

    /// POST to a path.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn post(&self, path: &str, body: Option<Value>) -> Result<Value, NotDone> {
        self.ask(Method::POST, path, body).await
    }

    /// PUT to a path.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn put(&self, path: &str, body: Option<Value>) -> Result<Value, NotDone> {
        self.ask(Method::PUT, path, body).await
    }

    /// DELETE of a path.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn delete(&self, path: &str) -> Result<Value, NotDone> {
        self.ask(Method::DELETE, path, None).await
    }

    /// All items of a list, page by page. `path` may have a query.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>, NotDone> {
        let mut items = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{separator}limit=1000");
        loop {
            let page = self.get(&next).await?;
            items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => next = format!("{path}{separator}limit=1000&cursor={cursor}"),
                None => return Ok(items),
            }
        }
    }

    /// GET of a file: the answer as it came.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn file(&self, path: &str) -> Result<Answer, NotDone> {
        let answer = self.send(Method::GET, path, None, "*/*").await?;
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(refusal(&answer)),
        }
    }

    /// One request; an empty answer is null.
    ///
    /// # Errors
    /// With the sentence to print: what the problem document says, or why there is none.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, NotDone> {
        let answer = self.send(method, path, body, "application/json").await?;
        if !(200..300).contains(&answer.status) {
            return Err(refusal(&answer));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(json) => Ok(json),
            Err(_) if answer.body.is_empty() => Ok(Value::Null),
            Err(_) => Err(NotDone::failed(format!(
                "{} answered something that is not JSON",
                self.url
            ))),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>, accept: &str) -> Result<Answer, NotDone> {
        let mut headers = vec![("Accept".to_owned(), accept.to_owned())];
        if let Some(token) = &self.token {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", token.expose())));
        }
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let outgoing = Outgoing {
            method,
            url: format!("{}{path}", self.url),
            headers,
            body: body.map(|body| body.to_string().into()),
            timeout: PATIENCE,
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => Ok(answer),
            other => Err(NotDone::failed(format!("{}: {}", self.url, other))),
        }
    }
}

/// What a problem document says, as one sentence.
fn refusal(answer: &Answer) -> NotDone {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let said = |member: &str| json.as_ref().and_then(|json| json.get(member)).and_then(Value::as_str);
    let sentence = said("detail").or_else(|| said("status")).unwrap_or("no explanation");
    NotDone::failed(format!("HTTP {}: {sentence}", answer.status))
}

/// Prints what was done to what, where the hub has nothing to add.
pub fn done(as_json: bool, did: &str, what: &str) {
    if as_json {
        println!("{}", json!({did: what}));
    } else {
        println!("{did}: {what}");
    }
}

/// A path with those filters that are given. Values are keys of parties and words of the API: nothing in them needs an escape.
#[must_use]
pub fn with_query(path: &str, filters: &[(&str, Option<String>)]) -> String {
    let given = filters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// A party as people write it.
///
/// # Errors
/// How to write it.
pub fn party(text: &str) -> Result<PartyId, NotDone> {
    PartyId::from_slash(text).map_err(|_| NotDone::usage(format!("{text}: write a party as DE/ABC")))
}

/// A text member of an answer, for tables.
#[must_use]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or("-")
}

/// Rows under a heading, each column as wide as its widest cell.
#[must_use]
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(heading.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .enumerate()
            .map(|(at, cell)| format!("{cell:<wide$}", wide = width(at)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(heading.to_vec()))
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}
