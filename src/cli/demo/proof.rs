//! CDRs and the proof in them: a meter's key, every kind of record, every way one can be owed.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::cast::{Cast, failed, text};
use super::looks::{code, heard, yes_or_no};
use super::stage::Stage;
use crate::cli::NotDone;
use crate::client::Method;
use crate::metering::key::{Curve, PublicKey};
use crate::ocpi::time;
use crate::sandbox::{CdrDraft, Reply, SandboxMeter, To};

/// A meter is registered, its records are posted, and the eMSP, with the id of its platform, gets or fetches them.
pub(super) async fn tell(cast: &Cast, stage: &mut Stage, emsp_platform: &str) -> Result<(), NotDone> {
    a_meter_is_registered(cast, stage).await?;
    good(cast, stage).await?;
    unregistered_key(cast, stage).await?;
    one_digit_changed(cast, stage).await?;
    foreign_meter(cast, stage).await?;
    one_kilowatt_hour_too_many(cast, stage).await?;
    replayed(cast, stage).await?;
    unsigned(cast, stage).await?;
    posted_twice(cast, stage).await?;
    posted_while_the_provider_is_down(cast, stage).await?;
    held_and_released(cast, stage, emsp_platform).await?;
    pulled(cast, stage).await
}

async fn a_meter_is_registered(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A meter's public key is registered",
        "From now on the hub knows which key belongs to the meter at EVSE DE*CPO*E0001, and since when.",
    );
    let meter = &cast.cpo.meter;
    let registration = json!({
        "public_key": meter.public_key(), "meter_serial": meter.serial(), "evse_id": meter.evse_id(),
        "cpo": {"country_code": cast.cpo.party.country_code(), "party_id": cast.cpo.party.party_id()},
        "valid_from": time::write(cast.now() - chrono::TimeDelta::days(30)), "calibrated": true,
    });
    let registered = cast.operator.post("/operator/v1/keys", Some(registration)).await?;
    let own = PublicKey::read(&meter.public_key(), None).map(|key| key.fingerprint());
    stage.see("its curve", "secp256r1", text(&registered, "curve"));
    stage.see(
        "its fingerprint",
        short(&own.unwrap_or_default()),
        short(&text(&registered, "fingerprint")),
    );
    Ok(())
}

async fn good(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A good CDR",
        "Two readings signed by the registered meter, 12.345 kWh, and the bill says the same.",
    );
    let draft = cast.cdr("GOOD", 12_345);
    let reply = cast.post(&draft).await?;
    heard(stage, "the CPO hears", &reply, "201, 1000");
    verdict(cast, stage, "GOOD", "VERIFIED", true, None).await?;
    carried_untouched(cast, stage, &draft, "VERIFIED");
    let read = cast
        .cpo
        .read_back(reply.header("location").unwrap_or_default())
        .await
        .map_err(failed)?;
    let same = read.data.as_deref() == Some(draft.json().as_str());
    stage.see(
        "read at the hub's Location",
        "the octets it posted",
        if same { "the octets it posted" } else { "others" },
    );
    Ok(())
}

async fn unregistered_key(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "A good CDR, but nobody registered the key",
        "The signature fits the key that came along. Whose key that is, only the CDR itself says.",
    );
    let draft = cast.cdr_by(&cast.unregistered, "UNREGISTERED-KEY", 8_200);
    let reply = cast.post(&draft).await?;
    heard(stage, "the CPO hears", &reply, "201, 1000");
    verdict(cast, stage, "UNREGISTERED-KEY", "INTEGRITY_ONLY", false, None).await?;
    carried_with_marker(cast, stage, &draft, "INTEGRITY_ONLY");
    Ok(())
}

async fn one_digit_changed(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "One digit of the last reading changed",
        "Everything else is as the meter signed it.",
    );
    let mut draft = cast.cdr("ONE-DIGIT", 10_100);
    draft.signed = draft.signed.map(|signed| signed.with_one_digit_changed());
    let reply = cast.post(&draft).await?;
    told(stage, &reply, "INVALID", "SIGNATURE_MISMATCH");
    verdict(cast, stage, "ONE-DIGIT", "INVALID", false, Some("SIGNATURE_MISMATCH")).await?;
    carried_with_marker(cast, stage, &draft, "INVALID");
    Ok(())
}

async fn foreign_meter(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "Signed with a foreign meter's key",
        "A flawless signature and its key, but the meter registered at this EVSE has another one.",
    );
    let made = SandboxMeter::generate(cast.cpo.meter.serial(), cast.cpo.meter.evse_id(), Curve::Secp256r1);
    let other = made.map_err(|error| NotDone::failed(error.to_string()))?;
    let draft = cast.cdr_by(&other, "FOREIGN-KEY", 10_200);
    let reply = cast.post(&draft).await?;
    told(stage, &reply, "INVALID", "KEY_CONFLICT");
    verdict(cast, stage, "FOREIGN-KEY", "INVALID", false, Some("KEY_CONFLICT")).await?;
    carried_with_marker(cast, stage, &draft, "INVALID");
    Ok(())
}

