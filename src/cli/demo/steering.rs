//! One session, one boss: the token's owner steers and nobody else, then a provider in the owner's name; and everybody is told.

use serde_json::json;

use super::cast::{Cast, LOCATION, TOKEN, failed};
use super::charging::{active_profile, pushed};
use super::looks::{Between, SOON, headers, heard, octets, parsed, yes_or_no};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::client::Method;
use crate::ocpi::ids::PartyId;
use crate::ocpi::time;
use crate::sandbox::{Door, Draft, SandboxParty, To};

/// Topologies 1 and 2; the third is told with the charging profile itself.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    one_boss(cast, stage).await?;
    in_anothers_name(cast, stage).await
}

async fn one_boss(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "One session, one boss",
        "The eMSP steers its own driver's session. The SCSP may steer at this CPO, too: not while the eMSP does. Nobody may ask all the time.",
    );
    let (cpo, emsp, scsp) = (&cast.cpo, &cast.emsp, &cast.scsp);
    let to_cpo = To::Party(cpo.party.clone());
    let both = Between {
        who: "eMSP",
        requester: &emsp.platform,
        receiver: &cpo.platform,
    };
    let session = "SESSION-2";
    let body = begin(cast, stage, session).await?;
    let copy = scsp
        .platform
        .wait_for("sessions", SOON, |got| got.iter().any(|one| names(&one.path, session)))
        .await;
    stage.see("the SCSP is shown it, too", "yes", yes_or_no(copy));
    let shown = pushed(&scsp.platform, "sessions");
    let shown = shown.iter().find(|got| names(&got.path, session));
    let says = shown.map(|got| got.text()).unwrap_or_default();
    stage.see(
        "with the driver's card",
        "no",
        yes_or_no(says.contains(TOKEN) || !body.contains(TOKEN)),
    );

    let profile = Draft::charging_profile().odd();
    let set = emsp
        .voice()
        .set_profile(session, &profile, &to_cpo)
        .await
        .map_err(failed)?;
    both.answer(stage, "the eMSP sets a profile", &set, "ACCEPTED");
    both.result(stage, "the eMSP sets a profile", &set, "ACCEPTED").await;
    let before = cpo.platform.got_for("chargingprofiles").len();
    let second = scsp
        .voice()
        .set_profile(session, &profile, &to_cpo)
        .await
        .map_err(failed)?;
    both.answer(stage, "the SCSP tries to", &second, "REJECTED");
    let said = second.reply.message.as_deref().unwrap_or_default();
    stage.see("the hub says why, not who", "the session has a controller", said);
    for _ in 0..2 {
        emsp.voice()
            .set_profile(session, &profile, &to_cpo)
            .await
            .map_err(failed)?;
    }
    let often = emsp
        .voice()
        .set_profile(session, &profile, &to_cpo)
        .await
        .map_err(failed)?;
    both.answer(stage, "the eMSP, a fourth time", &often, "TOO_OFTEN");
    let wait = often.reply.header("retry-after");
    stage.see("Retry-After", "given", if wait.is_some() { "given" } else { "missing" });
    let reached = cpo.platform.got_for("chargingprofiles").len() - before;
    stage.see("of these four the CPO got", "2", reached.to_string());
    updated(cast, stage, session, ("eMSP", &emsp.platform, &emsp.party), &cpo.party).await
}

