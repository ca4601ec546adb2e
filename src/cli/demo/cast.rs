//! Who is on stage: the hub, its operator, a charge point operator with two meters, a mobility provider.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::cli::NotDone;
use crate::cli::api::Api;
use crate::cli::serve::{Hub, Running};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::metering::key::Curve;
use crate::ocpi::ids::PartyId;
use crate::sandbox::party::Reply;
use crate::sandbox::{CdrDraft, Charge, SandboxCpo, SandboxEmsp, SandboxError, SandboxMeter};

/// Everybody on stage.
pub struct Cast {
    /// The hub.
    pub hub: Running,
    /// Its operator's hands.
    pub operator: Api,
    /// Pushes CDRs; its meter is registered in the second step.
    pub cpo: SandboxCpo,
    /// A second meter of the same operator, at another EVSE; nobody registers it.
    pub unregistered: SandboxMeter,
    /// Receives and pulls CDRs.
    pub emsp: SandboxEmsp,
    clock: SharedClock,
}

impl Cast {
    /// Starts the hub and opens the neighbours' servers. Nobody knows anybody yet.
    pub async fn assemble(directory: &Path) -> Result<Cast, NotDone> {
        let clock: SharedClock = SystemClock::shared();
        // Without file and environment: a demo must never run on somebody's database.
        let settings = format!(
            concat!(
                "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n",
                "[database]\nurl = {}\n",
                "[outbound]\nallow_http = true\nallow_private_networks = true\n",
                "[presence]\ncheck_interval_s = 1\n",
                "[duties]\nfirst_retry_s = 1\nmax_retry_s = 2\n"
            ),
            toml::Value::String(format!("sqlite://{}", directory.join("demo.db").display()))
        );
        let config = Config::from_parts(Some(&settings), &HashMap::new());
        let config = config.map_err(|error| NotDone::failed(super::super::with_causes(&error)))?;
        let hub = Hub::start(config, clock.clone())
            .await
            .map_err(|error| NotDone::failed(error.to_string()))?;
        let operator = Api::with_token(&hub.url, hub.operator_token.clone())?;
        let cpo = SandboxCpo::start("Sandbox Charge Point Operator", party("DE/CPO")?, clock.clone())
            .await
            .map_err(failed)?;
        let emsp = SandboxEmsp::start("Sandbox Mobility Provider", party("NL/MSP")?, clock.clone())
            .await
            .map_err(failed)?;
        let made = SandboxMeter::generate("TW-CPO-2", "DE*CPO*E0002", Curve::Secp256r1);
        let unregistered = made.map_err(|error| NotDone::failed(error.to_string()))?;
        Ok(Cast {
            hub,
            operator,
            cpo,
            unregistered,
            emsp,
            clock,
        })
    }

    /// Everybody goes home: the hub finishes what it does, the servers close.
    pub async fn leave(self) {
        drop((self.cpo, self.emsp));
        self.hub.stop().await;
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(0)
    }

    /// A charge of so many watt-hours that ended a minute ago.
    pub fn charge(&self, watt_hours: i64) -> Charge {
        let end = self.now() - TimeDelta::minutes(1);
        Charge {
            start: end - TimeDelta::minutes(42),
            end,
            energy_kwh: Decimal::new(watt_hours, 3),
            identification: "04A1B2C3D4".to_owned(),
        }
    }

    /// A CDR of that charge for the provider, signed by the operator's registered meter.
    pub fn cdr(&self, id: &str, watt_hours: i64) -> CdrDraft {
        self.cpo.cdr(id, &self.emsp.party, &self.charge(watt_hours))
    }

    /// A CDR of that charge at the EVSE of another meter, signed by that.
    pub fn cdr_by(&self, meter: &SandboxMeter, id: &str, watt_hours: i64) -> CdrDraft {
        let charge = self.charge(watt_hours);
        let mut draft = CdrDraft::of(
            self.cpo.party.clone(),
            self.emsp.party.clone(),
            id,
            meter.evse_id(),
            &charge,
        );
        draft.meter_id = Some(meter.serial().to_owned());
        draft.signed(meter.pair(&charge))
    }

    /// The operator of the charge points posts.
    pub async fn post(&self, draft: &CdrDraft) -> Result<Reply, NotDone> {
        self.cpo.post_cdr(draft).await.map_err(failed)
    }

    /// What the hub's operator sees of a CDR.
    pub async fn look(&self, id: &str) -> Result<Value, NotDone> {
        self.operator
            .get(&format!("/operator/v1/cdrs/{}/{id}", self.cpo.party))
            .await
    }

    /// A CDR's delivery word, once it is `wanted`, or the last one after ten seconds.
    pub async fn delivery(&self, id: &str, wanted: &str) -> Result<String, NotDone> {
        let started = Instant::now();
        loop {
            let seen = text(&self.look(id).await?, "delivery");
            if seen == wanted || started.elapsed() > Duration::from_secs(10) {
                return Ok(seen);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the provider's server got of this id so far: the octets and the header `Truewatt-Metering`.
    pub fn arrived(&self, id: &str) -> Vec<(String, String)> {
        let got = self.emsp.platform.got_cdrs();
        let wanted = got.iter().filter(|got| got.object_id().as_deref() == Some(id));
        wanted
            .map(|got| {
                (
                    got.text(),
                    got.header("truewatt-metering").unwrap_or("no header").to_owned(),
                )
            })
            .collect()
    }

    /// What the operator tells the hub about a platform to come.
    pub fn plan_of(name: &str, party: &PartyId, role: &str) -> Value {
        json!({"name": name, "options": {}, "parties": [{
            "country_code": party.country_code(), "party_id": party.party_id(), "roles": [role], "name": name,
        }]})
    }
}

/// A text member of a document; empty when there is none.
pub fn text(document: &Value, member: &str) -> String {
    document
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn party(text: &str) -> Result<PartyId, NotDone> {
    PartyId::from_slash(text).map_err(|error| NotDone::failed(error.to_string()))
}

/// A neighbour that could not act.
pub fn failed(error: SandboxError) -> NotDone {
    NotDone::failed(error.to_string())
}
