//! The schema: which version is there, which one we need, and the way from one to the other.
//!
//! The migrations are compiled into the program. Each is applied in a transaction together with the row that says so, so that a crash
//! leaves either version, nothing between. A database that knows a version we do not know belongs to a newer program: we keep our hands off.

use super::{Engine, Store, StoreError};

/// Where the schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest version applied; `None` for an empty database.
    pub current: Option<String>,
    /// The version this program needs.
    pub latest: String,
    /// Versions still to be applied, oldest first.
    pub pending: Vec<String>,
}

struct Migration {
    version: &'static str,
    up: &'static str,
    /// What the two databases have no common words for: triggers.
    guards: Guards,
}

struct Guards {
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        migration!(
            $version,
            $name,
            Guards {
                sqlite: "",
                postgres: ""
            }
        )
    };
    ($version:literal, $name:literal, guarded) => {
        migration!(
            $version,
            $name,
            Guards {
                sqlite: include_str!(concat!("../../migrations/", $version, "_", $name, "/guards.sqlite.sql")),
                postgres: include_str!(concat!(
                    "../../migrations/",
                    $version,
                    "_",
                    $name,
                    "/guards.postgres.sql"
                )),
            }
        )
    };
    ($version:literal, $name:literal, $guards:expr) => {
        Migration {
            version: $version,
            up: include_str!(concat!("../../migrations/", $version, "_", $name, "/up.sql")),
            guards: $guards,
        }
    };
}

/// All of them, oldest first.
const MIGRATIONS: &[Migration] = &[
    migration!("2026-11-21-000001", "first_story"),
    migration!("2026-11-21-000002", "hints"),
    migration!("2026-11-21-000003", "lent"),
    migration!("2026-11-21-000004", "mirror"),
    migration!("2026-11-21-000005", "presence"),
    migration!("2026-11-21-000006", "registry", guarded),
    migration!("2026-11-21-000007", "lent_object"),
    migration!("2026-11-21-000008", "consequences"),
    migration!("2026-11-21-000009", "registrations"),
    migration!("2026-11-21-000010", "heard"),
    migration!("2026-11-21-000011", "custom_modules"),
    migration!("2026-11-21-000013", "outside"),
    migration!("2026-11-21-000014", "audit", guarded),
    migration!("2026-11-21-000015", "duties", guarded),
    migration!("2026-11-22-000003", "retention"),
    migration!("2026-11-22-000004", "profiles"),
];

const RECORD: &str =
    "CREATE TABLE IF NOT EXISTS schema_versions (version TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)";

/// Any number will do as long as nobody else uses it: the bytes of "truewatt".
const LOCK: i64 = i64::from_be_bytes(*b"truewatt");

impl SchemaState {
    fn of(applied: Vec<String>) -> SchemaState {
        let pending = MIGRATIONS.iter().map(|migration| migration.version);
        SchemaState {
            pending: pending
                .filter(|version| !applied.iter().any(|known| known == version))
                .map(str::to_owned)
                .collect(),
            current: applied.into_iter().max(),
            latest: MIGRATIONS
                .last()
                .map(|migration| migration.version.to_owned())
                .unwrap_or_default(),
        }
    }

    /// Whether that version is applied.
    #[must_use]
    pub fn is_applied(&self, version: &str) -> bool {
        self.current.is_some() && !self.pending.iter().any(|due| due == version)
    }

    pub(super) fn refuse_newer(&self) -> Result<(), StoreError> {
        match &self.current {
            Some(current) if *current > self.latest => Err(StoreError::corrupt(format!(
                "the schema of the database is {current}, newer than the {} this program knows: start the newer program, or go back to \
                 a backup from before its migration",
                self.latest
            ))),
            _ => Ok(()),
        }
    }
}

impl Store {
    /// Brings the schema to this program's version. Two processes may start at once: one migrates, the other waits.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(db) => db.alone(on_sqlite::migrate).await,
            Engine::Postgres(db) => on_postgres::migrate(&mut *db.connection().await?).await,
        }
    }

    /// Where the schema stands.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let applied = match &self.engine {
            Engine::Sqlite(db) => db.read(on_sqlite::applied).await?,
            Engine::Postgres(db) => on_postgres::applied(&mut *db.connection().await?).await?,
        };
        Ok(SchemaState::of(applied))
    }
}

diesel::table! {
    schema_versions (version) {
        version -> Text,
        applied_at -> Text,
    }
}

/// The row goes in with the migration it stands for.
fn and_record(migration: &Migration, guards: &str) -> String {
    format!(
        "{}\n{guards}\nINSERT INTO schema_versions (version, applied_at) VALUES ('{}', CURRENT_TIMESTAMP);",
        migration.up, migration.version
    )
}

