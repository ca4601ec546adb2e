//! Who is asking: what a handler under `/ocpi` and `/partner` starts with.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::framing::{naming, text};
use crate::ocpi::headers::{self, MessageIds, Routing};
use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::versions::Version;
use crate::parties::{Caller, Fault};
use crate::web::Doors;
use crate::web::error::OcpiError;
use crate::web::passing::Passing;

/// A request of a platform we know, with a token of any kind: enough for versions and credentials (T-04).
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// The version in the URL, where there is one.
    pub version: Option<Version>,
    /// The message ids, made up where they were missing (M-08).
    pub ids: MessageIds,
}

/// A request of a registered platform: what every other module needs.
pub struct Registered {
    /// Who.
    pub caller: Caller,
    /// The version in the URL, where there is one.
    pub version: Option<Version>,
    /// The message ids, made up where they were missing (M-08).
    pub ids: MessageIds,
    /// The parties named, each pair complete.
    pub routing: Routing,
}

impl Asked {
    /// The version of the URL called.
    ///
    /// # Errors
    /// 404 where the URL has none.
    pub fn version(&self) -> Result<Version, Refusal> {
        self.version
            .ok_or_else(|| Refusal::not_found("this URL has no version"))
    }
}

impl Registered {
    /// The version of the URL called.
    ///
    /// # Errors
    /// 404 where the URL has none.
    pub fn version(&self) -> Result<Version, Refusal> {
        self.version
            .ok_or_else(|| Refusal::not_found("this URL has no version"))
    }
}

/// Recognises the caller of a request (T-03), then the version it asked for (404 for one that is not spoken here).
pub(super) async fn ask(request: &HttpRequest) -> Result<Asked, OcpiError> {
    let doors = request
        .app_data::<Data<Doors>>()
        .ok_or_else(|| Fault::found("a request reached a door without rooms"))?;
    let named = request.match_info().get("version");
    let version = named.and_then(Version::parse);
    let authorization = text(request.headers(), headers::AUTHORIZATION);
    let caller = match doors.parties.recognise(authorization, version) {
        Ok(caller) => caller,
        Err(refusal) => {
            if refusal.situation == Situation::Unauthenticated && authorization.is_some() {
                doors.limits.wrong_token(request);
            }
            return Err(refusal.into());
        }
    };
    Passing::is_of(request, &caller.platform);
    caller.must_not_be_suspended()?;
    doors.limits.platform_may_ask(&caller.platform)?;
    doors.parties.welcome(&caller).await;
    if named.is_some() && version.is_none() {
        return Err(Refusal::not_found("this version is not spoken here").into());
    }
    let ids = match request.extensions().get::<MessageIds>() {
        Some(ids) => ids.clone(),
        None => MessageIds::read(|name| text(request.headers(), name)),
    };
    Ok(Asked { caller, version, ids })
}

/// The same, and that it is registered, with the parties it names.
pub(super) async fn ask_registered(request: &HttpRequest) -> Result<Registered, OcpiError> {
    let Asked { caller, version, ids } = ask(request).await?;
    caller.must_be_registered()?;
    let routing = Routing::read(|name| naming(request.headers(), name))?;
    Ok(Registered {
        caller,
        version,
        ids,
        routing,
    })
}

impl FromRequest for Asked {
    type Error = OcpiError;
    type Future = Pin<Box<dyn Future<Output = Result<Asked, OcpiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { ask(&request).await })
    }
}

impl FromRequest for Registered {
    type Error = OcpiError;
    type Future = Pin<Box<dyn Future<Output = Result<Registered, OcpiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { ask_registered(&request).await })
    }
}
