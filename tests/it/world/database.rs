//! A database for one story, gone when the story ends.

use std::path::Path;
use std::sync::Once;

use tokio_postgres::NoTls;

/// Where the hub of a story keeps what it knows.
pub struct Database {
    /// As in `database.url`.
    pub url: String,
    /// The story's directory: the SQLite file, the hub's working directory, its log.
    directory: tempfile::TempDir,
    drop_at: Option<(String, String)>,
}

impl Database {
    /// A SQLite file in a directory of its own.
    pub fn sqlite() -> Database {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("truewatt.db").display());
        Database {
            url,
            directory,
            drop_at: None,
        }
    }

    /// A PostgreSQL database of its own on the server in `TRUEWATT_TEST_POSTGRES`; `None`, said aloud, without one.
    #[allow(
        clippy::disallowed_methods,
        reason = "where the test server is, the tester knows, not config"
    )]
    pub async fn postgres() -> Option<Database> {
        static SAID: Once = Once::new();
        let Ok(server) = std::env::var("TRUEWATT_TEST_POSTGRES") else {
            SAID.call_once(|| eprintln!("SKIPPED: the stories on PostgreSQL need TRUEWATT_TEST_POSTGRES=postgres://…"));
            return None;
        };
        let name = format!("truewatt_story_{}", uuid::Uuid::new_v4().simple());
        run(&server, &format!("CREATE DATABASE {name}"))
            .await
            .expect("a database is made on TRUEWATT_TEST_POSTGRES");
        let url = with_database(&server, &name);
        Some(Database {
            url,
            directory: tempfile::tempdir().unwrap(),
            drop_at: Some((server, name)),
        })
    }

    /// A database that somebody else looks after.
    #[allow(dead_code, reason = "for stories that harm it from outside")]
    pub fn at(url: &str) -> Database {
        Database {
            url: url.to_owned(),
            directory: tempfile::tempdir().unwrap(),
            drop_at: None,
        }
    }

    /// The story's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((server, name)) = self.drop_at.take() else {
            return;
        };
        // A destructor cannot await, and the story's runtime may be ending: a thread with a runtime of its own can.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime
                .block_on(run(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
                .ok()
        });
        if !matches!(dropping.join(), Ok(Some(()))) {
            eprintln!("a story's database could not be dropped");
        }
    }
}

async fn run(server: &str, statement: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    let carrying = tokio::spawn(connection);
    let outcome = client.batch_execute(statement).await;
    drop(client);
    let _ = carrying.await;
    outcome
}

/// The server's URL with another database.
fn with_database(server: &str, name: &str) -> String {
    let (head, query) = server
        .split_once('?')
        .map_or((server, String::new()), |(head, query)| (head, format!("?{query}")));
    let authority = head.find("://").map_or(0, |at| at + 3);
    let end = head[authority..].find('/').map_or(head.len(), |at| authority + at);
    format!("{}/{name}{query}", &head[..end])
}
