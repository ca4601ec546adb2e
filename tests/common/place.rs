//! A database of a test's own.

use std::collections::BTreeMap;

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
        self.attempt(sql).await.unwrap();
    }

    /// One that may be refused.
    pub async fn attempt(&self, sql: &str) -> Result<(), String> {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = diesel::SqliteConnection::establish(path).unwrap();
                let patient = format!("PRAGMA busy_timeout = 5000; {sql}");
                connection.batch_execute(&patient).map_err(|error| error.to_string())
            }
            None => {
                let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
                let driver = tokio::spawn(connection);
                let done = client.batch_execute(sql).await.map_err(|error| error.to_string());
                drop(client);
                let _ = driver.await;
                done
            }
        }
    }

    /// Every table as text, by its name.
    pub async fn tables(&self) -> BTreeMap<String, String> {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = diesel::SqliteConnection::establish(path).unwrap();
                let names = texts(
                    &mut connection,
                    "SELECT name AS it FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                );
                let table = |name: String| {
                    let columns = texts(
                        &mut connection,
                        &format!("SELECT 'quote(' || name || ')' AS it FROM pragma_table_info('{name}')"),
                    );
                    let rows = format!("SELECT {} AS it FROM {name} ORDER BY 1", columns.join(" || ',' || "));
                    (name, texts(&mut connection, &rows).join("\n"))
                };
                names.into_iter().map(table).collect()
            }
            None => {
                let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
                let driver = tokio::spawn(connection);
                let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
                let mut tables = BTreeMap::new();
                for row in client.query(names, &[]).await.unwrap() {
                    let name: String = row.get(0);
                    let rows =
                        format!("SELECT coalesce(string_agg(it::text, E'\\n' ORDER BY it::text), '') FROM {name} it");
                    let rows: String = client.query_one(&rows, &[]).await.unwrap().get(0);
                    tables.insert(name, rows);
                }
                drop(client);
                let _ = driver.await;
                tables
            }
        }
    }

    /// Everything that the database keeps, as it keeps it: every octet of its files, or every table as text. Not the key beside it.
    pub async fn dump(&self) -> Vec<u8> {
        let mut dump: Vec<u8> = self
            .tables()
            .await
            .into_iter()
            .flat_map(|(name, rows)| format!("{name}: {rows}\n").into_bytes())
            .collect();
        if let Some(files) = &self._files {
            for file in std::fs::read_dir(files.path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "key") {
                    dump.extend(std::fs::read(path).unwrap());
                }
            }
        }
        dump
    }
}

/// The column `it` of every row.
fn texts(connection: &mut diesel::SqliteConnection, sql: &str) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        it: String,
    }
    let rows: Vec<Row> = diesel::RunQueryDsl::load(diesel::sql_query(sql), connection).unwrap();
    rows.into_iter().map(|row| row.it).collect()
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
