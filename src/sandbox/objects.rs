//! Objects of every module as somebody might really write them: valid, complete, and spelled so that whoever parses and
//! writes them again is found out.

use chrono::{DateTime, TimeDelta, Utc};

use super::meter::json_text;
use crate::ocpi::ids::PartyId;
use crate::ocpi::time;

/// An object that can still be changed before it is sent. Members keep the order in which they were set.
#[derive(Clone)]
pub struct Draft {
    members: Vec<(String, String)>,
}

impl Draft {
    fn new() -> Draft {
        Draft { members: Vec::new() }
    }

    fn owned(owner: &PartyId) -> Draft {
        Draft::new()
            .text("country_code", owner.country_code())
            .text("party_id", owner.party_id())
    }

    /// With this member, raw JSON, in its old place or at the end.
    #[must_use]
    pub fn with(mut self, name: &str, raw_json: &str) -> Draft {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, raw)) => raw_json.clone_into(raw),
            None => self.members.push((name.to_owned(), raw_json.to_owned())),
        }
        self
    }

    /// With this member, a text.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Draft {
        self.with(name, &json_text(text))
    }

    /// Without this member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Draft {
        self.members.retain(|(known, _)| known != name);
        self
    }

    /// As a tidy sender writes it: no blank anywhere but inside values.
    #[must_use]
    pub fn json(&self) -> String {
        super::splice::object(&self.members)
    }

    /// As it can be written as well: blanks, tabs and line ends between any two tokens, a name in escapes, a member nobody
    /// knows with numbers in every spelling, and a blank behind the last brace. Says the same otherwise.
    #[must_use]
    pub fn odd(&self) -> String {
        let odd = self.clone().with(
            "nltnm_note",
            r#"{ "said" : "caf\u00e9 \/ Stra\u00DFe \ud83d\udd0b ☕" ,"spelled":[0.10, 1E1 ,-0.0,12345678901234567890.1000,  1e-2],"none":null }"#,
        );
        let members: Vec<String> = odd
            .members
            .iter()
            .enumerate()
            .map(|(place, (name, raw))| match place % 3 {
                0 => format!("\r\n\t{}  :{raw}", escaped(name)),
                1 => format!(" {}: {raw} ", json_text(name)),
                _ => format!("{}\t:\n{raw}", json_text(name)),
            })
            .collect();
        format!("{{{}\n}} ", members.join(","))
    }

    /// A location with one EVSE and one connector, all last updated at `at`.
    #[must_use]
    pub fn location(owner: &PartyId, id: &str, at: DateTime<Utc>) -> Draft {
        let evse = Draft::evse(owner, "EVSE-1", at);
        Draft::owned(owner)
            .text("id", id)
            .with("publish", "true")
            .with("name", r#""Parkhaus S\u00fcd \/ Ebene 2""#)
            .text("address", "Am Messplatz 1")
            .text("city", "Braunschweig")
            .text("postal_code", "38116")
            .text("country", "DEU")
            .with("coordinates", r#"{ "latitude":"52.29670", "longitude":"10.46360" }"#)
            .with("evses", &format!("[{}]", evse.json()))
            .text("time_zone", "Europe/Berlin")
            .with("opening_times", r#"{"twentyfourseven":true}"#)
            .with(
                "energy_mix",
                r#"{"is_green_energy":true,"energy_sources":[{"source":"WIND","percentage":0.10},{"source":"SOLAR","percentage":9.99E1}]}"#,
            )
            .text("last_updated", &time::write(at))
    }

    /// An EVSE with one connector.
    #[must_use]
    pub fn evse(owner: &PartyId, uid: &str, at: DateTime<Utc>) -> Draft {
        let evse_id = format!("{}*{}*E{uid}", owner.country_code(), owner.party_id());
        Draft::new()
            .text("uid", uid)
            .text("evse_id", &evse_id)
            .text("status", "AVAILABLE")
            .with(
                "capabilities",
                r#"[ "RFID_READER" ,"REMOTE_START_STOP_CAPABLE","CHARGING_PROFILE_CAPABLE" ]"#,
            )
            .with("connectors", &format!("[{}]", Draft::connector("1", at).json()))
            .text("last_updated", &time::write(at))
    }

    /// A connector.
    #[must_use]
    pub fn connector(id: &str, at: DateTime<Utc>) -> Draft {
        Draft::new()
            .text("id", id)
            .text("standard", "IEC_62196_T2")
            .text("format", "SOCKET")
            .text("power_type", "AC_3_PHASE")
            .with("max_voltage", "230")
            .with("max_amperage", "16")
            .with("tariff_ids", r#"["T-1"]"#)
            .text("last_updated", &time::write(at))
    }

    /// A tariff by energy and time.
    #[must_use]
    pub fn tariff(owner: &PartyId, id: &str, at: DateTime<Utc>) -> Draft {
        Draft::owned(owner)
            .text("id", id)
            .text("currency", "EUR")
            .with("tariff_alt_text", r#"[{"language":"de","text":"49\u00a0ct je kWh"}]"#)
            .with(
                "elements",
                concat!(
                    r#"[{"price_components":[{"type":"ENERGY","price":0.490,"vat":19.0,"step_size":1},"#,
                    r#"{"type":"TIME","price":1E1, "step_size":60}]}]"#
                ),
            )
            .text("last_updated", &time::write(at))
    }

    /// A token; `kind` as in `type`: `RFID`, `APP_USER`, `AD_HOC_USER`, `OTHER`.
    #[must_use]
    pub fn token(owner: &PartyId, uid: &str, kind: &str, at: DateTime<Utc>) -> Draft {
        Draft::owned(owner)
            .text("uid", uid)
            .text("type", kind)
            .text("contract_id", &contract(owner))
            .with("issuer", r#""Fahrstrom \u0026 S\u00f6hne""#)
            .with("valid", "true")
            .text("whitelist", if kind == "RFID" { "ALLOWED" } else { "NEVER" })
            .text("last_updated", &time::write(at))
    }

    /// A running session of a driver of `payer`; begun twenty minutes before `at`. `None` leaves the payer's two members
    /// out of `cdr_token`, as version 2.2 does.
    #[must_use]
    pub fn session(owner: &PartyId, id: &str, token_uid: &str, payer: Option<&PartyId>, at: DateTime<Utc>) -> Draft {
        let begun = json_text(&time::write(at - TimeDelta::minutes(20)));
        let token = payer.map_or_else(Draft::new, Draft::owned);
        let token = token.text("uid", token_uid).text("type", "RFID");
        let token = token.text("contract_id", &payer.map_or_else(|| "C12345678".to_owned(), contract));
        Draft::owned(owner)
            .text("id", id)
            .with("start_date_time", &begun)
            .with("kwh", "0.10")
            .with("cdr_token", &token.json())
            .text("auth_method", "AUTH_REQUEST")
            .text("location_id", "LOC-1")
            .text("evse_uid", "EVSE-1")
            .text("connector_id", "1")
            .text("currency", "EUR")
            .with("charging_periods", &format!("[{}]", period(&begun, "1E-1")))
            .text("status", "ACTIVE")
            .text("last_updated", &time::write(at))
    }

    /// A PATCH of a session: more energy, one more charging period.
    #[must_use]
    pub fn session_patch(kwh: &str, at: DateTime<Utc>) -> Draft {
        let at = json_text(&time::write(at));
        Draft::new()
            .with("kwh", kwh)
            .with("charging_periods", &format!("[{}]", period(&at, kwh)))
            .with("last_updated", &at)
    }

    /// What a hub says about a party (OBJ-09).
    #[must_use]
    pub fn client_info(party: &PartyId, role: &str, status: &str, at: DateTime<Utc>) -> Draft {
        Draft::owned(party)
            .text("role", role)
            .text("status", status)
            .text("last_updated", &time::write(at))
    }

    /// A charging profile (OBJ-50): full power first, then less.
    #[must_use]
    pub fn charging_profile() -> Draft {
        Draft::new()
            .with("duration", "900")
            .text("charging_rate_unit", "A")
            .with("min_charging_rate", "6.0")
            .with(
                "charging_profile_period",
                r#"[ {"start_period":0,"limit":1.6E1} ,{ "start_period":300, "limit":6.0 } ]"#,
            )
    }

    /// The members of START_SESSION without `response_url` (OBJ-44).
    #[must_use]
    pub fn start_session(token: &Draft, location_id: &str, evse_uid: Option<&str>) -> Draft {
        let start = Draft::new()
            .with("token", &token.json())
            .text("location_id", location_id);
        match evse_uid {
            Some(uid) => start.text("evse_uid", uid).text("connector_id", "1"),
            None => start,
        }
    }

    /// The members of RESERVE_NOW without `response_url` (OBJ-43).
    #[must_use]
    pub fn reserve_now(token: &Draft, reservation_id: &str, location_id: &str, expiry: DateTime<Utc>) -> Draft {
        Draft::new()
            .with("token", &token.json())
            .text("expiry_date", &time::write(expiry))
            .text("reservation_id", reservation_id)
            .text("location_id", location_id)
    }
}

fn contract(owner: &PartyId) -> String {
    format!("{}-{}-C12345678-X", owner.country_code(), owner.party_id())
}

fn period(begun: &str, volume: &str) -> String {
    format!(r#"{{"start_date_time":{begun},"dimensions":[{{"type":"ENERGY","volume":{volume}}}]}}"#)
}

/// A name with its first letter as an escape.
fn escaped(name: &str) -> String {
    let mut rest = name.chars();
    match rest.next() {
        Some(first) => format!("\"\\u{:04x}{}\"", u32::from(first), rest.as_str()),
        None => "\"\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ocpi::json;

    #[test]
    fn an_odd_spelling_says_the_same_and_one_thing_more() {
        let owner = PartyId::from_slash("DE/ABC").unwrap();
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        for draft in [
            Draft::location(&owner, "LOC-1", at),
            Draft::tariff(&owner, "T-1", at),
            Draft::token(&owner, "04A1 B/2", "APP_USER", at),
            Draft::session(&owner, "S-1", "04A1", Some(&owner), at),
            Draft::session(&owner, "S-1", "04A1", None, at),
            Draft::session_patch("1E1", at),
            Draft::client_info(&owner, "CPO", "CONNECTED", at),
            Draft::charging_profile(),
        ] {
            let odd = draft.odd();
            let note = super::super::splice::member(&odd, "nltnm_note").unwrap();
            let both = draft.with("nltnm_note", &note).json();
            assert_ne!(odd, both);
            assert_eq!(
                json::digest(odd.as_bytes()).unwrap(),
                json::digest(both.as_bytes()).unwrap()
            );
        }
    }
}
