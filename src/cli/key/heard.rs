//! `truewatt key waivers`, `observations`, `conformity`: what parties and charge points say about keys.

use clap::Args;
use serde_json::Value;

use crate::cli::NotDone;
use crate::cli::api::{Common, text, with_query};
use crate::ocpi::ids::PartyId;

/// Whose waivers.
#[derive(Debug, Args)]
pub struct Waivers {
    /// Only of this eMSP, as DE/MSP.
    #[arg(long)]
    emsp: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Which observations.
#[derive(Debug, Args)]
pub struct Observations {
    /// Only of this operator, as DE/ABC.
    #[arg(long)]
    cpo: Option<String>,
    /// Only from this source.
    #[arg(long, value_parser = ["CDR", "OCPP", "GET_CONFIGURATION"])]
    source: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Which claims.
#[derive(Debug, Args)]
pub struct Conformity {
    /// Only of this operator, as DE/ABC.
    #[arg(long)]
    cpo: Option<String>,
    /// Only claims that the registry does not confirm.
    #[arg(long)]
    unconfirmed: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn waivers(wish: Waivers) -> Result<(), NotDone> {
    let path = with_query("/operator/v1/waivers", &[("emsp", party("--emsp", wish.emsp)?)]);
    let row = |one: &Value| {
        vec![
            own(one, "emsp"),
            text(one, "id").to_owned(),
            scope(&one["scope"]),
            span(one),
        ]
    };
    wish.common.list(&path, &["EMSP", "ID", "FOR", "FROM, TO"], row).await
}

pub(super) async fn observations(wish: Observations) -> Result<(), NotDone> {
    let filters = [("cpo", party("--cpo", wish.cpo)?), ("source", wish.source)];
    let row = |one: &Value| {
        let mut cells = vec![own(one, "cpo")];
        cells.extend(["source", "kind", "name", "evse_id", "last_seen"].map(|name| text(one, name).to_owned()));
        cells.extend([one["count"].to_string(), text(&one["registration"], "state").to_owned()]);
        cells
    };
    let heading = [
        "CPO",
        "SOURCE",
        "KIND",
        "NAME",
        "EVSE",
        "LAST SEEN",
        "COUNT",
        "REGISTERED",
    ];
    wish.common
        .list(&with_query("/operator/v1/observations", &filters), &heading, row)
        .await
}

pub(super) async fn conformity(wish: Conformity) -> Result<(), NotDone> {
    let state = wish.unconfirmed.then(|| "unconfirmed".to_owned());
    let filters = [("cpo", party("--cpo", wish.cpo)?), ("state", state)];
    let row = |one: &Value| {
        let mut cells = vec![own(one, "cpo")];
        cells.extend(["location_id", "evse_id", "claimed_at"].map(|name| text(one, name).to_owned()));
        cells.push(text(&one["finding"], "message").to_owned());
        cells
    };
    let heading = ["CPO", "LOCATION", "EVSE", "CLAIMED AT", "FINDING"];
    wish.common
        .list(&with_query("/operator/v1/conformity", &filters), &heading, row)
        .await
}

fn party(option: &str, text: Option<String>) -> Result<Option<String>, NotDone> {
    let read = |text: String| PartyId::from_slash(&text).map(|party| party.key());
    text.map(read)
        .transpose()
        .map_err(|error| NotDone::usage(format!("{option}: {error}")))
}

fn own(one: &Value, member: &str) -> String {
    let party = &one[member];
    format!("{}/{}", text(party, "country_code"), text(party, "party_id"))
}

fn scope(scope: &Value) -> String {
    match (scope["contract_id"].as_str(), scope["tariff_id"].as_str()) {
        (Some(contract), _) => format!("contract {contract}"),
        (None, Some(tariff)) if scope["cpo"].is_object() => format!("tariff {tariff} of {}", own(scope, "cpo")),
        (None, Some(tariff)) => format!("tariff {tariff}"),
        (None, None) => "all".to_owned(),
    }
}

fn span(one: &Value) -> String {
    format!("{}, {}", text(one, "from"), text(one, "to"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_asked_for_stands_in_the_query() {
        assert_eq!(with_query("/a", &[("b", None)]), "/a");
        let filters = [
            ("b", Some("DE/ABC".to_owned())),
            ("c", None),
            ("d", Some("e".to_owned())),
        ];
        assert_eq!(with_query("/a", &filters), "/a?b=DE/ABC&d=e");
    }

    #[test]
    fn a_scope_is_read_at_a_glance() {
        let cpo = json!({"country_code": "DE", "party_id": "ABC"});
        for (shown, told) in [
            (json!({"contract_id": "C1"}), "contract C1"),
            (json!({"tariff_id": "T1"}), "tariff T1"),
            (json!({"tariff_id": "T1", "cpo": cpo}), "tariff T1 of DE/ABC"),
            (json!({"all": true}), "all"),
        ] {
            assert_eq!(scope(&shown), told);
        }
    }
}
