//! The heads of what passes through besides CDRs: whose it is, what it is called, whom it concerns. One pass each.
//!
//! Only what routing, mirror and links depend on is read, and only that can be refused here; everything else in the body is for
//! [`super::structure`] or for nobody. No driver data shows in `Debug`.

use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;

use super::super::fields::Fields;
use super::super::ids::PartyId;
use super::super::number;
use super::super::refusal::{Refusal, Violation};
use super::cdr::party;

/// The head of a Session (OBJ-25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHead {
    /// The CPO that owns it.
    pub party: PartyId,
    /// Its id.
    pub id: String,
    /// The eMSP whose driver charges; `None` from 2.2, which does not name it (X-002).
    pub cdr_token_party: Option<PartyId>,
    /// `ACTIVE`, `COMPLETED`, … as spelled.
    pub status: Option<String>,
    /// When the CPO last changed it.
    pub last_updated: DateTime<Utc>,
}

impl SessionHead {
    /// Reads a whole Session.
    ///
    /// # Errors
    /// Malformed (400) when the body is no JSON; 2001 naming the first member that is missing, of the wrong type, or there twice.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let names = ["country_code", "party_id", "id", "cdr_token", "status", "last_updated"];
        let fields = Fields::of_body(body, names)?;
        let token = fields.object("cdr_token", ["country_code", "party_id"])?;
        Ok(Self {
            party: owner(&fields)?,
            id: id(&fields, "id")?,
            cdr_token_party: token.as_ref().map(party).transpose()?.flatten(),
            status: fields.text("status")?.map(Into::into),
            last_updated: fields.required_time("last_updated")?,
        })
    }
}

/// What routes a command (OBJ-42..OBJ-46). Which members there are depends on the command; only `response_url` is in all.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandHead {
    /// Where the requester wants the result.
    pub response_url: String,
    /// Who is to charge.
    pub token: Option<CommandToken>,
    /// Where.
    pub location_id: Option<String>,
    /// Which session is to end.
    pub session_id: Option<String>,
    /// Which reservation is made or forgotten.
    pub reservation_id: Option<String>,
    /// When a reservation ends.
    pub expiry_date: Option<DateTime<Utc>>,
}

// By hand: the requester's URL may be a secret of its own.
impl fmt::Debug for CommandHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CommandHead")
            .field("token", &self.token)
            .field("location_id", &self.location_id)
            .field("session_id", &self.session_id)
            .field("reservation_id", &self.reservation_id)
            .field("expiry_date", &self.expiry_date)
            .finish_non_exhaustive()
    }
}

/// The token of a command, as far as it is known by it (TOK-08).
#[derive(Clone, PartialEq, Eq)]
pub struct CommandToken {
    /// The eMSP that owns it.
    pub party: PartyId,
    /// Its uid.
    pub uid: String,
    /// Its type, as spelled.
    pub token_type: String,
}

impl fmt::Debug for CommandToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CommandToken({}, ***, {:?})", self.party, self.token_type)
    }
}

impl CommandHead {
    /// Reads the body of any of the five commands.
    ///
    /// # Errors
    /// As [`SessionHead::read`]. A token that is there has an owner, a uid and a type.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let names = [
            "response_url",
            "token",
            "location_id",
            "session_id",
            "reservation_id",
            "expiry_date",
        ];
        let fields = Fields::of_body(body, names)?;
        let token = |token: Fields<'_, 4>| {
            Ok::<_, Violation>(CommandToken {
                party: owner(&token)?,
                uid: id(&token, "uid")?,
                token_type: token.required_text("type")?.into_owned(),
            })
        };
        let expiry_date = match fields.raw("expiry_date") {
            Some(_) => Some(fields.required_time("expiry_date")?),
            None => None,
        };
        Ok(Self {
            response_url: fields.required_text("response_url")?.into_owned(),
            token: fields
                .object("token", ["country_code", "party_id", "uid", "type"])?
                .map(token)
                .transpose()?,
            location_id: fields.text("location_id")?.map(Into::into),
            session_id: fields.text("session_id")?.map(Into::into),
            reservation_id: fields.text("reservation_id")?.map(Into::into),
            expiry_date,
        })
    }
}

/// The synchronous answer to a command or a charging profile request (OBJ-47, OBJ-53): the `data` of the receiver's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultWord {
    /// `ACCEPTED`, `REJECTED`, … as spelled.
    pub result: Option<String>,
    /// For how many seconds the requester may wait for the real result.
    pub timeout: Option<u64>,
}

impl ResultWord {
    /// Reads what stands in an envelope's `data`. Somebody else's answer is never refused: what cannot be understood is absent.
    #[must_use]
    pub fn read(data: &str) -> Self {
        let fields = Fields::of_text(data, String::new(), ["result", "timeout"]).ok();
        let fields = fields.as_ref();
        let seconds = |fields: &Fields<'_, 2>| number::decimal(fields.raw("timeout")?).ok()?.to_u64();
        Self {
            result: fields.and_then(|fields| fields.text("result").ok().flatten().map(Into::into)),
            timeout: fields.and_then(seconds),
        }
    }

    /// Whether a result will follow (CMD-04, CP-05).
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.result
            .as_deref()
            .is_some_and(|word| word.eq_ignore_ascii_case("ACCEPTED"))
    }
}

fn owner<const N: usize>(fields: &Fields<'_, N>) -> Result<PartyId, Violation> {
    party(fields)?.ok_or_else(|| fields.violation("country_code", "is missing"))
}

