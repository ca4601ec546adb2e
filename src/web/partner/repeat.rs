//! The header by which a repeated write is known (key-registry.md 4.5: all writes need one).
//!
//! What is written under an id of the caller's own, or only counted, is safe to repeat by itself: there the key is asked for, so that all
//! writes of this door look alike, and nothing is kept under it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::web::operator::Problem;

/// The name of the header.
pub const NAME: &str = "Idempotency-Key";

/// The longest key.
const LONGEST: usize = 64;

/// A write that names its key: 1 to 64 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeatable {
    /// The key as sent.
    pub key: String,
}

impl FromRequest for Repeatable {
    type Error = Problem;
    type Future = Ready<Result<Repeatable, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut all = request.headers().get_all(NAME);
        let only = match (all.next(), all.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        };
        let is_key =
            |key: &&str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|one| (b' '..=b'~').contains(&one));
        ready(match only.filter(is_key) {
            Some(key) => Ok(Repeatable { key: key.to_owned() }),
            None => Err(Problem::bad_request(
                NAME,
                "must be given once, with 1 to 64 printable ASCII characters",
            )),
        })
    }
}
