//! The operator's agreements as they are written: read strictly, so that a misspelt rule is an error and not a hole.
//!
//! ```json
//! {"default": "allow", "rules": [{"parties": ["NL/CPA", "DE/MSA"], "modules": ["*"], "allow": false}]}
//! ```
//!
//! A rule is between two parties, in either order; `"*"` stands for every party, and among the modules for every module. Module
//! ids may be ones this hub has never heard of: custom modules are agreed upon like all others.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::operate::Declined;
use super::options::WrongOption;
use super::{Fault, Parties};
use crate::ocpi::ids::PartyId;
use crate::routing::agreements::{Agreements, Rule};
use crate::store::journal::JournalEntry;

/// More rules than a hub with a thousand parties has needed; each is looked at per message.
pub const MAX_RULES: usize = 1000;
const MAX_MODULES: usize = 50;
/// An OCPI module id is a CiString(36) at most in the field.
const MAX_MODULE: usize = 64;
const ALL: &str = "*";

impl Parties {
    /// The agreements in force.
    #[must_use]
    pub fn agreements(&self) -> Agreements {
        self.snapshot().directory().agreements.clone()
    }

    /// Replaces the agreements: they govern routing, broadcast, GET all and ClientInfo from now on, in every process (D-17).
    ///
    /// # Errors
    /// [`Declined::Field`] for the first member that is not as it should be.
    pub async fn agree(&self, wish: &Map<String, Value>) -> Result<Agreements, Declined> {
        let agreements = read(wish).map_err(|wrong| Declined::field(wrong.pointer, wrong.reason))?;
        let now = self.now();
        let entry = JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: now,
            correlation_id: Uuid::new_v4().to_string(),
            request_id: None,
            from_party: None,
            to_party: None,
            platform: None,
            module: "agreements".to_owned(),
            method: "PUT".to_owned(),
            object: None,
            http_status: None,
            status_code: None,
            outcome: format!(
                "the operator agreed: default {}, rules {}",
                word(agreements.allow_by_default),
                agreements.rules.len()
            ),
            duration_ms: None,
        };
        self.store
            .agreements_put(write(&agreements).to_string(), entry, now)
            .await
            .map_err(|error| Fault::new("keeping the agreements", error))?;
        self.reload().await?;
        Ok(agreements)
    }
}

/// The agreements as the store keeps them and the operator reads them.
#[must_use]
pub fn write(agreements: &Agreements) -> Value {
    let party = |party: &Option<PartyId>| party.as_ref().map_or_else(|| ALL.to_owned(), PartyId::to_string);
    let rules = agreements.rules.iter().map(|rule| {
        let modules = if rule.modules.is_empty() {
            vec![ALL.to_owned()]
        } else {
            rule.modules.clone()
        };
        json!({"parties": rule.parties.iter().map(party).collect::<Vec<_>>(), "modules": modules, "allow": rule.allow})
    });
    json!({"default": word(agreements.allow_by_default), "rules": rules.collect::<Vec<_>>()})
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_text(text: &str) -> Result<Agreements, WrongOption> {
    let value: Map<String, Value> = serde_json::from_str(text).map_err(|error| wrong("", &error.to_string()))?;
    read(&value)
}

fn read(wish: &Map<String, Value>) -> Result<Agreements, WrongOption> {
    only(wish, "", &["default", "rules"])?;
    let allow_by_default = match wish.get("default").and_then(Value::as_str) {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err(wrong("/default", "must be one of allow, deny")),
    };
    let rules = match wish.get("rules") {
        Some(Value::Array(rules)) if rules.len() <= MAX_RULES => rules,
        Some(Value::Array(_)) => return Err(wrong("/rules", &format!("may have at most {MAX_RULES} rules"))),
        _ => return Err(wrong("/rules", "must be a list of rules")),
    };
    Ok(Agreements {
        allow_by_default,
        rules: rules
            .iter()
            .enumerate()
            .map(|(at, value)| rule(value, &format!("/rules/{at}")))
            .collect::<Result<_, _>>()?,
    })
}

fn rule(value: &Value, pointer: &str) -> Result<Rule, WrongOption> {
    let members = value.as_object().ok_or_else(|| wrong(pointer, "must be an object"))?;
    only(members, pointer, &["parties", "modules", "allow"])?;
    let at = |member: &str| format!("{pointer}/{member}");
    let Some([one, other]) = members.get("parties").and_then(Value::as_array).map(Vec::as_slice) else {
        return Err(wrong(&at("parties"), "must be a list of two parties"));
    };
    let parties = [party(one, &at("parties/0"))?, party(other, &at("parties/1"))?];
    let modules = match members.get("modules") {
        Some(Value::Array(modules)) if (1..=MAX_MODULES).contains(&modules.len()) => modules,
        _ => {
            let reason = format!("must be a list of 1 to {MAX_MODULES} module ids, or [\"*\"]");
            return Err(wrong(&at("modules"), &reason));
        }
    };
    let modules = modules
        .iter()
        .enumerate()
        .map(|(number, module)| module_id(module, &at(&format!("modules/{number}"))))
        .collect::<Result<Vec<_>, _>>()?;
    let allow = match members.get("allow") {
        Some(Value::Bool(allow)) => *allow,
        _ => return Err(wrong(&at("allow"), "must be true or false")),
    };
    // A list with "*" among others means every module all the same.
    let modules = if modules.iter().any(|id| id == ALL) {
        Vec::new()
    } else {
        modules
    };
    Ok(Rule {
        parties,
        modules,
        allow,
    })
}

fn party(value: &Value, pointer: &str) -> Result<Option<PartyId>, WrongOption> {
    match value.as_str() {
        Some(ALL) => Ok(None),
        Some(text) => PartyId::from_slash(text)
            .map(Some)
            .map_err(|error| wrong(pointer, &format!("must be a party like NL/CPA, or *: {error}"))),
        None => Err(wrong(pointer, "must be a party like NL/CPA, or *")),
    }
}

fn module_id(value: &Value, pointer: &str) -> Result<String, WrongOption> {
    let text = value.as_str().filter(|text| {
        (1..=MAX_MODULE).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"*_.:-".contains(&b))
    });
    text.map(str::to_owned)
        .ok_or_else(|| wrong(pointer, "must be a module id, or *"))
}