/// An id that can be a key. Its official length is a warning (D-05); 255 characters are what we are ready to keep.
fn id<const N: usize>(fields: &Fields<'_, N>, name: &'static str) -> Result<String, Violation> {
    fields.limited_text(name, 1, 255).map(Into::into)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn octets(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    fn session() -> Value {
        json!({
            "country_code": "nl", "party_id": "TNM", "id": "S1", "status": "ACTIVE", "last_updated": "2026-11-21T10:00:00Z",
            "cdr_token": {"country_code": "DE", "party_id": "EMS", "uid": "SECRET"}, "kwh": "not read"
        })
    }

    fn token() -> Value {
        json!({"country_code": "DE", "party_id": "EMS", "uid": "SECRET", "type": "RFID", "last_updated": "2026-11-21T10:00:00Z"})
    }

    fn command() -> Value {
        json!({
            "response_url": "https://x.example/r", "token": token(), "location_id": "L1", "reservation_id": "R1",
            "expiry_date": "2026-11-21T11:00:00+01:00", "session_id": null
        })
    }

    // SES-18, X-002
    #[test]
    fn a_session_tells_its_owner_and_the_party_it_concerns() {
        let head = SessionHead::read(&octets(&session())).unwrap();
        assert_eq!((head.party.key().as_str(), head.id.as_str()), ("NL/TNM", "S1"));
        assert_eq!(head.cdr_token_party.unwrap().key(), "DE/EMS");
        assert_eq!(head.status.as_deref(), Some("ACTIVE"));
        for token in [Value::Null, json!({"uid": "1"})] {
            let mut of_2_2 = session();
            of_2_2["cdr_token"] = token;
            of_2_2["status"] = Value::Null;
            let head = SessionHead::read(&octets(&of_2_2)).unwrap();
            assert_eq!((head.cdr_token_party, head.status), (None, None));
        }
        for (member, value, message) in [
            ("country_code", Value::Null, "/country_code: is missing"),
            ("id", json!(""), "/id: is empty"),
            ("id", json!("a\u{0}"), "/id: contains a control character"),
            ("status", json!(1), "/status: must be a string"),
            (
                "cdr_token",
                json!({"party_id": "EMS"}),
                "/cdr_token/country_code: is missing",
            ),
            ("last_updated", Value::Null, "/last_updated: is missing"),
        ] {
            let mut wrong = session();
            wrong[member] = value;
            assert_eq!(SessionHead::read(&octets(&wrong)).unwrap_err().message, message);
        }
    }

    // CMD-09, CMD-11
    #[test]
    fn a_command_tells_where_its_result_goes_and_whom_it_concerns() {
        let head = CommandHead::read(&octets(&command())).unwrap();
        assert_eq!(head.response_url, "https://x.example/r");
        assert_eq!(head.token.unwrap().party.key(), "DE/EMS");
        assert_eq!((head.location_id.as_deref(), head.session_id), (Some("L1"), None));
        assert_eq!(head.expiry_date.unwrap().to_rfc3339(), "2026-11-21T10:00:00+00:00");
        let stop = CommandHead::read(br#"{"response_url":"u","session_id":"S1"}"#).unwrap();
        assert_eq!((stop.token, stop.session_id.as_deref()), (None, Some("S1")));
        for (member, value, message) in [
            ("response_url", Value::Null, "/response_url: is missing"),
            ("token", json!({"uid": "1"}), "/token/country_code: is missing"),
            (
                "expiry_date",
                json!("tomorrow"),
                "/expiry_date: is no RFC 3339 date and time such as 2026-11-21T10:00:00Z",
            ),
            ("location_id", json!(1), "/location_id: must be a string"),
        ] {
            let mut wrong = command();
            wrong[member] = value;
            assert_eq!(CommandHead::read(&octets(&wrong)).unwrap_err().message, message);
        }
    }

    // CMD-02, CP-04
    #[test]
    fn an_answer_is_read_as_far_as_it_can_be_understood() {
        for (data, result, timeout) in [
            (r#"{"result":"ACCEPTED","timeout":30}"#, Some("ACCEPTED"), Some(30)),
            (
                r#"{"result":"REJECTED","timeout":3e1,"message":[]}"#,
                Some("REJECTED"),
                Some(30),
            ),
            (r#"{"result":"accepted","timeout":-1}"#, Some("accepted"), None),
            (r#"{"result":7,"timeout":"30"}"#, None, None),
            (r#"{"result":"ACCEPTED","timeout":1e99}"#, Some("ACCEPTED"), None),
            ("[]", None, None),
            ("\"ACCEPTED\"", None, None),
        ] {
            let word = ResultWord::read(data);
            assert_eq!((word.result.as_deref(), word.timeout), (result, timeout), "{data}");
            let is_accepted = result.is_some_and(|word| word.eq_ignore_ascii_case("ACCEPTED"));
            assert_eq!(word.is_accepted(), is_accepted, "{data}");
        }
    }

    #[test]
    fn driver_data_never_shows_in_debug_output() {
        let shown = format!(
            "{:?}{:?}",
            CommandHead::read(&octets(&command())),
            SessionHead::read(&octets(&session()))
        );
        assert!(!shown.contains("SECRET") && shown.contains("DE/EMS"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_octets_make_a_reader_of_heads_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..48), at in any::<prop::sample::Index>(), byte in any::<u8>(), text in "\\PC{0,24}",
        ) {
            for whole in [session(), token(), command()] {
                let mut damaged = octets(&whole);
                let at = at.index(damaged.len());
                damaged[at] = byte;
                for body in [&bytes, &damaged] {
                    let _ = (SessionHead::read(body), CommandHead::read(body));
                }
            }
            let _ = ResultWord::read(&text);
        }
    }
}