async fn one_kilowatt_hour_too_many(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "One kilowatt-hour too many",
        "The readings say 10.3 kWh, total_energy says 11.3 kWh.",
    );
    let draft = cast.cdr("TOO-MUCH", 10_300).billing(Decimal::new(11_300, 3));
    let reply = cast.post(&draft).await?;
    told(stage, &reply, "INVALID", "ENERGY_MISMATCH");
    verdict(cast, stage, "TOO-MUCH", "INVALID", false, Some("ENERGY_MISMATCH")).await?;
    carried_with_marker(cast, stage, &draft, "INVALID");
    Ok(())
}

async fn replayed(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "The good readings again, under a new id",
        "Every signature fits. The kilowatt-hours were billed already.",
    );
    let sent = cast.arrived("GOOD").pop().map(|(octets, _)| octets).unwrap_or_default();
    let body = sent.replacen("\"id\":\"GOOD\"", "\"id\":\"REPLAYED\"", 1);
    let to = To::Party(cast.emsp.party.clone());
    let reply = cast.cpo.post_body(body.as_bytes(), &to).await.map_err(failed)?;
    told(stage, &reply, "INVALID", "REPLAYED_RECORD");
    verdict(cast, stage, "REPLAYED", "INVALID", false, Some("REPLAYED_RECORD")).await
}

async fn unsigned(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "No signed data at all",
        "At an EVSE that is registered as calibrated, so there must be some.",
    );
    let mut draft = cast.cdr("UNSIGNED", 10_400);
    draft.signed = None;
    let reply = cast.post(&draft).await?;
    heard(stage, "the CPO hears", &reply, "201, 1000");
    verdict(cast, stage, "UNSIGNED", "MISSING", false, None).await?;
    carried_with_marker(cast, stage, &draft, "MISSING");
    Ok(())
}

async fn posted_twice(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "Posted twice",
        "The CPO did not hear the first answer and posts the same CDR again.",
    );
    let draft = cast.cdr("TWICE", 10_500);
    let (first, second) = (cast.post(&draft).await?, cast.post(&draft).await?);
    heard(stage, "the CPO hears", &first, "201, 1000");
    heard(stage, "the CPO hears", &second, "200, 1000");
    let same = first.header("location").is_some() && first.header("location") == second.header("location");
    stage.see(
        "the two Locations",
        "the same",
        if same { "the same" } else { "different" },
    );
    stage.see("times the eMSP got it", "1", cast.arrived("TWICE").len().to_string());
    let other = draft.with("remark", "\"something else under the same id\"");
    let reply = cast.post(&other).await?;
    stage.see("another body, the same id", "2001", code(&reply));
    Ok(())
}

async fn posted_while_the_provider_is_down(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "Posted while the eMSP is down",
        "The hub takes the CDR into custody, answers at once, and delivers when the eMSP is back.",
    );
    cast.emsp.platform.go_away().await.map_err(failed)?;
    let draft = cast.cdr("CUSTODY", 10_600);
    let reply = cast.post(&draft).await?;
    heard(stage, "the CPO hears", &reply, "201, 1000");
    stage.see(
        "in words",
        "in custody, receiver not reachable",
        reply.message.clone().unwrap_or_default(),
    );
    stage.see(
        "its delivery",
        "in_custody",
        cast.delivery("CUSTODY", "in_custody").await?,
    );
    cast.emsp.platform.come_back().map_err(failed)?;
    stage.see(
        "after the eMSP came back",
        "delivered",
        cast.delivery("CUSTODY", "delivered").await?,
    );
    carried_untouched(cast, stage, &draft, "VERIFIED");
    Ok(())
}

