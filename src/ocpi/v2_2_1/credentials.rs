//! Credentials: a token, where to begin, and who is behind it (OBJ-07, OBJ-08).

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::super::fields::Fields;
use super::super::ids::PartyId;
use super::super::refusal::{Refusal, Violation};
use super::super::role::Role;
use super::super::url;

/// What one platform tells another about itself. The token never shows in `Debug`.
#[derive(Clone)]
pub struct Credentials {
    /// The token the receiver of this object shall use; at most 64 characters (T-07).
    pub token: String,
    /// The versions URL of the platform (CR-02).
    pub url: String,
    /// Its parties and their roles, at least one, none twice (CR-32).
    pub roles: Vec<CredentialsRole>,
}

/// One party in one role.
#[derive(Clone)]
pub struct CredentialsRole {
    /// What it is.
    pub role: Role,
    /// Who it is.
    pub party: PartyId,
    /// What it calls itself; at most 100 characters.
    pub name: String,
    /// Its business details as they were written. `None` in credentials of our own: then the name is all there is (CR-43).
    pub business_details: Option<Box<RawValue>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials")
            .field("token", &"***")
            .field("url", &self.url)
            .field("roles", &self.roles)
            .finish()
    }
}

impl fmt::Debug for CredentialsRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.role, self.party)
    }
}

impl Credentials {
    /// Reads and checks a body, or the `data` of an answer.
    ///
    /// # Errors
    /// Malformed (400) when it is no JSON; 2001 naming the first violation by JSON pointer (CR-31, CR-32).
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields::of_body(body, ["token", "url", "roles"])?;
        let token = fields.limited_text("token", 1, 64)?.into_owned();
        if token.contains(char::is_whitespace) {
            // It could not be told from the blanks of the header it has to be written into.
            return Err(fields.violation("token", "contains white space").into());
        }
        let url = fields.required_text("url")?.into_owned();
        if !url::is_web_url(&url) {
            return Err(fields
                .violation("url", "must be an absolute http or https URL of at most 255 characters")
                .into());
        }
        let listed = fields.objects("roles", ["role", "party_id", "country_code", "business_details"])?;
        let listed = listed.ok_or_else(|| fields.violation("roles", "is missing"))?;
        if listed.is_empty() {
            return Err(fields.violation("roles", "must have at least one element").into());
        }
        let mut seen = HashSet::new();
        let mut roles = Vec::with_capacity(listed.len());
        for each in &listed {
            let role = read_role(each)?;
            if !seen.insert((role.role, role.party.clone())) {
                return Err(each.violation_here("repeats a role and party listed before").into());
            }
            roles.push(role);
        }
        Ok(Self { token, url, roles })
    }

    /// The JSON text. A role without business details of its own is given its name as such.
    #[must_use]
    pub fn write(&self) -> String {
        let roles: Vec<String> = self.roles.iter().map(CredentialsRole::write).collect();
        format!(
            r#"{{"token":{},"url":{},"roles":[{}]}}"#,
            quoted(&self.token),
            quoted(&self.url),
            roles.join(",")
        )
    }
}

