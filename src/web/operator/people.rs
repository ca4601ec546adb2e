//! The people and programs that run the hub, known by their tokens, and what each may do.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Problem;
use crate::config::{DEFAULT_OPERATOR, OperatorRole, OperatorToken, Secret};

/// Everybody with an operator token.
#[derive(Debug)]
pub struct Operators(Vec<Known>);

/// Somebody who showed one. A handler that wants to know who is asking takes it as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Their name, as configured.
    pub name: String,
    /// What they may do.
    pub role: OperatorRole,
}

#[derive(Debug)]
struct Known {
    operator: Operator,
    /// SHA-256 of the token.
    hash: Vec<u8>,
}

impl Operators {
    /// The one whose token is `operator.token`, and the others.
    #[must_use]
    pub fn new(token: Option<&Secret>, others: &[OperatorToken]) -> Operators {
        let first = token.filter(|token| !token.expose().is_empty()).map(|token| Known {
            operator: Operator {
                name: DEFAULT_OPERATOR.to_owned(),
                role: OperatorRole::Operator,
            },
            hash: Sha256::digest(token.expose()).to_vec(),
        });
        let others = others.iter().map(|one| Known {
            operator: Operator {
                name: one.name.clone(),
                role: one.role,
            },
            hash: hex::decode(&one.sha256).unwrap_or_default(),
        });
        Operators(first.into_iter().chain(others).collect())
    }

    /// Whose token it is. Hashes of equal length are compared, each in constant time and all of them, so that how long it takes says
    /// nothing.
    #[must_use]
    pub fn recognise(&self, presented: &str) -> Option<&Operator> {
        let presented = Sha256::digest(presented);
        let mut found = None;
        for known in &self.0 {
            let is_same: Choice = presented.as_slice().ct_eq(known.hash.as_slice());
            if bool::from(is_same) {
                found = Some(&known.operator);
            }
        }
        found
    }
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Operator, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Operator>().cloned();
        ready(known.ok_or_else(|| Problem::unauthorized("this is no operator token")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_token_and_an_empty_one_is_nobodys() {
        let other = OperatorToken {
            name: "Grace".to_owned(),
            role: OperatorRole::Auditor,
            sha256: hex::encode(Sha256::digest("graces-token-graces-token")),
        };
        let name = |operators: &Operators, token: &str| operators.recognise(token).map(|one| one.name.clone());
        let both = Operators::new(Some(&Secret::new("the-token")), std::slice::from_ref(&other));
        assert_eq!(name(&both, "the-token").as_deref(), Some("operator"));
        assert_eq!(name(&both, "graces-token-graces-token").as_deref(), Some("Grace"));
        for wrong in ["", "the-toke", "the-token ", other.sha256.as_str()] {
            assert_eq!(name(&both, wrong), None, "{wrong}");
        }
        assert_eq!(name(&Operators::new(Some(&Secret::new("")), &[]), ""), None);
        let shown = format!("{both:?}");
        assert!(!shown.contains("token"), "{shown}");
    }
}