async fn in_anothers_name(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "In the eMSP's name",
        "The eMSP lets the SCSP act for it, and the hub relays. The CPO deals with the eMSP alone, and the eMSP need not lift a finger.",
    );
    let (cpo, emsp, scsp) = (&cast.cpo, &cast.emsp, &cast.scsp);
    cast.operator.delete("/operator/v1/contracts/demo").await?;
    let contract = json!({
        "kind": "T2", "grantor": emsp.party.to_string(), "scsp": scsp.party.to_string(), "relay": "hub", "from": time::write(cast.now()),
    });
    cast.operator
        .put("/operator/v1/contracts/acts-for", Some(contract))
        .await?;
    cpo.platform.forget();
    scsp.platform.forget();
    let session = "SESSION-3";
    begin(cast, stage, session).await?;
    let shown = scsp
        .platform
        .wait_for("sessions", SOON, |got| got.iter().any(|one| names(&one.path, session)))
        .await;
    stage.see("the SCSP is shown it, too", "yes", yes_or_no(shown));
    let by_name = (emsp.party.to_string(), scsp.party.to_string());
    let copy = scsp.platform.got_for("sessions");
    headers(stage, "headers of that", (&by_name.0, &by_name.1), copy.last());

    let both = Between {
        who: "SCSP",
        requester: &scsp.platform,
        receiver: &cpo.platform,
    };
    let to_emsp = To::Party(emsp.party.clone());
    let profile = Draft::charging_profile().odd();
    let set = scsp
        .voice()
        .set_profile(session, &profile, &to_emsp)
        .await
        .map_err(failed)?;
    both.answer(stage, "the SCSP asks the eMSP", &set, "ACCEPTED");
    both.order(cast, stage, &set);
    let orders = cpo.platform.got_at(Door::Receiver("chargingprofiles"));
    let at_cpo = (emsp.party.to_string(), cpo.party.to_string());
    headers(stage, "headers at the CPO", (&at_cpo.0, &at_cpo.1), orders.last());
    both.result(stage, "the SCSP asks the eMSP", &set, "ACCEPTED").await;
    updated(cast, stage, session, ("SCSP", &scsp.platform, &scsp.party), &emsp.party).await?;
    let host = scsp.platform.host();
    let traces = cpo.platform.got_for("chargingprofiles").into_iter().filter(|got| {
        let all = format!("{} {} {:?} {}", got.path, got.query, got.headers, got.text());
        [scsp.party.party_id(), &host, &host.replace(':', "%3A")]
            .iter()
            .any(|name| all.contains(name))
    });
    stage.see("traces of the SCSP at the CPO", "0", traces.count().to_string());
    Ok(())
}

/// A session of the eMSP's driver begins: what the CPO wrote.
async fn begin(cast: &Cast, stage: &mut Stage, session: &str) -> Result<String, NotDone> {
    let (cpo, emsp) = (&cast.cpo, &cast.emsp);
    let body = Draft::session(&cpo.party, session, TOKEN, Some(&emsp.party), cast.now());
    let body = body.text("location_id", LOCATION).odd();
    let to = To::Party(emsp.party.clone());
    let reply = cpo
        .voice()
        .push(Method::PUT, "sessions", &cpo.party, &[session], &body, &to)
        .await;
    heard(stage, "session to the eMSP", &reply.map_err(failed)?, "201, 1000");
    let mut came = pushed(&emsp.platform, "sessions");
    came.retain(|got| names(&got.path, session));
    octets(stage, "the eMSP got", &body, &came);
    Ok(body)
}

/// The CPO says to the eMSP what is active now, and it comes to whoever steers, in the name of `from`.
async fn updated(
    cast: &Cast,
    stage: &mut Stage,
    session: &str,
    (who, platform, party): (&str, &SandboxParty, &PartyId),
    from: &PartyId,
) -> Result<(), NotDone> {
    let active = active_profile(cast);
    let to_emsp = To::Party(cast.emsp.party.clone());
    let told = cast
        .cpo
        .voice()
        .report_profile(session, &active, &to_emsp)
        .await
        .map_err(failed)?;
    heard(stage, "the CPO says what is active", &told, "200, 1000");
    let mut came = platform.got_at(Door::Sender("chargingprofiles"));
    came.retain(|got| got.method == "PUT" && names(&got.path, session));
    octets(stage, &format!("the {who} got"), &active, &came);
    let named = (from.to_string(), party.to_string());
    headers(stage, "headers of that", (&named.0, &named.1), came.last());
    let path = format!("/partner/v1/sessions/{}/{session}/profile", cast.cpo.party);
    let known = platform
        .call(Method::GET, &format!("{}{path}", cast.hub.url), &[], None)
        .await;
    let known = known.map_err(failed)?;
    let age = parsed(&String::from_utf8_lossy(&known.body))["age_s"].is_u64();
    stage.see(
        "and can read it with its age",
        "200, yes",
        format!("{}, {}", known.http, yes_or_no(age)),
    );
    Ok(())
}

fn names(path: &str, session: &str) -> bool {
    path.ends_with(&format!("/{session}"))
}
