//! Lent URLs as the neighbours of a hub see them: results of commands and profiles, next pages; on both databases.
#![allow(clippy::unwrap_used)]

mod answers;
mod pages;
#[path = "../cdrs/peer.rs"]
#[allow(
    dead_code,
    reason = "the same neighbour as in the stories of CDRs, who is asked for more there"
)]
mod peer;
mod world;

/// A story told on both databases.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($on:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                async fn story($on: On) -> Option<()> $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    story(On::Sqlite).await.unwrap();
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    let _ = story(On::Postgres).await;
                }
            }
        )*
    };
}
pub(crate) use on_both;
