//! Five platforms arrive, in both directions of the handshake.

use serde_json::{Value, json};

use super::cast::{Cast, failed, text};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::ocpi::ids::PartyId;
use crate::sandbox::SandboxParty;

/// Everybody registers. Returns the id the hub gave the eMSP's platform.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage) -> Result<String, NotDone> {
    stage.step(
        "Five platforms register, in both directions",
        "The operator plans them. CPOs and NSP call the hub with its TOKEN_A; the hub calls eMSP and SCSP with theirs.",
    );
    let status = calls_the_hub(cast, &cast.cpo.platform, &cast.cpo.party, "CPO").await?;
    stage.see("the CPO's platform", "PLANNED", status);
    for (neighbour, role) in [(&cast.other_cpo, "CPO"), (&cast.nsp, "NSP")] {
        calls_the_hub(cast, &neighbour.platform, &neighbour.party, role).await?;
    }
    let emsp_platform = is_called(cast, &cast.emsp.platform, &cast.emsp.party, "EMSP").await?;
    is_called(cast, &cast.scsp.platform, &cast.scsp.party, "SCSP").await?;

    for (who, platform) in [("CPO", &cast.cpo.platform), ("eMSP", &cast.emsp.platform)] {
        let agreed = platform.hub_version().map_or("none", |version| version.as_str());
        stage.see(&format!("version with the {who}"), "2.2.1", agreed);
    }
    let parties = cast.operator.all("/operator/v1/parties").await?;
    for (party, role) in [
        (&cast.cpo.party, "CPO"),
        (&cast.other_cpo.party, "CPO"),
        (&cast.emsp.party, "EMSP"),
        (&cast.nsp.party, "NSP"),
        (&cast.scsp.party, "SCSP"),
    ] {
        let is_it = |item: &&Value| text(item, "party_id") == party.party_id() && text(item, "role") == role;
        let found = parties.iter().find(is_it);
        let status = found.map(|item| text(item, "status")).unwrap_or_default();
        stage.see(&format!("{party}, {role}"), "CONNECTED", status);
    }
    Ok(emsp_platform)
}

/// The platform begins. Returns its status before.
async fn calls_the_hub(cast: &Cast, platform: &SandboxParty, party: &PartyId, role: &str) -> Result<String, NotDone> {
    let planned = plan(cast, platform, party, role).await?;
    let (versions_url, token_a) = (text(&planned, "versions_url"), text(&planned, "token_a"));
    platform.register_at(&versions_url, &token_a).await.map_err(failed)?;
    Ok(text(&planned, "status"))
}

/// The hub begins. Returns the platform's id.
async fn is_called(cast: &Cast, platform: &SandboxParty, party: &PartyId, role: &str) -> Result<String, NotDone> {
    let id = text(&plan(cast, platform, party, role).await?, "id");
    let invitation = json!({"versions_url": platform.versions_url(), "token_a": platform.invite()});
    let path = format!("/operator/v1/platforms/{id}/register");
    cast.operator.post(&path, Some(invitation)).await?;
    Ok(id)
}

async fn plan(cast: &Cast, platform: &SandboxParty, party: &PartyId, role: &str) -> Result<Value, NotDone> {
    let plan = Cast::plan_of(&platform.plan().name, party, role);
    cast.operator.post("/operator/v1/platforms", Some(plan)).await
}
