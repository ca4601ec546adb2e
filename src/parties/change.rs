//! Changing one platform: decide on what is stored, commit on condition, decide again if it moved.

use super::directory::PlatformFile;
use super::failure::Fault;
use super::{Failure, Parties};
use crate::ocpi::ids::PlatformId;
use crate::ocpi::refusal::Refusal;
use crate::store::error::StoreError;
use crate::store::parties::PlatformChange;

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum NotChanged<E> {
    /// There is no such platform (any more).
    Vanished,
    /// The decision was against it.
    Refused(E),
    /// A party is registered by another platform (CR-33).
    Taken(String),
    /// It was us.
    Ours(Fault),
}

/// How often a change is decided anew when others change the same platform at the same time. Each of them made progress,
/// so eight is beyond what two administrators and a peer can cause.
const ATTEMPTS: usize = 8;

impl Parties {
    /// Makes one change to a platform, or none when `decide` returns `None`. The snapshot shows it when this returns.
    ///
    /// `decide` sees what is stored and may be asked again; it does not wait for anybody.
    pub(super) async fn change<E>(
        &self,
        id: &PlatformId,
        mut decide: impl FnMut(&PlatformFile) -> Result<Option<PlatformChange>, E>,
    ) -> Result<(), NotChanged<E>> {
        for _ in 0..ATTEMPTS {
            let file = self.file(id).await?.ok_or(NotChanged::Vanished)?;
            let Some(change) = decide(&file).map_err(NotChanged::Refused)? else {
                return Ok(());
            };
            let revision = file.platform.revision;
            let change = PlatformChange {
                id: id.to_string(),
                expected_revision: Some(revision),
                at: Some(self.now()),
                ..change
            };
            match self.store.platform_change(change).await {
                Ok(_) => {
                    self.reload().await?;
                    return Ok(());
                }
                Err(StoreError::NotFound) => return Err(NotChanged::Vanished),
                Err(StoreError::Conflict(why)) => {
                    let now = self.file(id).await?.ok_or(NotChanged::Vanished)?;
                    if now.platform.revision == revision {
                        return Err(NotChanged::Taken(why));
                    }
                }
                Err(error) => {
                    return Err(Fault::new(format!("changing platform {id}"), error).into());
                }
            }
        }
        Err(Fault::found(format!("platform {id} changes faster than it can be changed")).into())
    }
}

impl<E> From<Fault> for NotChanged<E> {
    fn from(fault: Fault) -> NotChanged<E> {
        NotChanged::Ours(fault)
    }
}

impl From<NotChanged<Refusal>> for Failure {
    fn from(not: NotChanged<Refusal>) -> Failure {
        match not {
            NotChanged::Vanished => Refusal::unauthenticated("this platform is no longer known").into(),
            NotChanged::Refused(refusal) => refusal.into(),
            NotChanged::Taken(why) => Refusal::invalid("/roles", why).into(),
            NotChanged::Ours(fault) => fault.into(),
        }
    }
}
