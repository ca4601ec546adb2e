//! The door for parties: OCPI 2.2.1 and 2.2.
//!
//! The [`frame`] is around everything below `/ocpi`, also around what fails: it knows the message ids before anything else
//! happens and puts them on every answer, writes errors as envelopes, and names the parties on functional modules. A handler
//! starts with [`Asked`] or [`Registered`], which is where 401 and 403 come from.
//!
//! Decisions of this room: an unknown path is 404 for everybody, since there is nothing to protect; on a path that exists an
//! unknown token is 401 before a wrong method is 405 (D-06).

pub mod body;
pub mod callbacks;
pub mod caller;
pub mod cdrs;
pub mod credentials;
mod framing;
pub mod links;
pub mod versions;

use actix_web::{HttpRequest, HttpResponse};

pub use caller::{Asked, Registered};
pub use framing::frame;

use super::error::OcpiError;
use crate::ocpi::refusal::Refusal;

/// The answer to a path that is not served (U-08).
pub async fn nothing_here() -> Result<HttpResponse, OcpiError> {
    Err(Refusal::not_found("there is nothing at this URL").into())
}

/// The answer to a method a path does not have (U-08, CR-24): only a known caller learns so much (D-06).
pub(super) fn wrong_method(allow: String) -> actix_web::Route {
    actix_web::web::to(move |request: HttpRequest| {
        let allow = allow.clone();
        async move {
            let asked = caller::ask(&request).await?;
            if framing::is_functional(request.path()) {
                asked.caller.must_be_registered()?;
            }
            let message = format!("{} is not possible here; possible: {allow}", request.method());
            Err::<HttpResponse, OcpiError>(Refusal::method_not_allowed(message).into())
        }
    })
}