/// SQLite: one writer at a time, whatever process it is in, so `BEGIN IMMEDIATE` is the lock.
mod on_sqlite {
    use diesel::connection::SimpleConnection;
    use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};

    use super::{MIGRATIONS, RECORD, SchemaState, StoreError, and_record, schema_versions};

    pub(super) fn migrate(c: &mut SqliteConnection) -> Result<(), StoreError> {
        c.batch_execute("BEGIN IMMEDIATE")?;
        match steps(c) {
            Ok(()) => Ok(c.batch_execute("COMMIT")?),
            Err(error) => {
                let _ = c.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }

    fn steps(c: &mut SqliteConnection) -> Result<(), StoreError> {
        c.batch_execute(RECORD)?;
        let state = SchemaState::of(applied(c)?);
        state.refuse_newer()?;
        for migration in MIGRATIONS
            .iter()
            .filter(|migration| state.pending.iter().any(|due| due == migration.version))
        {
            c.batch_execute(&and_record(migration, migration.guards.sqlite))?;
        }
        Ok(())
    }

    pub(super) fn applied(c: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
        let known: Vec<String> =
            diesel::sql_query("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'")
                .load::<Name>(c)?
                .into_iter()
                .map(|table| table.name)
                .collect();
        if known.is_empty() {
            return Ok(known);
        }
        Ok(schema_versions::table
            .select(schema_versions::version)
            .order(schema_versions::version.asc())
            .load(c)?)
    }

    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
}

/// PostgreSQL: an advisory lock of the transaction, because there is no table to lock before the first migration.
mod on_postgres {
    use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
    use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

    use super::{LOCK, MIGRATIONS, RECORD, SchemaState, StoreError, and_record, schema_versions};

    pub(super) async fn migrate(c: &mut AsyncPgConnection) -> Result<(), StoreError> {
        // One transaction for all: PostgreSQL takes back CREATE TABLE too. The lock may be held for longer than a row's, by the other
        // process that migrates, and an index on much data takes its time, so the session's usual limits are lifted.
        c.batch_execute("BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")
            .await?;
        match locked_steps(c).await {
            Ok(()) => Ok(c.batch_execute("COMMIT").await?),
            Err(error) => {
                let _ = c.batch_execute("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn locked_steps(c: &mut AsyncPgConnection) -> Result<(), StoreError> {
        c.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .await?;
        steps(c).await
    }

    async fn steps(c: &mut AsyncPgConnection) -> Result<(), StoreError> {
        c.batch_execute(RECORD).await?;
        let state = SchemaState::of(applied(c).await?);
        state.refuse_newer()?;
        for migration in MIGRATIONS
            .iter()
            .filter(|migration| state.pending.iter().any(|due| due == migration.version))
        {
            c.batch_execute(&and_record(migration, migration.guards.postgres))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn applied(c: &mut AsyncPgConnection) -> Result<Vec<String>, StoreError> {
        let known: Option<Name> = diesel::sql_query("SELECT to_regclass('schema_versions')::text AS name")
            .get_result(c)
            .await
            .optional()?;
        if known.is_none_or(|table| table.name.is_none()) {
            return Ok(Vec::new());
        }
        Ok(schema_versions::table
            .select(schema_versions::version)
            .order(schema_versions::version.asc())
            .load(c)
            .await?)
    }

    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
        name: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    #[test]
    fn every_folder_of_migrations_is_compiled_in_and_has_a_way_back() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut versions = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                assert!(
                    path.join("up.sql").exists() && path.join("down.sql").exists(),
                    "{path:?}"
                );
                versions.push(
                    path.file_name()
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .split('_')
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
        versions.sort();
        assert_eq!(
            versions,
            MIGRATIONS.iter().map(|migration| migration.version).collect::<Vec<_>>()
        );
    }

    #[test]
    fn every_migration_can_be_undone_and_done_again() {
        let mut c = SqliteConnection::establish(":memory:").unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut downs: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().join("down.sql"))
            .filter(|down| down.exists())
            .collect();
        downs.sort();
        assert_eq!(downs.len(), MIGRATIONS.len());
        for _ in 0..2 {
            for migration in MIGRATIONS {
                c.batch_execute(migration.up).unwrap();
            }
            for down in downs.iter().rev() {
                c.batch_execute(&std::fs::read_to_string(down).unwrap()).unwrap();
            }
        }
    }

    #[test]
    fn a_version_of_the_future_is_refused() {
        let versions = MIGRATIONS.iter().map(|migration| migration.version.to_owned());
        let ours = SchemaState::of(versions.collect());
        assert_eq!((ours.pending.len(), ours.refuse_newer().is_ok()), (0, true));
        let newer = SchemaState::of(vec![MIGRATIONS[0].version.to_owned(), "2999-01-01-000001".to_owned()]);
        assert!(matches!(newer.refuse_newer(), Err(StoreError::Corrupt(_))));
        assert_eq!(SchemaState::of(Vec::new()).current, None);
    }
}
