//! Commands and charging profiles from the side that wants something: each with a response URL of its own, lent for its results.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::execution::Order;
use super::meter::json_text;
use super::reply::{Reply, SandboxError};
use super::results::Ordered;
use super::splice;
use super::voice::{To, Voice};
use crate::client::Method;
use crate::ocpi::role::InterfaceRole::{Receiver, Sender};

impl Voice {
    /// Gives a command. `fields` is its object without `response_url`, spelled as it shall travel; the URL becomes the first
    /// member and nothing else is touched.
    ///
    /// # Errors
    /// When `fields` is no object, the party is not registered, or the hub does not answer.
    pub async fn command(&self, order: Order, fields: &str, to: &To) -> Result<Ordered, SandboxError> {
        let response_url = self.inner.lend(order);
        let body = with_response_url(fields, &response_url)?;
        let errand = self.errand(Method::POST, order.module(), Receiver);
        let reply = errand.at(&[order.as_str()]).body(&body).to(to).send().await?;
        Ok(Ordered::new(reply, response_url, body))
    }

    /// Sets a charging profile on a session (CP-02); `profile` is the `ChargingProfile` as it shall travel.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn set_profile(&self, session_id: &str, profile: &str, to: &To) -> Result<Ordered, SandboxError> {
        let response_url = self.inner.lend(Order::SetProfile);
        let body = with_response_url(&format!(r#"{{ "charging_profile" : {profile} }}"#), &response_url)?;
        let errand = self.errand(Method::PUT, "chargingprofiles", Receiver);
        let reply = errand.at(&[session_id]).body(&body).to(to).send().await?;
        Ok(Ordered::new(reply, response_url, body))
    }

    /// Asks for the profile active on a session for the next `duration` seconds (CP-01).
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn get_profile(&self, session_id: &str, duration: u32, to: &To) -> Result<Ordered, SandboxError> {
        let response_url = self.inner.lend(Order::GetProfile);
        let query = format!("duration={duration}&response_url={}", encoded(&response_url));
        let errand = self.errand(Method::GET, "chargingprofiles", Receiver);
        let reply = errand.at(&[session_id]).query(&query).to(to).send().await?;
        Ok(Ordered::new(reply, response_url, String::new()))
    }

    /// Clears the profile of a session (CP-03).
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn clear_profile(&self, session_id: &str, to: &To) -> Result<Ordered, SandboxError> {
        let response_url = self.inner.lend(Order::ClearProfile);
        let query = format!("response_url={}", encoded(&response_url));
        let errand = self.errand(Method::DELETE, "chargingprofiles", Receiver);
        let reply = errand.at(&[session_id]).query(&query).to(to).send().await?;
        Ok(Ordered::new(reply, response_url, String::new()))
    }

    /// Reports the active profile of a session to who set it (CP-08): an operator's call on the SENDER interface.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn report_profile(&self, session_id: &str, active: &str, to: &To) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::PUT, "chargingprofiles", Sender);
        errand.at(&[session_id]).body(active).to(to).send().await
    }
}

/// CP-11: as one value of a query.
fn encoded(url: &str) -> String {
    utf8_percent_encode(url, NON_ALPHANUMERIC).to_string()
}

/// An object with `response_url` as its first member, every other octet as it was.
fn with_response_url(fields: &str, response_url: &str) -> Result<String, SandboxError> {
    let empty = splice::members(fields).map(|members| members.is_empty());
    let (Some(empty), Some((before, behind))) = (empty, fields.split_once('{')) else {
        return Err(SandboxError::Unsendable(
            "the fields of an order are an object".to_owned(),
        ));
    };
    let comma = if empty { "" } else { "," };
    let url = json_text(response_url);
    Ok(format!("{before}{{\"response_url\":{url}{comma}{behind}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_response_url_goes_in_front_and_nothing_else_moves() {
        assert_eq!(
            with_response_url("\n{ \"session_id\" : \"S\\u0031\" } ", "http://a/?b=\"").unwrap(),
            "\n{\"response_url\":\"http://a/?b=\\\"\", \"session_id\" : \"S\\u0031\" } "
        );
        assert_eq!(with_response_url("{ }", "u").unwrap(), "{\"response_url\":\"u\" }");
        assert!(with_response_url("[]", "u").is_err());
    }
}
