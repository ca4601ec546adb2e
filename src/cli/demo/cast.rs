//! Who is on stage: the hub, its operator, two charge point operators, one of them with two meters, a mobility provider, one who
//! navigates, one who steers.

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
use crate::ocpi::role::Role;
use crate::sandbox::{
    CdrDraft, Charge, Draft, Plan, Reply, SandboxCpo, SandboxEmsp, SandboxError, SandboxMeter, SandboxParty, Voice,
};

/// The hub's own party.
pub const HUB: &str = "DE/TWH";
/// The location that is told to everybody.
pub const LOCATION: &str = "LOC-1";
/// The driver's card.
pub const TOKEN: &str = "04A1B2C3D4";

/// A neighbour with one party.
pub struct Neighbour {
    /// Its platform: server, token, what it got.
    pub platform: SandboxParty,
    /// Who it is.
    pub party: PartyId,
}

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
    /// Another operator: pushes nothing, and must get nothing of the first one's.
    pub other_cpo: Neighbour,
    /// Knows drivers, starts sessions, receives and pulls CDRs.
    pub emsp: SandboxEmsp,
    /// Shows drivers where to charge.
    pub nsp: Neighbour,
    /// Steers how fast cars charge.
    pub scsp: Neighbour,
    opened: DateTime<Utc>,
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
                "[hub]\ncountry_code = \"DE\"\nparty_id = \"TWH\"\n",
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
        let named = |name: &str, party: &PartyId, role| Plan::complete(name, vec![(party.clone(), role)]);
        let party_of_cpo = party("DE/CPO")?;
        let plan = named("Sandbox Charge Point Operator", &party_of_cpo, Role::Cpo);
        let meter = SandboxMeter::generate("TW-CPO-1", "DE*CPO*E0001", Curve::Secp256r1);
        let meter = meter.map_err(|error| NotDone::failed(error.to_string()))?;
        let cpo = SandboxCpo::with(plan, party_of_cpo, meter, clock.clone()).await;
        let cpo = cpo.map_err(failed)?;
        let party_of_emsp = party("NL/MSP")?;
        let plan = named("Sandbox Mobility Provider", &party_of_emsp, Role::Emsp);
        let emsp = SandboxEmsp::with(plan, party_of_emsp, clock.clone()).await;
        let emsp = emsp.map_err(failed)?;
        let other_cpo = Neighbour::open("Sandbox Garages", "AT/GAR", Role::Cpo, &clock).await?;
        let nsp = Neighbour::open("Sandbox Maps", "FR/MAP", Role::Nsp, &clock).await?;
        let scsp = Neighbour::open("Sandbox Smart Charging", "BE/SMA", Role::Scsp, &clock).await?;
        let made = SandboxMeter::generate("TW-CPO-2", "DE*CPO*E0002", Curve::Secp256r1);
        let unregistered = made.map_err(|error| NotDone::failed(error.to_string()))?;
        let cast = Cast {
            hub,
            operator,
            cpo,
            unregistered,
            other_cpo,
            emsp,
            nsp,
            scsp,
            opened: clock.now().trunc_subsecs(0),
            clock,
        };
        for garage in cast.garages() {
            cast.other_cpo.platform.offer("locations", &garage).map_err(failed)?;
        }
        Ok(cast)
    }

    /// What the other operator offers on its own list.
    pub fn garages(&self) -> Vec<String> {
        let at = self.opened;
        let garage = |number| Draft::location(&self.other_cpo.party, &format!("GARAGE-{number}"), at);
        (1..=3).map(|number| garage(number).odd()).collect()
    }

    /// Everybody goes home: the hub finishes what it does, the servers close.
    pub async fn leave(self) {
        drop((self.cpo, self.other_cpo, self.emsp, self.nsp, self.scsp));
        self.hub.stop().await;
    }

    /// The hub as a party: whom broadcasts and questions to everybody are addressed to.
    pub fn hub_party(&self) -> Result<PartyId, NotDone> {
        party(HUB)
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
            identification: TOKEN.to_owned(),
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

impl Neighbour {
    /// Opens a platform with every module its role asks for.
    async fn open(name: &str, id: &str, role: Role, clock: &SharedClock) -> Result<Neighbour, NotDone> {
        let party = party(id)?;
        // Pages of two, so that whoever fetches a list has to follow it.
        let plan = Plan {
            page: 2,
            ..Plan::complete(name, vec![(party.clone(), role)])
        };
        let platform = SandboxParty::start(plan, clock.clone()).await.map_err(failed)?;
        Ok(Neighbour { platform, party })
    }

    /// This neighbour, to speak for itself.
    pub fn voice(&self) -> Voice {
        self.platform.voice_of(&self.party)
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
