//! A database of one's own, gone when the test ends, however it ends.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tokio_postgres::{Config, NoTls};
use truewatt::store::Store;

pub enum Place {
    Sqlite {
        url: String,
        path: String,
        _folder: tempfile::TempDir,
    },
    Postgres {
        url: String,
        server: String,
        name: String,
    },
}

impl Place {
    pub fn sqlite() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truewatt.db").to_str().unwrap().to_owned();
        Place::Sqlite {
            url: format!("sqlite://{path}"),
            path,
            _folder: folder,
        }
    }

    /// `None`, and one loud line, when no server is given.
    pub async fn postgres() -> Option<Place> {
        let Some(server) = environment("TRUEWATT_TEST_POSTGRES") else {
            eprintln!("SKIPPED: this promise was NOT checked on PostgreSQL, TRUEWATT_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("truewatt_{}", uuid::Uuid::new_v4().simple());
        run(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"),
        )
        .await;
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        Some(Place::Postgres {
            url: url.into(),
            server,
            name,
        })
    }

    pub fn url(&self) -> &str {
        match self {
            Place::Sqlite { url, .. } | Place::Postgres { url, .. } => url,
        }
    }

    /// A store on it, as one more process would have it.
    pub async fn store(&self) -> Store {
        let store = Store::open(self.url()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// Whether the database lets a statement behind the store's back through.
    pub async fn may_execute(&self, sql: &str) -> bool {
        match self {
            Place::Sqlite { path, .. } => SqliteConnection::establish(path).unwrap().batch_execute(sql).is_ok(),
            Place::Postgres { url, .. } => attempt(url, sql).await,
        }
    }

    /// A statement behind the store's back.
    pub async fn execute(&self, sql: &str) {
        match self {
            Place::Sqlite { path, .. } => SqliteConnection::establish(path).unwrap().batch_execute(sql).unwrap(),
            Place::Postgres { url, .. } => run(url, sql).await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Postgres { server, name, .. } = self {
            let (server, drop) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
            // The test's own runtime may be unwinding.
            let dropping = std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(run(&server, &drop));
            });
            let _ = dropping.join();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test must know where its server is")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn run(url: &str, sql: &str) {
    assert!(attempt(url, sql).await, "{sql}");
}

async fn attempt(url: &str, sql: &str) -> bool {
    let config: Config = url.parse().unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let is_done = client.batch_execute(sql).await.is_ok();
    drop(client);
    let _ = driver.await;
    is_done
}