async fn held_and_released(cast: &Cast, stage: &mut Stage, platform: &str) -> Result<(), NotDone> {
    stage.step(
        "Held and released",
        "Now the eMSP wants nothing unverified: the hub holds such a CDR until its operator releases it.",
    );
    let path = format!("/operator/v1/platforms/{platform}");
    let option = |word: &str| Some(json!({"options": {"invalid_cdrs": word}}));
    cast.operator.ask(Method::PATCH, &path, option("hold")).await?;
    let mut draft = cast.cdr("HELD", 10_700);
    draft.signed = draft.signed.map(|signed| signed.with_one_digit_changed());
    let reply = cast.post(&draft).await?;
    heard(stage, "the CPO hears", &reply, "201, 1000");
    stage.see("its delivery", "held", cast.delivery("HELD", "held").await?);
    let listed = cast
        .emsp
        .pull("")
        .await
        .map_err(failed)?
        .objects
        .iter()
        .any(|object| object.contains("\"HELD\""));
    stage.see("in the eMSP's list", "no", yes_or_no(listed));
    cast.operator
        .post(&format!("/operator/v1/cdrs/{}/HELD/release", cast.cpo.party), None)
        .await?;
    stage.see(
        "after its release",
        "delivered",
        cast.delivery("HELD", "delivered").await?,
    );
    carried_with_marker(cast, stage, &draft, "INVALID");
    cast.operator.ask(Method::PATCH, &path, option("mark")).await?;
    Ok(())
}

async fn pulled(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    stage.step(
        "The eMSP pulls its list and one report",
        "What it was pushed, page by page, and why ONE-DIGIT must not be billed.",
    );
    let pulled = cast.emsp.pull("limit=4").await.map_err(failed)?;
    stage.see("CDRs in the list", "10", pulled.objects.len().to_string());
    stage.see("pages of four", "3", pulled.pages.len().to_string());
    let marked = pulled
        .objects
        .iter()
        .filter(|object| object.contains("\"metering_validation\":"))
        .count();
    stage.see("of them with a marker", "7", marked.to_string());
    let url = format!("{}/partner/v1/cdrs/{}/ONE-DIGIT/report", cast.hub.url, cast.cpo.party);
    let reply = cast.emsp.get(&url).await.map_err(failed)?;
    let report: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    let goal = |name: &str| report.get("goals").map(|goals| text(goals, name)).unwrap_or_default();
    stage.see("the report: status", "INVALID", text(&report, "status"));
    stage.see("the report: integrity", "FAIL", goal("integrity"));
    stage.see("the report: truthfulness", "UNKNOWN", goal("truthfulness"));
    Ok(())
}

/// The answer to the CPO names status and finding.
fn told(stage: &mut Stage, reply: &Reply, status: &str, finding: &str) {
    heard(stage, "the CPO hears", reply, "201, 1000");
    let expected = format!("metering {status}: {finding}");
    let message = reply.message.clone().unwrap_or_default();
    let seen = if message.contains(&format!("metering {status}: ")) && message.contains(finding) {
        expected.clone()
    } else {
        message
    };
    stage.see("in words", expected, seen);
}

async fn verdict(
    cast: &Cast,
    stage: &mut Stage,
    id: &str,
    status: &str,
    billable: bool,
    finding: Option<&str>,
) -> Result<(), NotDone> {
    let seen = cast.look(id).await?;
    let expected = format!("{status}, {}", if billable { "billable" } else { "not billable" });
    let is_billable = seen.get("billable").and_then(Value::as_bool).unwrap_or(!billable);
    let words = format!(
        "{}, {}",
        text(&seen, "metering_status"),
        if is_billable { "billable" } else { "not billable" }
    );
    stage.see("the verdict", expected, words);
    if let Some(finding) = finding {
        let found = seen.to_string().contains(&format!("\"{finding}\""));
        stage.see("among the findings", finding, if found { finding } else { "not there" });
    }
    Ok(())
}

fn carried_untouched(cast: &Cast, stage: &mut Stage, draft: &CdrDraft, status: &str) {
    let posted = draft.json();
    let expected = format!("the {} octets posted, {status}", posted.len());
    let seen = match cast.arrived(&draft.id).as_slice() {
        [(octets, header)] if *octets == posted => {
            format!("the {} octets posted, {header}", octets.len())
        }
        [(octets, header)] => format!("{} other octets, {header}", octets.len()),
        several => format!("{} times", several.len()),
    };
    stage.see("the eMSP received", expected, seen);
}

fn carried_with_marker(cast: &Cast, stage: &mut Stage, draft: &CdrDraft, status: &str) {
    let posted = draft.json();
    let stem = posted.strip_suffix('}').unwrap_or(&posted);
    let seen = match cast.arrived(&draft.id).as_slice() {
        [(octets, header)] => match octets.strip_prefix(stem).map(str::trim_start) {
            Some(rest) if rest.starts_with(",\"metering_validation\":{") => {
                format!("posted octets + marker, {header}")
            }
            Some(_) => format!("posted octets, no marker, {header}"),
            None => format!("other octets, {header}"),
        },
        several => format!("{} times", several.len()),
    };
    stage.see("the eMSP received", format!("posted octets + marker, {status}"), seen);
}

/// The first digits of a fingerprint.
fn short(fingerprint: &str) -> String {
    format!("{}…", fingerprint.get(..16).unwrap_or(fingerprint))
}
