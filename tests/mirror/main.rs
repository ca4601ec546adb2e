//! What is meant for everybody, as the neighbours of a hub see it: broadcasts, lists of all owners, pulls. On both databases.
#![allow(clippy::unwrap_used)]

mod audience;
mod broadcasting;
mod leaving;
mod objects;
mod peer;
mod pulling;
mod reading;
mod world;

/// A story told on both databases.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($on:ident) $body:block)*) => {
        $(
            $(#[$doc])*
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
