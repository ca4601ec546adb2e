//! Platforms the hub knows without a handshake (which has stories of its own): written into its database, with a token to call with.

use serde_json::{Value, json};
use truewatt::client::{Answer, Method};
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::page::next_of;
use truewatt::parties::tokens;
use truewatt::store::parties::{NewPlatform, PartyRow, PlatformChange, TokenRow};
use uuid::Uuid;

use super::site::{Site, owned};

/// What the hub is to know of a platform.
pub struct Listing<'a> {
    /// `DE/ABC:CPO`, one for each role.
    pub parties: &'a [&'a str],
    pub endpoints: Value,
    pub versions_url: String,
    pub version: &'a str,
    pub options: Value,
}

/// A platform as the hub knows it, with the token it calls the hub with.
#[derive(Clone)]
pub struct Platform {
    pub id: String,
    token: String,
}

/// What the hub answered.
#[derive(Clone, Debug)]
pub struct Heard {
    pub http: u16,
    pub code: u64,
    pub message: String,
    pub location: Option<String>,
    pub answer: Answer,
}

impl Site {
    /// A platform that is connected.
    pub async fn list(&self, listing: Listing<'_>) -> Platform {
        let (id, token) = (Uuid::now_v7().to_string(), format!("tw-{}", Uuid::new_v4()));
        let now = self.clock.now();
        let rows = |status: &str| -> Vec<PartyRow> {
            let rows = listing.parties.iter().map(|spec| {
                let (party, role) = spec.split_once(':').unwrap();
                let (country_code, party_id) = party.split_once('/').unwrap();
                PartyRow {
                    platform_id: id.clone(),
                    country_code: country_code.into(),
                    party_id: party_id.into(),
                    role: role.into(),
                    name: party.into(),
                    business_details: None,
                    status: status.into(),
                    updated_at: now,
                }
            });
            rows.collect()
        };
        let store = &self.hub.store;
        let new = NewPlatform {
            id: id.clone(),
            name: listing.parties.join(" "),
            options: listing.options.to_string(),
            parties: rows("PLANNED"),
            token: None,
            created_at: now,
        };
        store.platform_create(new).await.unwrap();
        let registered = PlatformChange {
            id: id.clone(),
            status: Some("CONNECTED".into()),
            version: Some(listing.version.into()),
            versions_url: Some(listing.versions_url),
            token_out: Some(Some("their-token".into())),
            token_form: Some("base64".into()),
            endpoints: Some(listing.endpoints.to_string()),
            parties: Some(rows("CONNECTED")),
            tokens: Some(vec![TokenRow {
                hash: tokens::hash_hex(&token),
                platform_id: id.clone(),
                kind: "current".into(),
                expires_at: None,
                created_at: now,
            }]),
            ..PlatformChange::default()
        };
        store.platform_change(registered).await.unwrap();
        self.hub.parties.reload().await.unwrap();
        Platform { id, token }
    }

    /// A call of nobody in particular, without a token.
    pub async fn anybody(&self, path: &str) -> Heard {
        Heard::of(self.send(Method::GET, path, Vec::new(), None).await)
    }

    /// A call of a platform, of a path of the hub or of an absolute URL. An empty body is none.
    pub async fn call(
        &self,
        by: &Platform,
        method: Method,
        place: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Heard {
        let mut all = owned(&[("Authorization", &by.authorization())]);
        if !body.is_empty() {
            all.extend(owned(&[("Content-Type", "application/json")]));
        }
        all.extend(owned(headers));
        let body = (!body.is_empty()).then_some(body.as_bytes());
        Heard::of(self.send(method, place, all, body).await)
    }
}

impl Platform {
    /// The value of its `Authorization` header.
    pub fn authorization(&self) -> String {
        authorization(&self.token, TokenForm::Base64)
    }
}

impl Heard {
    fn of(answer: Answer) -> Heard {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Heard {
            http: answer.status,
            code: json["status_code"].as_u64().unwrap_or(0),
            message: json["status_message"].as_str().unwrap_or_default().to_owned(),
            location: answer.header("location").map(str::to_owned),
            answer,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.answer.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.answer.body).unwrap()
    }

    /// The ids on a page.
    pub fn ids(&self) -> Vec<String> {
        let json = self.json();
        let objects = json["data"].as_array().unwrap_or_else(|| panic!("{json}"));
        let id = |object: &Value| object["id"].as_str().or(object["uid"].as_str()).unwrap().to_owned();
        objects.iter().map(id).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// The next page, from the `Link` header.
    pub fn next(&self) -> Option<String> {
        next_of(self.header("link")?)
    }
}

/// A listing of a platform of 2.2.1 with nothing at all.
pub fn bare<'a>(parties: &'a [&'a str]) -> Listing<'a> {
    Listing {
        parties,
        endpoints: json!([]),
        versions_url: "http://127.0.0.1:9/versions".to_owned(),
        version: "2.2.1",
        options: json!({}),
    }
}
