//! The stage is open: ready `curl` lines with the URLs and tokens of this run.

use std::fs;
use std::path::Path;

use super::cast::Cast;
use crate::cli::NotDone;
use crate::ocpi::headers::{self, TokenForm};
use crate::ocpi::role::InterfaceRole;

/// Writes two CDRs that nobody has posted yet into the demo's directory, and prints what to try.
pub fn invite(cast: &Cast, directory: &Path) -> Result<(), NotDone> {
    let file = |name: &str, body: &str| -> Result<String, NotDone> {
        let path = directory.join(name);
        fs::write(&path, body).map_err(|error| NotDone::failed(format!("{}: {error}", path.display())))?;
        Ok(path.display().to_string())
    };
    let genuine = cast.cdr("YOUR-OWN", 7_777);
    let mut forged = cast.cdr("YOUR-FORGERY", 7_778);
    forged.signed = forged.signed.map(|signed| signed.with_one_digit_changed());
    let (genuine, forged) = (file("cdr.json", &genuine.json())?, file("forged.json", &forged.json())?);

    let token = |token: Option<String>| headers::authorization(&token.unwrap_or_default(), TokenForm::Base64);
    let (cpo, emsp) = (token(cast.cpo.platform.token()), token(cast.emsp.platform.token()));
    let operator = cast.hub.operator_token.expose();
    let url = &cast.hub.url;
    let endpoint = |platform: &crate::sandbox::SandboxParty, interface| {
        platform.hub_endpoint("cdrs", interface).map_err(super::cast::failed)
    };
    let receiver = endpoint(&cast.cpo.platform, InterfaceRole::Receiver)?;
    let sender = endpoint(&cast.emsp.platform, InterfaceRole::Sender)?;
    let locations = cast.emsp.platform.hub_endpoint("locations", InterfaceRole::Sender);
    let locations = locations.map_err(super::cast::failed)?;
    let party = &cast.cpo.party;
    let [to, from] = [("to", &cast.hub_party()?), ("from", &cast.emsp.party)].map(|(which, party)| {
        format!(
            "-H 'OCPI-{which}-country-code: {}' -H 'OCPI-{which}-party-id: {}'",
            party.country_code(),
            party.party_id()
        )
    });

    let own = std::env::current_exe().map_or_else(|_| "truewatt".to_owned(), |path| path.display().to_string());

    println!(
        r#"
The hub stays up at {url} until you press Ctrl-C. In another shell:

# Post a CDR of your own, signed by the demo's meter; post it again and see that nothing happens twice
curl -si {receiver} -H 'Authorization: {cpo}' -H 'Content-Type: application/json' --data-binary @{genuine}

# Post a forgery
curl -si {receiver} -H 'Authorization: {cpo}' -H 'Content-Type: application/json' --data-binary @{forged}

# What the eMSP pulls, and why the forgery must not be billed
curl -s '{sender}?limit=2' -H 'Authorization: {emsp}'
curl -s {url}/partner/v1/cdrs/{party}/YOUR-FORGERY/report -H 'Authorization: {emsp}'

# Everybody's locations: addressed to the hub, page by page along the Link header
curl -si '{locations}?limit=2' -H 'Authorization: {emsp}' \
     {from} \
     {to}

# What the operator of the hub sees
curl -s {url}/operator/v1/cdrs -H 'Authorization: Bearer {operator}'
curl -s {url}/operator/v1/cdrs/{party}/YOUR-OWN -H 'Authorization: Bearer {operator}'
TRUEWATT_URL={url} TRUEWATT_TOKEN={operator} {own} party list

# Check a record without any hub
{own} verify {genuine}
{own} verify {forged}"#
    );
    Ok(())
}
