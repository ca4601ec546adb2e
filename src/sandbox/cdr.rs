//! CDRs of version 2.2.1 as a careful operator writes them: complete, exact decimals, member by member in the order of the text.

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::meter::{Charge, SignedSession, json_text};
use crate::ocpi::ids::PartyId;
use crate::ocpi::time;

/// A CDR that can still be changed before it is sent.
#[derive(Clone)]
pub struct CdrDraft {
    /// `country_code` and `party_id`: the operator.
    pub owner: PartyId,
    /// `id`, unique for the operator.
    pub id: String,
    /// `cdr_token`'s owner: who pays; `None` leaves the two members out, as version 2.2 does.
    pub payer: Option<PartyId>,
    /// `cdr_token.uid`.
    pub token_uid: String,
    /// `cdr_token.contract_id`.
    pub contract_id: String,
    /// `start_date_time`.
    pub start: DateTime<Utc>,
    /// `end_date_time`.
    pub end: DateTime<Utc>,
    /// `last_updated`.
    pub last_updated: DateTime<Utc>,
    /// `cdr_location.evse_uid`.
    pub evse_uid: String,
    /// `cdr_location.evse_id`.
    pub evse_id: String,
    /// `meter_id`.
    pub meter_id: Option<String>,
    /// `total_energy` in kWh.
    pub energy_kwh: Decimal,
    /// Price of a kWh without tax, in euro.
    pub price_per_kwh: Decimal,
    /// `signed_data`.
    pub signed: Option<SignedSession>,
    /// `credit_reference_id` of a credit CDR; its amounts are negative (CDR-09).
    pub credit_of: Option<String>,
    /// Members the text does not know: name and raw JSON, written last.
    pub extra: Vec<(String, String)>,
}

impl CdrDraft {
    /// The CDR of one charge: energy and times are those of the charge, `last_updated` is its end.
    #[must_use]
    pub fn of(owner: PartyId, payer: PartyId, id: &str, evse_id: &str, charge: &Charge) -> CdrDraft {
        CdrDraft {
            contract_id: format!("{}-{}-C12345678-X", payer.country_code(), payer.party_id()),
            owner,
            id: id.to_owned(),
            payer: Some(payer),
            token_uid: charge.identification.clone(),
            start: charge.start,
            end: charge.end,
            last_updated: charge.end,
            evse_uid: "EVSE-1".to_owned(),
            evse_id: evse_id.to_owned(),
            meter_id: None,
            energy_kwh: charge.energy_kwh,
            price_per_kwh: Decimal::new(49, 2),
            signed: None,
            credit_of: None,
            extra: Vec::new(),
        }
    }

    /// With signed readings.
    #[must_use]
    pub fn signed(mut self, session: SignedSession) -> CdrDraft {
        self.signed = Some(session);
        self
    }

    /// With another `total_energy` (and the costs that follow from it); the readings stay as they are.
    #[must_use]
    pub fn billing(mut self, energy_kwh: Decimal) -> CdrDraft {
        self.energy_kwh = energy_kwh;
        self
    }

    /// Under another `id`.
    #[must_use]
    pub fn renamed(mut self, id: &str) -> CdrDraft {
        id.clone_into(&mut self.id);
        self
    }

    /// With one more member at the end, its value as raw JSON.
    #[must_use]
    pub fn with(mut self, name: &str, raw_json: &str) -> CdrDraft {
        self.extra.push((name.to_owned(), raw_json.to_owned()));
        self
    }

    /// The credit CDR for this one: own id, reference, amounts negative, everything else the same (CDR-09).
    #[must_use]
    pub fn credited_by(mut self, id: &str) -> CdrDraft {
        self.credit_of = Some(std::mem::replace(&mut self.id, id.to_owned()));
        self
    }

