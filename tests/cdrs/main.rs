//! CDRs at the hub as its neighbours see them: design.md 3.5 and 3.6, on both databases.
#![allow(clippy::unwrap_used)]

mod carrying;
mod commands;
mod credits;
mod lifecycle;
mod peer;
mod pulling;
mod refusing;
mod registering;
mod taking;
mod verdicts;
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
