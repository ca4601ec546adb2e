//! What several binaries of stories stand on: a database of a test's own, a hub on it that can be restarted, and who is around it.
//!
//! The hub is the real one on a real socket and is spoken to over HTTP. Nothing here asserts what a story is about: a story does.
//! Start with [`site`]; [`world`] puts neighbours around it that registered by the real handshake, [`listed`] such as are only
//! written down.

pub mod listed;
pub mod orders;
pub mod peer;
pub mod place;
pub mod site;
pub mod world;

/// A story told on both databases.
#[allow(unused_macros, reason = "some binaries tell their stories on one")]
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($on:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            mod $name {
                use super::*;

                async fn story($on: $crate::common::place::On) -> Option<()> $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    story($crate::common::place::On::Sqlite).await.unwrap();
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    let _ = story($crate::common::place::On::Postgres).await;
                }
            }
        )*
    };
}
#[allow(unused_imports, reason = "some binaries tell their stories on one")]
pub(crate) use on_both;
