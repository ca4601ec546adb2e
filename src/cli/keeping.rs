//! Which key partners' tokens are kept under: the configured one, else one that is made once and lies beside the database.
//!
//! Never in the database, whose copies travel. Where no key can be had, a hub that is reached by https does not start; one on a machine of
//! its own is warned.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::config::{Config, Secret};
use crate::store::{BadKey, Keyring, NotSettled, Store, StoreError};

/// Why there is no key to keep secrets under.
#[derive(Debug, Error)]
pub(super) enum NoKey {
    /// There are secrets, and what closed them is gone.
    #[error("secrets.key is not set, and the tokens of partners in this database are closed with one{0}")]
    Gone(String),
    /// There is no place for a key of our own making.
    #[error(
        "secrets.key must be set: a hub that partners reach by https keeps their tokens encrypted, and with PostgreSQL there is no place \
         for a key of its own making (openssl rand -hex 32)"
    )]
    Missing,
    /// The file beside the database.
    #[error("the key file {} cannot be read or made", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in it.
    #[error("the key file {} does not hold 64 hexadecimal digits", .0.display())]
    Nonsense(PathBuf),
    /// A key is none.
    #[error(transparent)]
    Bad(#[from] BadKey),
    /// They do not open what is there.
    #[error(transparent)]
    NotSettled(#[from] NotSettled),
    /// The database.
    #[error("the database cannot be asked whether it holds closed secrets")]
    Store(#[from] StoreError),
}

impl NoKey {
    /// Whether it is a matter of what was configured, and not of what the world did.
    pub(super) fn is_nonsense(&self) -> bool {
        !matches!(
            self,
            NoKey::File { .. } | NoKey::Store(_) | NoKey::NotSettled(NotSettled::Store(_))
        )
    }
}

/// Migrates the database, with what it holds kept under the key. A wrong key is noticed before anything is changed.
pub(super) async fn migrated(config: &Config, store: Store) -> Result<Result<Store, NoKey>, StoreError> {
    let is_there = store.schema_state().await?.is_applied("2026-11-21-000013");
    if !is_there {
        store.migrate().await?;
    }
    let keys = match keyring(config, &store).await {
        Ok(keys) => keys,
        Err(no_key) => return Ok(Err(no_key)),
    };
    let store = match keys {
        Some(keys) => store.keeping_secrets_under(Arc::new(keys)),
        None => store,
    };
    match store.settle_secrets().await {
        Ok(settled) if settled.closed + settled.reclosed > 0 => log::info!(
            "secrets: {} that stood in the database as they are and {} that a previous key had closed are closed with secrets.key",
            settled.closed,
            settled.reclosed
        ),
        Ok(_) => {}
        Err(not_settled) => return Ok(Err(not_settled.into())),
    }
    if is_there {
        store.migrate().await?;
    }
    Ok(Ok(store))
}

async fn keyring(config: &Config, store: &Store) -> Result<Option<Keyring>, NoKey> {
    let beside = config.database.url.expose().strip_prefix("sqlite://").map(beside);
    let mut others = config.secrets.previous_keys.iter().map(octets).collect::<Vec<_>>();
    let lying = match &beside {
        Some(path) => read(path)?,
        None => None,
    };
    if let Some(key) = &config.secrets.key {
        // Whoever configures a key later brings along what the one beside the database closed.
        others.extend(lying.iter().map(octets));
        return Ok(Some(Keyring::new(&octets(key), &others)?));
    }
    let is_closed = store.has_closed_secrets().await?;
    let key = match (lying, beside) {
        (Some(key), _) => key,
        (None, Some(path)) if is_closed => {
            return Err(NoKey::Gone(format!(
                "; the file {} is not there either",
                path.display()
            )));
        }
        (None, Some(path)) => make(&path)?,
        (None, None) if is_closed => return Err(NoKey::Gone(String::new())),
        (None, None) if config.server.public_url.starts_with("https://") => return Err(NoKey::Missing),
        (None, None) => {
            log::warn!("secrets.key is not set: the tokens of partners stand in the database as they are");
            return Ok(None);
        }
    };
    Ok(Some(Keyring::new(&octets(&key), &others)?))
}

fn octets(key: &Secret) -> Vec<u8> {
    hex::decode(key.expose()).unwrap_or_default()
}

/// The file of the key of a database.
fn beside(database: &str) -> PathBuf {
    PathBuf::from(format!("{database}.key"))
}

fn read(path: &Path) -> Result<Option<Secret>, NoKey> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() == 64 && hex::decode(text.trim()).is_ok() => Ok(Some(Secret::new(text.trim()))),
        Ok(_) => Err(NoKey::Nonsense(path.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(in_file(path)(source)),
    }
}

/// A fresh key in a file that only we may read. The one of a process that was quicker counts.
fn make(path: &Path) -> Result<Secret, NoKey> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|error| in_file(path)(std::io::Error::other(error.to_string())))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Whole or not at all: made under another name, and then given this one unless somebody has it.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(in_file(path))?;
    writeln!(file, "{}", hex::encode(fresh)).map_err(in_file(path))?;
    file.as_file().sync_all().map_err(in_file(path))?;
    match file.persist_noclobber(path) {
        Ok(_) => log::info!(
            "made {}: without it nobody opens the tokens of partners in this database",
            path.display()
        ),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(in_file(path)(error.error)),
    }
    read(path)?.ok_or_else(|| NoKey::Nonsense(path.to_owned()))
}

fn in_file(path: &Path) -> impl FnOnce(std::io::Error) -> NoKey {
    let path = path.to_owned();
    move |source| NoKey::File { path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("hub.db").display().to_string());
        assert!(read(&path).unwrap().is_none());
        let made = make(&path).unwrap();
        assert_eq!(
            make(&path).unwrap().expose(),
            made.expose(),
            "whoever comes second takes what is there"
        );
        assert_eq!(read(&path).unwrap().unwrap().expose(), made.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing else is left behind"
        );
        std::fs::write(&path, "nonsense").unwrap();
        assert!(matches!(read(&path), Err(NoKey::Nonsense(_))));
    }
}
