//! A hub on a database of its own, and neighbours that registered at it.

use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use truewatt::client::{Answer, Method};
use truewatt::clock::{SharedClock, SystemClock};
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Got, Plan, Reply, SandboxParty, To, Voice};

use super::place::On;
use super::site::{Site, owned};

/// Far longer than anything here takes; only a test that fails waits for it.
pub const SOON: Duration = Duration::from_secs(20);

/// A hub and how neighbours come to it.
pub struct World {
    site: Site,
}

/// A platform, the first of its parties, and how others address it.
pub struct Neighbour {
    pub platform: SandboxParty,
    pub voice: Voice,
    pub to: To,
    pub id: PartyId,
    /// The hub's id of the platform.
    pub at_hub: String,
}

pub fn party(text: &str) -> PartyId {
    PartyId::from_slash(text).unwrap()
}

pub fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// A platform with one party and everything its role asks for, at endpoint URLs of every shape.
pub fn complete(id: &str, role: Role) -> Plan {
    Plan::complete(id, vec![(party(id), role)])
}

impl World {
    pub async fn start() -> World {
        World::start_with("").await
    }

    /// With more of a configuration file.
    pub async fn start_with(more: &str) -> World {
        World::on(On::Sqlite, more, SystemClock::shared()).await.unwrap()
    }

    /// On either database, with any clock; `None` where the database is not there. Charging profiles are only carried, unless `more` says
    /// otherwise: who may steer has stories of its own (`tests/profiles`).
    pub async fn on(on: On, more: &str, clock: SharedClock) -> Option<World> {
        let more = match more.contains("[smart_charging]") {
            true => more.to_owned(),
            false => format!("{more}\n[smart_charging]\ncontrol = \"relay\"\n"),
        };
        let site = Site::open(on.place().await?, &more, clock).await;
        Some(World { site })
    }

    /// The hub's process ends and another one begins at the same address.
    pub async fn restarted(self) -> World {
        World {
            site: self.site.restarted().await,
        }
    }

    /// The same, and the configuration file says this besides.
    pub async fn restarted_with(self, more: &str) -> World {
        World {
            site: self.site.restarted_with(more).await,
        }
    }

    /// An operator and a provider.
    pub async fn pair(&self) -> (Neighbour, Neighbour) {
        let cpo = self.join(complete("NL/CPA", Role::Cpo)).await;
        (cpo, self.join(complete("DE/MSA", Role::Emsp)).await)
    }

    /// A platform that has registered.
    pub async fn join(&self, plan: Plan) -> Neighbour {
        self.join_with(plan, &[], json!({})).await
    }

    /// The same; the operator expects more parties of it than it registers.
    pub async fn join_with(&self, plan: Plan, more: &[(&str, Role)], options: Value) -> Neighbour {
        self.join_offering(plan, more, options, &[]).await
    }

    /// The same, with objects on its own lists before the hub knows it: a module and an object each.
    pub async fn join_offering(
        &self,
        plan: Plan,
        more: &[(&str, Role)],
        options: Value,
        offered: &[(&str, String)],
    ) -> Neighbour {
        let expected = plan.parties.iter().cloned();
        let expected = expected.chain(more.iter().map(|(id, role)| (party(id), *role)));
        let created = self.expect(&plan.name, expected, options).await;
        let platform = SandboxParty::start(plan, self.clock.clone()).await.unwrap();
        for (module, object) in offered {
            platform.offer(module, object).unwrap();
        }
        let [versions_url, token_a] = ["versions_url", "token_a"].map(|name| created[name].as_str().unwrap());
        platform.register_at(versions_url, token_a).await.unwrap();
        let id = platform.plan().parties[0].0.clone();
        Neighbour {
            voice: platform.voice_of(&id),
            to: To::Party(id.clone()),
            id,
            at_hub: created["id"].as_str().unwrap().to_owned(),
            platform,
        }
    }

    /// A platform the operator knows of and that has not registered: PLANNED.
    pub async fn expect(&self, name: &str, parties: impl Iterator<Item = (PartyId, Role)>, options: Value) -> Value {
        let parties: Vec<Value> = parties
            .map(|(party, role)| {
                json!({"country_code": party.country_code(), "party_id": party.party_id(), "roles": [role.as_str()], "name": name})
            })
            .collect();
        let platform = json!({"name": name, "parties": parties, "options": options});
        self.operator(Method::POST, "/platforms", Some(platform)).await
    }

    /// A call of the operator API that must succeed.
    pub async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, json) = self.operate(method, &format!("/operator/v1{path}"), body).await;
        assert!((200..300).contains(&status), "{path}: {status} {json}");
        json
    }

    /// Any call of the hub.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let body = (!body.is_empty()).then_some(body);
        self.send(method, path, owned(headers), body).await
    }

    /// Waits until the hub holds a platform for this.
    pub async fn until_status(&self, neighbour: &Neighbour, status: &str) {
        for _ in 0..400 {
            let seen = self
                .operator(Method::GET, &format!("/platforms/{}", neighbour.at_hub), None)
                .await;
            if seen["status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} never became {status}", neighbour.id);
    }
}

impl Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Neighbour {
    /// What came to a module here from other parties, in order; the hub's own pulls are not theirs.
    pub fn got(&self, module: &str) -> Vec<Got> {
        let mut got = self.platform.got_for(module);
        got.retain(|got| got.pair("from").as_deref() != Some("DE/TWH"));
        got
    }

    /// The last that came to a module here.
    pub fn last(&self, module: &str) -> Got {
        self.got(module).pop().unwrap()
    }
}

/// HTTP status and OCPI code.
pub fn codes(reply: &Reply) -> (u16, u16) {
    (reply.http, reply.code.unwrap_or_default())
}

/// The parties an answer names, `to` and `from`.
pub fn named(reply: &Reply) -> [String; 2] {
    ["to", "from"].map(|which| {
        let part = |name: &str| reply.header(&format!("ocpi-{which}-{name}")).unwrap_or("-").to_owned();
        format!("{}/{}", part("country-code"), part("party-id"))
    })
}
