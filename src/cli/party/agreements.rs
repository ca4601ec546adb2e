//! `truewatt party agreements`: who may exchange what with whom (D-17).
//!
//! The hub keeps one document of rules and the last that matches wins. So what is added goes to its end and holds against everything
//! before it, and what is ended lets the rules before it speak again. The document is read, changed and replaced as a whole: of two
//! operators who change it in the same second, one has to look again.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::NotDone;
use crate::cli::api::{Api, Common, table, text};
use crate::ocpi::ids::PartyId;

/// What to do with them.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All rules, in order: the last that matches wins.
    List(Common),
    /// A new rule between two parties, stronger than all before it.
    Add(Add),
    /// Remove the rules between two parties.
    End(End),
    /// What holds where no rule speaks.
    Default(Otherwise),
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    pair: Pair,
    /// They may not, instead of they may.
    #[arg(long)]
    deny: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct End {
    #[command(flatten)]
    pair: Pair,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Otherwise {
    /// What it shall be.
    word: Word,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    Allow,
    Deny,
}

#[derive(Debug, Args)]
struct Pair {
    /// A party, as DE/ABC, or * for everybody.
    one: String,
    /// The other party; the order does not matter.
    other: String,
    /// Only this module. May be given several times; without it, every module is meant.
    #[arg(long = "module", value_name = "MODULE")]
    modules: Vec<String>,
}

const AGREEMENTS: &str = "/operator/v1/agreements";
const ALL: &str = "*";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(common) => {
            let api = common.access.open()?;
            show(&api.get(AGREEMENTS).await?, common.json);
            Ok(())
        }
        Action::Add(Add { pair, deny, common }) => {
            let rule = pair.rule(!deny)?;
            let api = common.access.open()?;
            let mut agreed = read(&api).await?;
            agreed.rules.push(rule);
            agreed.replace(&api, common.json).await
        }
        Action::End(End { pair, common }) => {
            pair.check()?;
            let api = common.access.open()?;
            let mut agreed = read(&api).await?;
            let before = agreed.rules.len();
            agreed.rules.retain(|rule| !pair.is_meant(rule));
            if agreed.rules.len() == before {
                let (one, other) = (&pair.one, &pair.other);
                return Err(NotDone::failed(format!(
                    "there is no such rule between {one} and {other}"
                )));
            }
            agreed.replace(&api, common.json).await
        }
        Action::Default(Otherwise { word, common }) => {
            let api = common.access.open()?;
            let mut agreed = read(&api).await?;
            agreed.default = match word {
                Word::Allow => "allow",
                Word::Deny => "deny",
            }
            .to_owned();
            agreed.replace(&api, common.json).await
        }
    }
}

/// The document, to be changed and put back.
struct Agreed {
    default: String,
    rules: Vec<Value>,
}

async fn read(api: &Api) -> Result<Agreed, NotDone> {
    let document = api.get(AGREEMENTS).await?;
    // Written back as a whole: what cannot be read must not be lost by that.
    let rules = document.get("rules").and_then(Value::as_array).cloned();
    let rules = rules.ok_or_else(|| NotDone::failed("the hub answered no list of rules"))?;
    Ok(Agreed {
        default: text(&document, "default").to_owned(),
        rules,
    })
}

impl Agreed {
    async fn replace(self, api: &Api, as_json: bool) -> Result<(), NotDone> {
        let wish = json!({"default": self.default, "rules": self.rules});
        show(&api.put(AGREEMENTS, Some(wish)).await?, as_json);
        Ok(())
    }
}

impl Pair {
    fn rule(&self, allow: bool) -> Result<Value, NotDone> {
        self.check()?;
        let modules = if self.modules.is_empty() {
            vec![ALL.to_owned()]
        } else {
            self.modules.clone()
        };
        Ok(json!({"parties": [self.one, self.other], "modules": modules, "allow": allow}))
    }

    fn check(&self) -> Result<(), NotDone> {
        for party in [&self.one, &self.other] {
            if party != ALL && PartyId::from_slash(party).is_err() {
                return Err(NotDone::usage(format!(
                    "{party}: write a party as DE/ABC, or * for all"
                )));
            }
        }
        Ok(())
    }

    /// Whether a rule is between exactly these two and, where modules are named, about exactly these.
    fn is_meant(&self, rule: &Value) -> bool {
        let words = |member: &str| -> Vec<String> {
            let words = rule.get(member).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let [mut named, mut parties] = [vec![self.one.clone(), self.other.clone()], words("parties")].map(folded);
        named.sort();
        parties.sort();
        let [mut wanted, mut modules] = [self.modules.clone(), words("modules")];
        wanted.sort();
        modules.sort();
        named == parties && (wanted.is_empty() || wanted == modules)
    }
}

/// As parties are compared: in any case.
fn folded(words: Vec<String>) -> Vec<String> {
    words.into_iter().map(|word| word.to_ascii_uppercase()).collect()
}

fn show(document: &Value, as_json: bool) {
    if as_json {
        println!("{document}");
        return;
    }
    let cells = |rule: &Value, member: &str| -> String {
        let words = rule.get(member).and_then(Value::as_array).into_iter().flatten();
        words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let rules = document.get("rules").and_then(Value::as_array).into_iter().flatten();
    let rows = rules.map(|rule| {
        let may = rule.get("allow").and_then(Value::as_bool).unwrap_or_default();
        let word = if may { "allow" } else { "deny" };
        vec![cells(rule, "parties"), cells(rule, "modules"), word.to_owned()]
    });
    let everybody = vec!["* *".to_owned(), ALL.to_owned(), text(document, "default").to_owned()];
    let rows = std::iter::once(everybody).chain(rows).collect::<Vec<_>>();
    println!("{}", table(&["PARTIES", "MODULES", "RULE"], &rows));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pair(one: &str, other: &str, modules: &[&str]) -> Pair {
        Pair {
            one: one.to_owned(),
            other: other.to_owned(),
            modules: modules.iter().map(|module| (*module).to_owned()).collect(),
        }
    }

    // D-17
    #[test]
    fn a_rule_is_meant_in_either_order_and_any_case_and_by_its_modules_where_they_are_named() {
        let rule = pair("NL/CPA", "DE/MSA", &["tariffs", "locations"]).rule(true).unwrap();
        for meant in [
            pair("DE/MSA", "NL/CPA", &[]),
            pair("nl/cpa", "de/msa", &["locations", "tariffs"]),
        ] {
            assert!(meant.is_meant(&rule), "{meant:?}");
        }
        for other in [
            pair("DE/MSA", "*", &[]),
            pair("NL/CPA", "NL/CPA", &[]),
            pair("NL/CPA", "DE/MSA", &["locations"]),
            pair("NL/CPA", "DE/MSA", &["*"]),
        ] {
            assert!(!other.is_meant(&rule), "{other:?}");
        }
        let all = pair("*", "DE/MSA", &[]).rule(false).unwrap();
        assert_eq!(
            all,
            json!({"parties": ["*", "DE/MSA"], "modules": ["*"], "allow": false})
        );
        assert!(pair("DE/MSA", "*", &["*"]).is_meant(&all));
    }

    #[test]
    fn a_party_is_written_with_its_country() {
        for nonsense in ["", "DE", "DE-ABC", "DEU/ABC"] {
            assert_eq!(
                pair("DE/MSA", nonsense, &[]).rule(true).unwrap_err().code,
                64,
                "{nonsense}"
            );
        }
    }
}
