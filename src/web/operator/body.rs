//! What an operator sends, read strictly: members and query parameters, each by name, nothing unknown.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde_json::{Map, Value};

use super::Problem;
use crate::ocpi::json;
use crate::ocpi::refusal::Refusal;
use crate::web::limits;
use crate::web::ocpi::body::{is_json, read};

/// 1 MB: ten thousand parties in one list.
const MAX_BODY: usize = 1024 * 1024;

/// The members of a JSON object, with the pointer of where it stands in the body.
#[derive(Debug, Clone)]
pub struct Members {
    members: Map<String, Value>,
    pointer: String,
}

impl Members {
    /// The object inside a body at `pointer`.
    ///
    /// # Errors
    /// 422 when the value is no object.
    pub fn of(value: &Value, pointer: &str) -> Result<Members, Problem> {
        match value {
            Value::Object(members) => Ok(Members {
                members: members.clone(),
                pointer: pointer.to_owned(),
            }),
            _ => Err(Problem::invalid(pointer, "must be an object")),
        }
    }

    /// Refuses members other than these.
    ///
    /// # Errors
    /// 422 naming the first unknown member.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(Problem::invalid(&self.at(unknown), "is no member of this request")),
            None => Ok(()),
        }
    }

    /// The pointer of a member.
    #[must_use]
    pub fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// A member as it is; null counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text of 1 to `most` characters, none of them a control character; `None` when absent.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn text(&self, name: &str, most: usize) -> Result<Option<String>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or_else(|| Problem::invalid(&self.at(name), "must be a text"))?;
        if text.is_empty() || text.chars().count() > most {
            return Err(Problem::invalid(
                &self.at(name),
                format!("must have 1 to {most} characters"),
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(Problem::invalid(&self.at(name), "must not contain control characters"));
        }
        Ok(Some(text.to_owned()))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn required_text(&self, name: &str, most: usize) -> Result<String, Problem> {
        self.text(name, most)?.ok_or_else(|| self.missing(name))
    }

    /// True or false; `None` when absent.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(_) => Err(Problem::invalid(&self.at(name), "must be true or false")),
        }
    }

    /// A list of `least` to `most` elements, each with its pointer; `None` when absent.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn list(&self, name: &str, least: usize, most: usize) -> Result<Option<Vec<(String, &Value)>>, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let list = value
            .as_array()
            .ok_or_else(|| Problem::invalid(&self.at(name), "must be a list"))?;
        if list.len() < least || list.len() > most {
            return Err(Problem::invalid(
                &self.at(name),
                format!("must have {least} to {most} elements"),
            ));
        }
        Ok(Some(
            list.iter()
                .enumerate()
                .map(|(at, value)| (format!("{}/{at}", self.at(name)), value))
                .collect(),
        ))
    }

    /// An object; `None` when absent.
    ///
    /// # Errors
    /// 422 naming the member.
    pub fn object(&self, name: &str) -> Result<Option<Members>, Problem> {
        self.get(name)
            .map(|value| Members::of(value, &self.at(name)))
            .transpose()
    }

    /// The problem of a member that must be there.
    #[must_use]
    pub fn missing(&self, name: &str) -> Problem {
        Problem::invalid(&self.at(name), "is missing")
    }

    /// Takes a member out, once it was read.
    pub fn take(&mut self, name: &str) {
        self.members.remove(name);
    }

    /// The members themselves, nulls included.
    #[must_use]
    pub fn raw(&self) -> &Map<String, Value> {
        &self.members
    }
}

impl FromRequest for Members {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Members, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let reading = limits::reading(request);
        let payload = payload.take();
        Box::pin(async move {
            let body = read(payload, MAX_BODY, &reading).await?;
            if !is_json {
                return Err(Problem::unsupported_media_type());
            }
            json::check_lengths(&body).map_err(Refusal::from)?;
            let value: Value =
                serde_json::from_slice(&body).map_err(|e| Problem::bad_request("", format!("is not JSON: {e}")))?;
            Members::of(&value, "")
        })
    }
}

/// The query parameters of a request.
#[derive(Debug, Clone)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Refuses parameters other than these, and any given twice. `limit` and `cursor` are always known.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) && !["limit", "cursor"].contains(&name.as_str()) {
                return Err(Problem::bad_request(name, "is no parameter of this list"));
            }
            if self.0.iter().take(at).any(|(other, _)| other == name) {
                return Err(Problem::bad_request(name, "is given twice"));
            }
        }
        Ok(())
    }

    /// The value of a parameter, if it is given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = std::future::Ready<Result<Query, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes())
            .into_owned()
            .collect::<Vec<_>>();
        let control = pairs
            .iter()
            .find(|(name, value)| name.chars().chain(value.chars()).any(char::is_control));
        std::future::ready(match control {
            Some((name, _)) => Err(Problem::bad_request(name, "must not contain control characters")),
            None => Ok(Query(pairs)),
        })
    }
}
