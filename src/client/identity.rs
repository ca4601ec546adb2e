//! What we show to servers that want to know who calls (mutual TLS): a certificate of ours, and roots to trust where we show it.
//!
//! A certificate lives for weeks and a hub for months: the files are looked at again while they are used, and what was renewed is
//! shown from the next connection on. A half-renewed pair is not: the one before stays until both files fit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, ClientBuilder};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Files are looked at no more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where an identity is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it is called.
    pub name: String,
    /// PEM files of a certificate with its chain, and of its private key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A PEM file of roots to trust beside those of the system.
    pub ca: Option<PathBuf>,
}

/// Files that make no identity. What is in them is not repeated: one holds a private key.
#[derive(Debug, Error)]
pub enum Unusable {
    /// One cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in them is not what it should be.
    #[error("{what}")]
    Nonsense {
        /// What is wrong.
        what: &'static str,
        /// What TLS says about it.
        source: Option<reqwest::Error>,
    },
}

type Builder = Arc<dyn Fn() -> ClientBuilder + Send + Sync>;

/// An identity in use.
pub(super) struct Shown {
    files: Identity,
    builder: Builder,
    state: Mutex<State>,
}

struct State {
    client: Client,
    /// Of what was in the files.
    digest: [u8; 32],
    looked: Instant,
    /// The last complaint about them, so that it is made once.
    complaint: Option<String>,
}

impl Shown {
    pub(super) fn begin(files: Identity, builder: Builder) -> Result<Shown, Unusable> {
        let read = files.read()?;
        let state = State {
            client: read.client(&builder)?,
            digest: read.digest(),
            looked: Instant::now(),
            complaint: None,
        };
        Ok(Shown {
            files,
            builder,
            state: Mutex::new(state),
        })
    }

    /// A client that shows what the files hold now.
    pub(super) async fn client(&self) -> Client {
        if self.is_time_to_look() {
            let (files, builder) = (self.files.clone(), self.builder.clone());
            let known = self.state.lock().unwrap_or_else(PoisonError::into_inner).digest;
            let look = tokio::task::spawn_blocking(move || renewed(&files, &builder, known));
            match look.await {
                Ok(found) => self.adopt(found),
                Err(error) => log::error!("looking at the identity {}: {error}", self.files.name),
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
    }

    fn is_time_to_look(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = state.looked.elapsed() >= LOOK_EVERY;
        if is_time {
            state.looked = Instant::now();
        }
        is_time
    }

    fn adopt(&self, found: Result<Option<(Client, [u8; 32])>, Unusable>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(None) => state.complaint = None,
            Ok(Some((client, digest))) => {
                log::info!("the identity {} was renewed", self.files.name);
                (state.client, state.digest, state.complaint) = (client, digest, None);
            }
            Err(unusable) => {
                let complaint = unusable.to_string();
                if state.complaint.as_ref() != Some(&complaint) {
                    log::warn!("the identity {} stays as it was: {complaint}", self.files.name);
                    state.complaint = Some(complaint);
                }
            }
        }
    }
}

// By hand: a client knows its key.
impl fmt::Debug for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Shown({})", self.files.name)
    }
}

fn renewed(files: &Identity, builder: &Builder, known: [u8; 32]) -> Result<Option<(Client, [u8; 32])>, Unusable> {
    let read = files.read()?;
    let digest = read.digest();
    if digest == known {
        return Ok(None);
    }
    Ok(Some((read.client(builder)?, digest)))
}

/// What is in the files.
struct Read {
    certificate: Option<(Vec<u8>, Vec<u8>)>,
    ca: Option<Vec<u8>>,
}

impl Identity {
    fn read(&self) -> Result<Read, Unusable> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| Unusable::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        let pair = self.certificate.as_ref();
        Ok(Read {
            certificate: pair.map(|(one, other)| Ok((read(one)?, read(other)?))).transpose()?,
            ca: self.ca.as_deref().map(read).transpose()?,
        })
    }
}

impl Read {
    fn digest(&self) -> [u8; 32] {
        let (certificate, private_key) = self.certificate.clone().unwrap_or_default();
        let mut digest = Sha256::new();
        for part in [&certificate, &private_key, self.ca.as_ref().unwrap_or(&Vec::new())] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn client(&self, builder: &Builder) -> Result<Client, Unusable> {
        let mut client = builder();
        if let Some((certificate, private_key)) = &self.certificate {
            let pem = [certificate.as_slice(), b"\n", private_key].concat();
            let wrong = nonsense("certificate and private_key are no PEM certificate with a private key");
            client = client.identity(reqwest::Identity::from_pem(&pem).map_err(wrong)?);
        }
        if let Some(ca) = &self.ca {
            let wrong = nonsense("ca is no PEM file of certificates");
            let roots = Certificate::from_pem_bundle(ca).map_err(wrong)?;
            if roots.is_empty() {
                return Err(Unusable::Nonsense {
                    what: "ca holds no certificate",
                    source: None,
                });
            }
            client = client.tls_certs_merge(roots);
        }
        client.build().map_err(nonsense(
            "certificate and private_key do not fit together, or ca is none",
        ))
    }
}

fn nonsense(what: &'static str) -> impl FnOnce(reqwest::Error) -> Unusable {
    move |error| Unusable::Nonsense {
        what,
        source: Some(error),
    }
}
