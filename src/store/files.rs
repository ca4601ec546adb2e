//! Documents laid beside registrations: found by their SHA-256, and never changed.
//!
//! They are committed with the version of the registration that names them ([`super::registry`]).

use chrono::{DateTime, Utc};

use diesel::Insertable;

use super::schema::registry_files;
use super::value::micros;
use super::{Store, StoreError, ask, both};

/// A document to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The registration it lies beside.
    pub registration: String,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Itself, in Base64.
    pub content: String,
    /// When it came.
    pub kept_at: DateTime<Utc>,
}

impl Store {
    /// A document in Base64; `None` where it is not kept.
    pub async fn registry_file(&self, registration: &str, sha256: &str) -> Result<Option<String>, StoreError> {
        let (registration, sha256) = (registration.to_owned(), sha256.to_owned());
        ask!(self, content(registration, sha256))
    }
}

#[derive(Clone, Insertable)]
#[diesel(table_name = registry_files)]
pub(super) struct FileRecord {
    registration: String,
    sha256: String,
    content: String,
    kept_at: i64,
}

both! {
    pub(super) async fn content(c: &mut Connection, registration: &str, sha256: &str) -> Result<Option<String>, StoreError> {
        let query = registry_files::table
            .filter(registry_files::registration.eq(registration))
            .filter(registry_files::sha256.eq(sha256));
        Ok(query.select(registry_files::content).first::<String>(c).await.optional()?)
    }

    pub(in crate::store) async fn keep(c: &mut Connection, file: &FileRecord) -> Result<(), StoreError> {
        diesel::insert_into(registry_files::table).values(file).on_conflict_do_nothing().execute(c).await?;
        Ok(())
    }
}

impl From<NewFile> for FileRecord {
    fn from(file: NewFile) -> FileRecord {
        FileRecord {
            registration: file.registration,
            sha256: file.sha256,
            content: file.content,
            kept_at: micros(file.kept_at),
        }
    }
}
