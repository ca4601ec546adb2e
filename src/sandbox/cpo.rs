//! A charge point operator: one party, one calibrated meter, CDRs to send.

use super::cdr::CdrDraft;
use super::meter::{Charge, SandboxMeter};
use super::party::{Plan, Reply, SandboxError, SandboxParty, routing};
pub use super::voice::To;
use super::voice::Voice;
use crate::client::Method;
use crate::clock::SharedClock;
use crate::metering::key::Curve;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::InterfaceRole;

/// An operator and the meter at its EVSE.
pub struct SandboxCpo {
    /// Its platform: server, token, what it got.
    pub platform: SandboxParty,
    /// Who it is.
    pub party: PartyId,
    /// The meter at its EVSE.
    pub meter: SandboxMeter,
}

impl SandboxCpo {
    /// Opens the operator's platform; its meter has a fresh key on secp256r1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(name: &str, party: PartyId, clock: SharedClock) -> Result<SandboxCpo, SandboxError> {
        let evse_id = format!("{}*{}*E0001", party.country_code(), party.party_id());
        let serial = format!("TW-{}-1", party.party_id());
        let meter = SandboxMeter::generate(&serial, &evse_id, Curve::Secp256r1)?;
        SandboxCpo::with(Plan::cpo(name, party.clone()), party, meter, clock).await
    }

    /// Opens a platform of any plan with this party and this meter.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn with(
        plan: Plan,
        party: PartyId,
        meter: SandboxMeter,
        clock: SharedClock,
    ) -> Result<SandboxCpo, SandboxError> {
        Ok(SandboxCpo {
            platform: SandboxParty::start(plan, clock).await?,
            party,
            meter,
        })
    }

    /// The CDR of a charge at this operator's EVSE, signed by its meter with a begin and an end record.
    #[must_use]
    pub fn cdr(&self, id: &str, payer: &PartyId, charge: &Charge) -> CdrDraft {
        let mut draft = CdrDraft::of(self.party.clone(), payer.clone(), id, self.meter.evse_id(), charge);
        draft.meter_id = Some(self.meter.serial().to_owned());
        draft.signed(self.meter.pair(charge))
    }

    /// Posts a CDR, addressed to its payer.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn post_cdr(&self, draft: &CdrDraft) -> Result<Reply, SandboxError> {
        let to = draft.payer.clone().map_or(To::Open, To::Party);
        self.post_body(draft.json().as_bytes(), &to).await
    }

    /// Posts octets to the hub's RECEIVER interface for CDRs.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn post_body(&self, body: &[u8], to: &To) -> Result<Reply, SandboxError> {
        let errand = self.voice().errand(Method::POST, "cdrs", InterfaceRole::Receiver);
        errand.octets(body).to(to).send().await
    }

    /// Puts a CDR on this party's own SENDER interface.
    ///
    /// # Errors
    /// When it lacks what makes it one of the list.
    pub fn offer(&self, draft: &CdrDraft) -> Result<(), SandboxError> {
        self.platform.offer("cdrs", &draft.json())
    }

    /// This operator, to speak for itself in every module.
    #[must_use]
    pub fn voice(&self) -> Voice {
        self.platform.voice_of(&self.party)
    }

    /// Reads a CDR back from the `Location` the hub gave (CDR-03).
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn read_back(&self, location: &str) -> Result<Reply, SandboxError> {
        self.platform
            .call(Method::GET, location, &routing(&self.party, None), None)
            .await
    }
}
