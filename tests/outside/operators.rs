//! Every route of the operator API, from the table of what is served: nobody without a token, and no auditor's change.

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::web::{Document, routes};

use crate::common::listed::{Platform, bare};
use crate::common::site::{OPERATOR, Site, owned};
use crate::on_both;

pub const ADA: &str = "adas-token-adas-token";
pub const GRACE: &str = "graces-token-graces-token";

/// Ada may change things, Grace may look.
pub const PEOPLE: &str = "[[operator.tokens]]\nname = \"Ada\"\nrole = \"operator\"\ntoken = \"adas-token-adas-token\"\n\
     [[operator.tokens]]\nname = \"Grace\"\nrole = \"auditor\"\ntoken = \"graces-token-graces-token\"\n";

/// What one route is asked with.
struct Asked {
    method: Method,
    path: String,
}

/// Every route of the operator's, with things that are there in its path wherever the story has any.
fn every_route(platform: &Platform) -> Vec<Asked> {
    let routes = routes()
        .into_iter()
        .filter(|route| route.document == Document::Operator && route.path.starts_with("/operator"));
    let all: Vec<Asked> = routes
        .map(|route| {
            let path = route
                .path
                .replace("/platforms/{id}", &format!("/platforms/{}", platform.id));
            let mut path = path.replace("{country_code}", "DE").replace("{party_id}", "ABC");
            while let Some((before, (_, after))) = path
                .split_once('{')
                .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
            {
                path = format!("{before}01890a5d-ac96-774b-bcce-b302099a8057{after}");
            }
            Asked {
                method: route.method.as_str().parse().unwrap(),
                path,
            }
        })
        .collect();
    assert!(all.len() > 40, "only {} routes", all.len());
    all
}

/// Status and body of one call with this Authorization header, or none.
pub async fn call(
    site: &Site,
    method: &Method,
    path: &str,
    authorization: Option<&str>,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut headers = Vec::new();
    if let Some(authorization) = authorization {
        headers.extend(owned(&[("Authorization", authorization)]));
    }
    if body.is_some() {
        headers.extend(owned(&[("Content-Type", "application/json")]));
    }
    let text = body.map(Value::to_string);
    let answer = site
        .send(method.clone(), path, headers, text.as_deref().map(str::as_bytes))
        .await;
    if answer.status >= 400 && *method != Method::HEAD {
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{method} {path}"
        );
    }
    if answer.status == 401 {
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
    }
    (
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
    )
}

/// All tables but the audit trail, which is where a denied change shows.
async fn everything(site: &Site) -> std::collections::BTreeMap<String, String> {
    let mut tables = site.place().tables().await;
    tables.retain(|name, _| !name.starts_with("audit_"));
    tables
}

on_both! {
    // design.md 3.4: the door is closed for every route there is, whoever adds one
    async fn every_operator_route_is_for_operators_and_an_auditor_changes_nothing(on) {
        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let site = Site::open(on.place().await?, &format!("{PEOPLE}[limits]\nwrong_tokens = 0\n"), clock).await;
        let platform = site.list(bare(&["DE/ABC:CPO"])).await;
        let partner = platform.authorization();
        // What the hub notes by itself is noted before.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let before = everything(&site).await;
        let strangers = ["Bearer wrong-token-wrong-token", "Bearer ", "Bearer", "Token operator-token", "Basic b3BlcmF0b3I6eA==",
            &partner, &partner.replace("Token", "Bearer"), &format!("Bearer {OPERATOR}x"), &format!("Bearer {}", &OPERATOR[1..])];
        let mut denied = 0;
        for Asked { method, path } in every_route(&platform) {
            let body = (method != Method::GET).then(|| json!({}));
            assert_eq!(call(&site, &method, &path, None, body.as_ref()).await.0, 401, "no token: {method} {path}");
            for stranger in strangers {
                let (status, _) = call(&site, &method, &path, Some(stranger), body.as_ref()).await;
                assert_eq!(status, 401, "{stranger}: {method} {path}");
            }
            let (status, said) = call(&site, &method, &path, Some(&format!("Bearer {GRACE}")), body.as_ref()).await;
            if method == Method::GET {
                assert!(![401, 403, 500].contains(&status), "an auditor reads: {method} {path}: {status} {said}");
            } else {
                assert_eq!(status, 403, "an auditor changes nothing: {method} {path}: {said}");
                denied += 1;
            }
        }
        assert!(denied > 15);
        let after = everything(&site).await;
        for (table, rows) in &before {
            assert_eq!(after.get(table), Some(rows), "{table} was changed");
        }
        // Every denied change stands in the trail, and nothing else does.
        let (_, trail) = call(&site, &Method::GET, "/operator/v1/audit?limit=1000", Some(&format!("Bearer {GRACE}")), None).await;
        let items = trail["items"].as_array().unwrap();
        assert_eq!(items.len(), denied);
        assert!(items.iter().all(|item| item["event"] == "DENIED" && item["actor"] == "Grace" && item["role"] == "auditor" && item["status"] == 403));
        // The same calls are none of a stranger's: an operator's do change something.
        let path = format!("/operator/v1/platforms/{}", platform.id);
        assert_eq!(call(&site, &Method::DELETE, &path, Some(&format!("Bearer {ADA}")), None).await.0, 204);
        assert_ne!(everything(&site).await.get("platforms"), before.get("platforms"));
        Some(())
    }
}