    /// The body as it is posted.
    #[must_use]
    pub fn json(&self) -> String {
        let sign = if self.credit_of.is_some() {
            Decimal::NEGATIVE_ONE
        } else {
            Decimal::ONE
        };
        let hours = hours_between(self.start, self.end);
        let net = cents(self.energy_kwh * self.price_per_kwh) * sign;
        let gross = cents(net * Decimal::new(119, 2));
        let (country_code, party_id) = (self.owner.country_code(), self.owner.party_id());
        let start = time::write(self.start);

        let mut members = Members::default();
        members.text("country_code", country_code);
        members.text("party_id", party_id);
        members.text("id", &self.id);
        members.text("start_date_time", &start);
        members.text("end_date_time", &time::write(self.end));
        members.text("session_id", &format!("S-{}", self.id));
        members.raw("cdr_token", &self.token());
        members.text("auth_method", "WHITELIST");
        members.raw("cdr_location", &self.location());
        if let Some(meter_id) = &self.meter_id {
            members.text("meter_id", meter_id);
        }
        members.text("currency", "EUR");
        members.raw(
            "tariffs",
            &format!(
                concat!(
                    r#"[{{"country_code":{},"party_id":{},"id":"T-1","currency":"EUR","elements":"#,
                    r#"[{{"price_components":[{{"type":"ENERGY","price":{},"vat":19.0,"step_size":1}}]}}],"last_updated":"2026-01-01T00:00:00Z"}}]"#
                ),
                json_text(country_code),
                json_text(party_id),
                self.price_per_kwh
            ),
        );
        members.raw(
            "charging_periods",
            &format!(
                r#"[{{"start_date_time":{},"dimensions":[{{"type":"ENERGY","volume":{}}},{{"type":"TIME","volume":{hours}}}],"tariff_id":"T-1"}}]"#,
                json_text(&start),
                self.energy_kwh
            ),
        );
        if let Some(signed) = &self.signed {
            members.raw("signed_data", &signed_data(signed));
        }
        let price = format!(r#"{{"excl_vat":{net},"incl_vat":{gross}}}"#);
        members.raw("total_cost", &price);
        members.raw("total_energy", &self.energy_kwh.to_string());
        members.raw("total_energy_cost", &price);
        members.raw("total_time", &hours.to_string());
        if let Some(original) = &self.credit_of {
            members.raw("credit", "true");
            members.text("credit_reference_id", original);
        }
        members.text("last_updated", &time::write(self.last_updated));
        for (name, raw) in &self.extra {
            members.raw(name, raw);
        }
        members.finish()
    }

    fn token(&self) -> String {
        let mut token = Members::default();
        if let Some(payer) = &self.payer {
            token.text("country_code", payer.country_code());
            token.text("party_id", payer.party_id());
        }
        token.text("uid", &self.token_uid);
        token.text("type", "RFID");
        token.text("contract_id", &self.contract_id);
        token.finish()
    }

    fn location(&self) -> String {
        let mut location = Members::default();
        location.text("id", "LOC-1");
        location.text("name", "Sandbox car park");
        location.text("address", "Am Messplatz 1");
        location.text("city", "Braunschweig");
        location.text("postal_code", "38116");
        location.text("country", "DEU");
        location.raw("coordinates", r#"{"latitude":"52.2967","longitude":"10.4636"}"#);
        location.text("evse_uid", &self.evse_uid);
        location.text("evse_id", &self.evse_id);
        location.text("connector_id", "1");
        location.text("connector_standard", "IEC_62196_T2");
        location.text("connector_format", "SOCKET");
        location.text("connector_power_type", "AC_3_PHASE");
        location.finish()
    }
}

fn signed_data(signed: &SignedSession) -> String {
    let mut members = Members::default();
    members.text("encoding_method", &signed.encoding_method);
    if let Some(key) = &signed.public_key {
        members.text("public_key", key);
    }
    let values: Vec<String> = signed
        .values
        .iter()
        .map(|value| {
            let mut member = Members::default();
            member.text("nature", &value.nature);
            member.text("plain_data", &value.plain_data);
            member.text("signed_data", &value.signed_data);
            member.finish()
        })
        .collect();
    members.raw("signed_values", &format!("[{}]", values.join(",")));
    members.finish()
}

/// Hours with four decimals (T-45).
fn hours_between(start: DateTime<Utc>, end: DateTime<Utc>) -> Decimal {
    let seconds = Decimal::from((end - start).num_seconds());
    (seconds / Decimal::from(3600)).round_dp(4).normalize()
}

fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// A JSON object, written member by member: order and spelling are the author's.
#[derive(Default)]
struct Members(String);

impl Members {
    fn raw(&mut self, name: &str, raw_json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&json_text(name));
        self.0.push(':');
        self.0.push_str(raw_json);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &json_text(text));
    }

    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn draft() -> CdrDraft {
        let charge = Charge {
            start: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            end: DateTime::from_timestamp(1_700_005_400, 0).unwrap(),
            energy_kwh: Decimal::new(12_345, 3),
            identification: "04A1".to_owned(),
        };
        let cpo = PartyId::from_slash("DE/ABC").unwrap();
        let emsp = PartyId::from_slash("DE/EMS").unwrap();
        CdrDraft::of(cpo, emsp, "C-1", "DE*ABC*E1", &charge)
    }

    #[test]
    fn every_member_a_cdr_must_have_is_there_and_the_sums_are_exact() {
        let json = draft().with("x_vendor", "0.10000000000000000001").json();
        let members: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(&json).unwrap();
        for required in [
            "country_code",
            "party_id",
            "id",
            "start_date_time",
            "end_date_time",
            "cdr_token",
            "auth_method",
            "cdr_location",
            "currency",
            "charging_periods",
            "total_cost",
            "total_energy",
            "total_time",
            "last_updated",
        ] {
            assert!(members.contains_key(required), "{required} is missing");
        }
        assert_eq!(members["total_energy"].get(), "12.345");
        assert_eq!(members["total_time"].get(), "1.5");
        assert_eq!(members["total_cost"].get(), r#"{"excl_vat":6.05,"incl_vat":7.20}"#);
        assert!(json.ends_with(r#","x_vendor":0.10000000000000000001}"#));
    }

    #[test]
    fn a_credit_cdr_takes_back_what_was_billed() {
        // CDR-09
        let json = draft().credited_by("C-1-CREDIT").json();
        assert!(json.contains(r#""id":"C-1-CREDIT""#) && json.contains(r#""credit":true,"credit_reference_id":"C-1""#));
        assert!(json.contains(r#""total_cost":{"excl_vat":-6.05,"incl_vat":-7.20}"#));
    }
}
