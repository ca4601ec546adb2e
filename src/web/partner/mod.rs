//! The door for what OCPI does not offer to parties: what was found out about their CDRs, and what became of them.
//!
//! Opened by the same credentials token as OCPI; the acting party is `OCPI-from-*`, or any party of the platform where it is
//! absent. JSON in and out, every failure a problem document. The rule all follows from: **a party reads its own**, and about
//! everything else it learns not even whether it exists (404).
//!
//! Start with [`Partner`], which every handler here begins with.

pub mod cdrs;
pub mod conformity;
pub mod observations;
pub mod profiles;
pub mod registrations;
pub mod repeat;
pub mod reports;
pub mod transparency;
pub mod waivers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::error::OcpiError;
use super::ocpi::Registered;
use super::operator::Problem;
use crate::evidence::receipts::Asking;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::Role;
use crate::routing::directory::Platform;
use crate::routing::scenario::acting;

/// A registered platform, and the parties it acts as.
pub struct Partner {
    /// The parties, by role.
    pub asking: Asking,
    /// The platform.
    pub platform: Arc<Platform>,
    /// The party it named as acting, if it named one.
    pub from: Option<PartyId>,
}

impl FromRequest for Partner {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Partner, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let registered = Registered::from_request(request, payload);
        Box::pin(async move {
            let asked = registered.await.map_err(|OcpiError(failure)| Problem::from(failure))?;
            let keys = |role| {
                let parties = acting(&asked.caller.platform, asked.routing.from.as_ref(), role);
                parties.map(|parties| parties.iter().map(PartyId::key).collect::<Vec<_>>())
            };
            let refused = |refusal| Problem::from(crate::parties::Failure::Refused(refusal));
            let cpo_keys = keys(Role::Cpo).map_err(refused)?;
            let emsp_keys = keys(Role::Emsp).map_err(refused)?;
            Ok(Partner {
                asking: Asking { cpo_keys, emsp_keys },
                platform: asked.caller.platform.clone(),
                from: asked.routing.from,
            })
        })
    }
}