impl CredentialsRole {
    fn write(&self) -> String {
        let business_details = match &self.business_details {
            Some(details) => details.get().to_owned(),
            None => format!(r#"{{"name":{}}}"#, quoted(&self.name)),
        };
        format!(
            r#"{{"role":"{}","party_id":{},"country_code":{},"business_details":{business_details}}}"#,
            self.role,
            quoted(self.party.party_id()),
            quoted(self.party.country_code())
        )
    }
}

fn read_role(fields: &Fields<'_, 4>) -> Result<CredentialsRole, Violation> {
    let role = Role::parse(&fields.required_text("role")?)
        .ok_or_else(|| fields.violation("role", "must be one of CPO, EMSP, HUB, NAP, NSP, OTHER, SCSP"))?;
    let party_id = fields.limited_text("party_id", 1, 3)?;
    let country_code = fields.limited_text("country_code", 2, 2)?;
    let party = PartyId::new(&country_code, &party_id).map_err(|error| fields.violation_here(error.to_string()))?;
    let details = fields.required_object("business_details", ["name"])?;
    let name = details.limited_text("name", 1, 100)?.into_owned();
    Ok(CredentialsRole {
        role,
        party,
        name,
        business_details: fields.raw_value("business_details"),
    })
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::super::Situation;
    use super::*;

    fn body() -> Value {
        serde_json::json!({
            "token": "abc-def", "url": "https://cpo.example/ocpi/versions",
            "roles": [
                {"role": "CPO", "party_id": "ABC", "country_code": "DE", "business_details": {"name": "A & B", "website": "https://x"}},
                {"role": "EMSP", "party_id": "ABC", "country_code": "DE", "business_details": {"name": "A & B"}, "more": 1}
            ]
        })
    }

    fn without(pointer: &str) -> String {
        let mut body = body();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(member)
            .unwrap();
        body.to_string()
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut body = body();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    }

    fn refusal(body: &str) -> Refusal {
        Credentials::read(body.as_bytes()).unwrap_err()
    }

    // OBJ-07, OBJ-08, CR-37
    #[test]
    fn one_platform_may_carry_several_roles_and_its_details_are_kept_as_written() {
        let credentials = Credentials::read(body().to_string().as_bytes()).unwrap();
        assert_eq!(credentials.token, "abc-def");
        let roles: Vec<_> = credentials
            .roles
            .iter()
            .map(|role| (role.role, role.party.key(), role.name.as_str()))
            .collect();
        assert_eq!(
            roles,
            [
                (Role::Cpo, "DE/ABC".into(), "A & B"),
                (Role::Emsp, "DE/ABC".into(), "A & B")
            ]
        );
        assert!(
            credentials.roles[0]
                .business_details
                .as_ref()
                .unwrap()
                .get()
                .contains("website")
        );
    }

    // CR-31
    #[test]
    fn every_missing_member_is_named() {
        for pointer in [
            "/token",
            "/url",
            "/roles",
            "/roles/0/role",
            "/roles/1/party_id",
            "/roles/1/country_code",
            "/roles/1/business_details",
            "/roles/1/business_details/name",
        ] {
            let refusal = refusal(&without(pointer));
            assert_eq!(
                (refusal.situation, refusal.message),
                (Situation::InvalidParameter, format!("{pointer}: is missing"))
            );
        }
    }

    // CR-31, CR-32
    #[test]
    fn every_invalid_member_is_named() {
        for (pointer, value, named) in [
            ("/token", Value::from("x".repeat(65)), "/token: is longer than 64"),
            ("/token", Value::from(""), "/token: is empty"),
            ("/token", Value::from("a b"), "/token: contains white space"),
            ("/token", Value::from(7), "/token: must be a string"),
            ("/url", Value::from("/ocpi/versions"), "/url: must be an absolute"),
            (
                "/url",
                Value::from(format!("https://a/{}", "x".repeat(250))),
                "/url: must be an absolute",
            ),
            (
                "/roles",
                Value::from(Vec::<Value>::new()),
                "/roles: must have at least one",
            ),
            ("/roles", Value::from("CPO"), "/roles: must be a list"),
            ("/roles/1", Value::from("CPO"), "/roles/1: must be an object"),
            ("/roles/1/role", Value::from("cpo"), "/roles/1/role: must be one of"),
            ("/roles/1/role", Value::from("CPO"), "/roles/1: repeats"),
            (
                "/roles/1/party_id",
                Value::from("ABCD"),
                "/roles/1/party_id: is longer than 3",
            ),
            ("/roles/1/party_id", Value::from("Ä"), "/roles/1: party_id may only"),
            ("/roles/1/country_code", Value::from("D"), "/roles/1/country_code: is"),
            (
                "/roles/1/business_details",
                Value::from("A"),
                "/roles/1/business_details: must be an object",
            ),
            (
                "/roles/1/business_details/name",
                Value::from("x".repeat(101)),
                "/roles/1/business_details/name: is longer",
            ),
        ] {
            let refusal = refusal(&with(pointer, value));
            assert!(refusal.message.starts_with(named), "{named} / {}", refusal.message);
            assert_eq!(refusal.situation, Situation::InvalidParameter);
        }
    }

    // CR-32, T-42
    #[test]
    fn the_same_party_in_another_case_is_still_the_same_party() {
        let mut body = body();
        *body.pointer_mut("/roles/1/role").unwrap() = "CPO".into();
        *body.pointer_mut("/roles/1/party_id").unwrap() = "abc".into();
        assert!(refusal(&body.to_string()).message.starts_with("/roles/1: repeats"));
    }

    #[test]
    fn broken_json_is_malformed() {
        assert_eq!(refusal("{\"token\":").situation, Situation::Malformed);
    }

    #[test]
    fn a_token_never_shows_in_debug_output() {
        let credentials = Credentials::read(body().to_string().as_bytes()).unwrap();
        assert!(!format!("{credentials:?}").contains("abc-def"));
    }

    proptest! {
        #[test]
        fn what_we_write_a_peer_can_read(token in "[!-~]{1,64}", name in "[^\\p{Cc}]{1,100}", party in "[A-Za-z0-9]{3}") {
            let role = CredentialsRole {
                role: Role::Hub, party: PartyId::new("DE", &party).unwrap(), name: name.clone(), business_details: None,
            };
            let ours = Credentials { token: token.clone(), url: "https://hub.example/ocpi/versions".into(), roles: vec![role] };
            let theirs = Credentials::read(ours.write().as_bytes()).unwrap();
            prop_assert_eq!(theirs.token, token);
            prop_assert_eq!(&theirs.roles[0].name, &name);
            prop_assert_eq!(theirs.roles[0].party.party_id(), party);
            // Written again, with the details as they came: the same bytes.
            prop_assert_eq!(Credentials::read(ours.write().as_bytes()).unwrap().write(), ours.write());
        }

        #[test]
        fn no_bytes_make_the_reader_of_credentials_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Credentials::read(&bytes);
        }
    }
}
