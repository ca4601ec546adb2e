//! A database of a test's own.

use diesel::Connection;
use diesel::connection::SimpleConnection;
use tempfile::TempDir;
use uuid::Uuid;

/// Which database a story runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// Where a database is. That of SQLite goes with it, that of PostgreSQL with the server.
pub struct Place {
    pub url: String,
    _files: Option<TempDir>,
}

impl On {
    /// An empty database; `None` where there is no server for it, and one line says so.
    pub async fn place(self) -> Option<Place> {
        match self {
            On::Sqlite => {
                let files = tempfile::tempdir().unwrap();
                Some(Place {
                    url: format!("sqlite://{}", files.path().join("hub.db").display()),
                    _files: Some(files),
                })
            }
            On::Postgres => Some(Place {
                url: fresh_postgres().await?,
                _files: None,
            }),
        }
    }
}

impl Place {
    /// A statement behind everybody's back.
    pub async fn execute(&self, sql: &str) {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = diesel::SqliteConnection::establish(path).unwrap();
                let patient = format!("PRAGMA busy_timeout = 5000; {sql}");
                connection.batch_execute(&patient).unwrap();
            }
            None => {
                let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
                let driver = tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
                drop(client);
                let _ = driver.await;
            }
        }
    }
}

/// A database of its own on the server of `TRUEWATT_TEST_POSTGRES`.
async fn fresh_postgres() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test server is, only the environment knows"
    )]
    let Ok(server) = std::env::var("TRUEWATT_TEST_POSTGRES") else {
        println!("skipped on PostgreSQL: TRUEWATT_TEST_POSTGRES is not set");
        return None;
    };
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = format!("story_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}
