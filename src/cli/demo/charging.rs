//! Electricity: a session started by a command, a charging profile set, read and removed. Every result comes later.

use serde_json::json;

use super::cast::{Cast, LOCATION, TOKEN, failed};
use super::looks::{Between, headers, heard, octets};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::client::Method;
use crate::ocpi::time;
use crate::sandbox::{Door, Draft, Got, Order, SandboxParty, To};

const SESSION: &str = "SESSION-1";

/// A command, a session, a profile.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    a_session_started_from_afar(cast, stage).await?;
    a_charging_profile(cast, stage).await
}

async fn a_session_started_from_afar(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A session started from afar",
        "The eMSP sends START_SESSION. The CPO accepts at once; whether the car charges, it says later, at a URL of the hub's.",
    );
    let (cpo, emsp) = (&cast.cpo, &cast.emsp);
    let both = Between {
        who: "eMSP",
        requester: &emsp.platform,
        receiver: &cpo.platform,
    };
    let token = Draft::token(&emsp.party, TOKEN, "RFID", cast.now());
    let start = Draft::start_session(&token, LOCATION, Some("EVSE-1")).odd();
    let to_cpo = To::Party(cpo.party.clone());
    let started = emsp
        .voice()
        .command(Order::StartSession, &start, &to_cpo)
        .await
        .map_err(failed)?;
    both.answer(stage, "START_SESSION", &started, "ACCEPTED");
    both.order(cast, stage, &started);

    let session = Draft::session(&cpo.party, SESSION, TOKEN, Some(&emsp.party), cast.now()).odd();
    for (who, platform, party) in [
        ("eMSP", &emsp.platform, &emsp.party),
        ("SCSP", &cast.scsp.platform, &cast.scsp.party),
    ] {
        let push = cpo.voice();
        let to = To::Party(party.clone());
        let push = push.push(Method::PUT, "sessions", &cpo.party, &[SESSION], &session, &to);
        let reply = push.await.map_err(failed)?;
        heard(stage, &format!("session to the {who}"), &reply, "201, 1000");
        octets(
            stage,
            &format!("the {who} got"),
            &session,
            &pushed(platform, "sessions"),
        );
    }
    both.result(stage, "START_SESSION", &started, "ACCEPTED").await;
    Ok(())
}

async fn a_charging_profile(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A charging profile, set, read and removed",
        "The CPO lets the SCSP steer its sessions: a contract at the hub. Each time it answers at once and says later what came of it.",
    );
    let (cpo, scsp) = (&cast.cpo, &cast.scsp);
    let both = Between {
        who: "SCSP",
        requester: &scsp.platform,
        receiver: &cpo.platform,
    };
    let to_cpo = To::Party(cpo.party.clone());
    let profile = Draft::charging_profile().odd();
    let stranger = scsp.voice().set_profile(SESSION, &profile, &to_cpo).await;
    both.answer(
        stage,
        "to set it without a contract",
        &stranger.map_err(failed)?,
        "REJECTED",
    );
    let contract = json!({
        "kind": "T3", "grantor": cpo.party.to_string(), "scsp": scsp.party.to_string(), "from": time::write(cast.now()),
    });
    cast.operator.put("/operator/v1/contracts/demo", Some(contract)).await?;
    let set = scsp
        .voice()
        .set_profile(SESSION, &profile, &to_cpo)
        .await
        .map_err(failed)?;
    both.answer(stage, "to set it", &set, "ACCEPTED");
    both.order(cast, stage, &set);
    both.result(stage, "to set it", &set, "ACCEPTED").await;

    let read = scsp.voice().get_profile(SESSION, 900, &to_cpo).await.map_err(failed)?;
    both.answer(stage, "to read it", &read, "ACCEPTED");
    both.order(cast, stage, &read);
    let active = both.result(stage, "to read it", &read, "ACCEPTED").await;
    let is_the_one = active.contains(profile.trim());
    stage.see(
        "the profile in it",
        "the one set",
        if is_the_one { "the one set" } else { "another" },
    );

    let cleared = scsp.voice().clear_profile(SESSION, &to_cpo).await.map_err(failed)?;
    both.answer(stage, "to remove it", &cleared, "ACCEPTED");
    both.order(cast, stage, &cleared);
    both.result(stage, "to remove it", &cleared, "ACCEPTED").await;
    let seen = urls_of(&scsp.platform, &cpo.platform);
    stage.see(
        "URLs of the SCSP at the CPO",
        "none",
        if seen == 0 { "none".to_owned() } else { seen.to_string() },
    );

    let active = active_profile(cast);
    let to_scsp = To::Party(scsp.party.clone());
    let told = cpo
        .voice()
        .report_profile(SESSION, &active, &to_scsp)
        .await
        .map_err(failed)?;
    heard(stage, "the CPO says what is active", &told, "200, 1000");
    let came = scsp.platform.got_at(Door::Sender("chargingprofiles"));
    octets(stage, "the SCSP got", &active, &came);
    let addressed = (cpo.party.to_string(), scsp.party.to_string());
    headers(stage, "headers of that", (&addressed.0, &addressed.1), came.last());
    Ok(())
}

/// What is active without a profile: the most the EVSE can do.
pub(super) fn active_profile(cast: &Cast) -> String {
    format!(
        r#"{{ "start_date_time":"{}" ,"charging_profile":{{"charging_rate_unit":"W","charging_profile_period":[{{"start_period":0,"limit":1.10E4}}]}}}}"#,
        time::write(cast.now())
    )
}

pub(super) fn pushed(platform: &SandboxParty, module: &str) -> Vec<Got> {
    let got = platform.got_for(module);
    got.into_iter().filter(|got| got.method == "PUT").collect()
}

/// How many requests about profiles showed the receiver where the requester is reached.
fn urls_of(requester: &SandboxParty, receiver: &SandboxParty) -> usize {
    let host = requester.host();
    let encoded = host.replace('.', "%2E").replace(':', "%3A");
    let half_encoded = host.replace(':', "%3A");
    let got = receiver.got_for("chargingprofiles");
    let shows = |got: &&Got| {
        let all = format!("{}?{} {}", got.path, got.query, got.text());
        [&host, &encoded, &half_encoded]
            .iter()
            .any(|written| all.contains(*written))
    };
    got.iter().filter(shows).count()
}