fn only(members: &Map<String, Value>, pointer: &str, known: &[&str]) -> Result<(), WrongOption> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            let escaped = unknown.replace('~', "~0").replace('/', "~1");
            Err(wrong(&format!("{pointer}/{escaped}"), "is no member of agreements"))
        }
        None => Ok(()),
    }
}

fn word(allow: bool) -> &'static str {
    if allow { "allow" } else { "deny" }
}

fn wrong(pointer: &str, reason: &str) -> WrongOption {
    WrongOption {
        pointer: pointer.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    // D-17
    #[test]
    fn agreements_survive_the_store() {
        let text = json!({"default": "deny", "rules": [
            {"parties": ["NL/CPA", "*"], "modules": ["*"], "allow": true},
            {"parties": ["DE/MSA", "NL/CPA"], "modules": ["tokens", "nltst-parking"], "allow": false},
        ]});
        let read = read_text(&text.to_string()).unwrap();
        assert_eq!(write(&read), text);
        let (cpo, emsp) = (
            PartyId::from_slash("nl/cpa").unwrap(),
            PartyId::from_slash("de/msa").unwrap(),
        );
        assert!(read.allow(&cpo, &emsp, "cdrs") && !read.allow(&cpo, &emsp, "nltst-parking"));
    }

    // D-17, N-09
    #[test]
    fn a_rule_that_cannot_be_meant_is_named_by_its_pointer() {
        let one = |member: &str, value: Value| {
            let mut rule = json!({"parties": ["NL/CPA", "DE/MSA"], "modules": ["*"], "allow": true});
            rule[member] = value;
            json!({"default": "allow", "rules": [rule]})
        };
        for (wish, pointer) in [
            (json!({"rules": []}), "/default"),
            (json!({"default": "ALLOW", "rules": []}), "/default"),
            (json!({"default": "allow"}), "/rules"),
            (json!({"default": "allow", "rules": {}}), "/rules"),
            (json!({"default": "allow", "rules": [], "x": 1}), "/x"),
            (json!({"default": "allow", "rules": [1]}), "/rules/0"),
            (one("parties", json!(["NL/CPA"])), "/rules/0/parties"),
            (
                one("parties", json!(["NL/CPA", "DE/MSA", "DE/MSB"])),
                "/rules/0/parties",
            ),
            (one("parties", json!(["NL/CPA", "DEMSA"])), "/rules/0/parties/1"),
            (one("parties", json!([1, "DE/MSA"])), "/rules/0/parties/0"),
            (one("modules", json!([])), "/rules/0/modules"),
            (one("modules", json!(["tokens", "a b"])), "/rules/0/modules/1"),
            (one("allow", json!("yes")), "/rules/0/allow"),
            (one("allowed", json!(true)), "/rules/0/allowed"),
        ] {
            assert_eq!(read_text(&wish.to_string()).unwrap_err().pointer, pointer, "{wish}");
        }
    }
}
