//! A party goes away and comes back: who is told, and what becomes of a command meanwhile.

use serde_json::json;

use super::cast::{Cast, LOCATION, failed, text};
use super::looks::{Between, SOON, code, parsed};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::ocpi::ids::PartyId;
use crate::sandbox::{Got, Order, Ordered, SandboxParty, To};

/// The CPO closes its port, and opens it again.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "The CPO goes away and comes back",
        "Whoever may talk to it is told; a command to it is answered at once instead of waiting for nobody.",
    );
    let (cpo, emsp) = (&cast.cpo, &cast.emsp);
    let audience = [
        ("eMSP", &emsp.platform),
        ("NSP", &cast.nsp.platform),
        ("SCSP", &cast.scsp.platform),
    ];
    let before = audience.map(|(_, platform)| told_of(platform, &cpo.party).len());
    let not_concerned = told_of(&cast.other_cpo.platform, &cpo.party).len();

    cpo.platform.go_away().await.map_err(failed)?;
    stage.see("a command to it", "4003", code(&unlock(cast).await?.reply));
    for ((who, platform), before) in audience.iter().zip(before) {
        let heard = next_word(platform, &cpo.party, before).await;
        stage.see(&format!("the {who} is told"), "OFFLINE", heard);
    }
    stage.see("another command to it", "4003", code(&unlock(cast).await?.reply));

    cpo.platform.come_back().map_err(failed)?;
    // Whoever was away asks who is there; that it asks is a sign of life.
    let listed = cpo.voice().client_info("").await.map_err(failed)?;
    let of_emsp = listed.objects.iter().map(|object| parsed(object));
    let of_emsp = of_emsp.filter(|info| text(info, "party_id") == emsp.party.party_id());
    let status: Vec<String> = of_emsp.map(|info| text(&info, "status")).collect();
    stage.see("back, it reads of the eMSP", "CONNECTED", status.join(", "));
    for ((who, platform), before) in audience.iter().zip(before) {
        let heard = next_word(platform, &cpo.party, before + 1).await;
        stage.see(&format!("the {who} is told"), "CONNECTED", heard);
    }
    let lines = told_of(&cast.other_cpo.platform, &cpo.party).len() - not_concerned;
    stage.see("lines to the other CPO", "0", lines.to_string());

    let unlocked = unlock(cast).await?;
    let both = Between {
        who: "eMSP",
        requester: &emsp.platform,
        receiver: &cpo.platform,
    };
    both.answer(stage, "UNLOCK_CONNECTOR", &unlocked, "ACCEPTED");
    both.result(stage, "UNLOCK_CONNECTOR", &unlocked, "ACCEPTED").await;
    Ok(())
}

async fn unlock(cast: &Cast) -> Result<Ordered, NotDone> {
    let connector = json!({"location_id": LOCATION, "evse_uid": "EVSE-1", "connector_id": "1"}).to_string();
    let to = To::Party(cast.cpo.party.clone());
    let voice = cast.emsp.voice();
    let unlock = voice.command(Order::UnlockConnector, &connector, &to);
    unlock.await.map_err(failed)
}

/// What a platform was told about a party so far, oldest first.
fn told_of(platform: &SandboxParty, party: &PartyId) -> Vec<Got> {
    let tail = format!("/{}/{}", party.country_code(), party.party_id());
    let got = platform.got_for("hubclientinfo").into_iter();
    got.filter(|got| got.method == "PUT" && got.path.trim_end_matches('/').ends_with(&tail))
        .collect()
}

/// The status in the line after so many.
async fn next_word(platform: &SandboxParty, party: &PartyId, before: usize) -> String {
    platform
        .wait_for("hubclientinfo", SOON, |_| told_of(platform, party).len() > before)
        .await;
    let line = told_of(platform, party).into_iter().nth(before);
    line.map_or_else(|| "nothing".to_owned(), |got| text(&parsed(&got.text()), "status"))
}
