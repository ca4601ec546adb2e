//! Where to charge, and with what: a location and a token told to everybody, everybody's locations, a driver at the charger.

use std::time::Instant;

use super::cast::{Cast, HUB, LOCATION, TOKEN, failed, text};
use super::looks::{SOON, data, headers, heard, octets};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::client::Method;
use crate::ocpi::ids::PartyId;
use crate::sandbox::{Door, Draft, Got, Pulled, SandboxParty, To};

/// A broadcast, a GET all, an authorisation.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    let location = a_location_for_everybody(cast, stage).await?;
    everybodys_locations(cast, stage, &location).await?;
    a_driver_at_the_charger(cast, stage).await
}

async fn a_location_for_everybody(cast: &Cast, stage: &mut Stage) -> Result<String, NotDone> {
    stage.step(
        "A location for everybody",
        "The CPO puts it once, addressed to the hub. The hub answers, and tells every party of the other side.",
    );
    let (cpo, location) = (&cast.cpo, Draft::location(&cast.cpo.party, LOCATION, cast.now()).odd());
    let put = cpo.voice();
    let put = put.push(Method::PUT, "locations", &cpo.party, &[LOCATION], &location, &To::Hub);
    heard(stage, "the CPO hears", &put.await.map_err(failed)?, "201, 1000");
    for (who, platform, party) in [
        ("eMSP", &cast.emsp.platform, &cast.emsp.party),
        ("NSP", &cast.nsp.platform, &cast.nsp.party),
    ] {
        told(stage, who, "locations", (platform, party), &location).await;
    }
    let strays = cast.other_cpo.platform.got();
    let strays = strays.iter().filter(|got| got.body == location.as_bytes()).count();
    stage.see("times the other CPO got it", "0", strays.to_string());
    Ok(location)
}

async fn everybodys_locations(cast: &Cast, stage: &mut Stage, location: &str) -> Result<(), NotDone> {
    stage.step(
        "Everybody's locations",
        "The eMSP asks the hub, not the CPOs. The other CPO pushed nothing: the hub fetched its list when it registered.",
    );
    let offered: Vec<String> = cast.garages();
    let pulled = pulled(cast, 1 + offered.len()).await?;
    stage.see(
        "locations",
        (1 + offered.len()).to_string(),
        pulled.objects.len().to_string(),
    );
    stage.see("pages of two, along Links", "2", pulled.pages.len().to_string());
    let has = |object: &str| pulled.objects.iter().any(|one| one == object.trim());
    let as_pushed = if has(location) { "as pushed" } else { "not" };
    stage.see(&format!("{}'s, octet by octet", cast.cpo.party), "as pushed", as_pushed);
    let as_offered = if offered.iter().all(|one| has(one)) {
        "as offered"
    } else {
        "not"
    };
    stage.see(
        &format!("{}'s, octet by octet", cast.other_cpo.party),
        "as offered",
        as_offered,
    );
    Ok(())
}

/// The eMSP's GET all, again until so many locations are there: the hub fetches a list behind the registration, not in it.
async fn pulled(cast: &Cast, wanted: usize) -> Result<Pulled, NotDone> {
    let begun = Instant::now();
    loop {
        let pulled = cast
            .emsp
            .voice()
            .get_all("locations", "limit=2")
            .await
            .map_err(failed)?;
        if pulled.objects.len() >= wanted || begun.elapsed() > SOON {
            return Ok(pulled);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn a_driver_at_the_charger(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A driver at the charger",
        "The eMSP tells every CPO of a card. The CPO asks whether it may charge, and names no eMSP: the hub knows whose it is.",
    );
    let (cpo, emsp) = (&cast.cpo, &cast.emsp);
    let token = Draft::token(&emsp.party, TOKEN, "RFID", cast.now()).odd();
    let put = emsp.voice();
    let put = put.push(Method::PUT, "tokens", &emsp.party, &[TOKEN], &token, &To::Hub);
    heard(stage, "the eMSP hears", &put.await.map_err(failed)?, "201, 1000");
    // Not before: the hub fetches what is offered, and the push would be no news.
    emsp.platform.offer("tokens", &token).map_err(failed)?;
    for (who, platform, party) in [
        ("CPO", &cpo.platform, &cpo.party),
        ("other CPO", &cast.other_cpo.platform, &cast.other_cpo.party),
    ] {
        told(stage, who, "tokens", (platform, party), &token).await;
    }
    let here = format!(r#"{{"location_id":"{LOCATION}","evse_uids":["EVSE-1"]}}"#);
    let ask = |uid| {
        let (voice, here) = (cpo.voice(), here.clone());
        async move { voice.authorize(uid, Some("RFID"), Some(&here), &To::Open).await }
    };
    let known = ask(TOKEN).await.map_err(failed)?;
    heard(stage, "the CPO hears", &known, "200, 1000");
    stage.see("the card", "ALLOWED", text(&data(&known), "allowed"));
    let asked = emsp.platform.got_at(Door::Authorize).pop();
    let addressed = (cpo.party.to_string(), emsp.party.to_string());
    headers(
        stage,
        "the eMSP was asked",
        (&addressed.0, &addressed.1),
        asked.as_ref(),
    );
    let unknown = ask("NOBODYS-CARD").await.map_err(failed)?;
    heard(stage, "a card nobody knows", &unknown, "404, 2004");
    Ok(())
}

/// A copy of a broadcast: octet by octet, the owner in the URL, the hub in the headers (R-54, R-55).
async fn told(stage: &mut Stage, who: &str, module: &str, to: (&SandboxParty, &PartyId), sent: &str) {
    let (platform, party) = to;
    let puts = |got: &[Got]| -> Vec<Got> { got.iter().filter(|got| got.method == "PUT").cloned().collect() };
    platform.wait_for(module, SOON, |got| !puts(got).is_empty()).await;
    let came = puts(&platform.got_for(module));
    octets(stage, &format!("the {who} got"), sent, &came);
    headers(stage, "headers of that", (HUB, &party.to_string()), came.first());
}
