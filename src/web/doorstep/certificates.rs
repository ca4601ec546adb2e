//! The certificate the hub shows, read from files and read again when they change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::config::Tls;

/// What is shown to who connects now, and where it comes from.
#[derive(Debug)]
pub struct Certificates {
    files: Tls,
    shown: ArcSwap<CertifiedKey>,
    /// What was read last, usable or not.
    last: Mutex<Looked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looked {
    /// Of both files; nothing where one could not be read.
    digest: Option<[u8; 32]>,
    /// Whether it is what is shown.
    shown: bool,
}

/// Why nobody can be shown these files. Nothing of their content is repeated.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file has not what it should have.
    #[error("{} has no {what} in PEM", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// The two do not belong together, or are of a kind nobody can use.
    #[error("certificate and private key cannot be used together")]
    Unusable(#[source] rustls::Error),
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

impl Certificates {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`CertificateError`]: without a certificate there is nothing to show.
    pub fn read(files: &Tls) -> Result<Arc<Certificates>, CertificateError> {
        let read = Files::read(files)?;
        let digest = Some(read.digest());
        Ok(Arc::new(Certificates {
            shown: ArcSwap::new(Arc::new(read.usable(files)?)),
            files: files.clone(),
            last: Mutex::new(Looked { digest, shown: true }),
        }))
    }

    /// Looks at the files again. New ones that can be used are shown from now on to who connects; for others the old one stays, which is
    /// said once.
    pub fn look(&self) {
        let read = Files::read(&self.files);
        let digest = read.as_ref().ok().map(Files::digest);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.digest == digest {
            return;
        }
        let usable = read.and_then(|read| read.usable(&self.files));
        *last = Looked {
            digest,
            shown: usable.is_ok(),
        };
        match usable {
            Ok(fresh) => {
                self.shown.store(Arc::new(fresh));
                log::info!(
                    "a renewed certificate is shown from now on: {}",
                    self.files.certificate.display()
                );
            }
            Err(why) => log::error!(
                "the renewed certificate is not shown, the one before stays: {}",
                chain(&why)
            ),
        }
    }

    /// The certificate that is shown, for tests that wait for another one.
    #[cfg(test)]
    pub(crate) fn own(&self) -> Vec<u8> {
        self.shown
            .load()
            .cert
            .first()
            .map(|first| first.to_vec())
            .unwrap_or_default()
    }

    /// Whether what is shown is what the files hold.
    #[must_use]
    pub fn are_those_of_the_files(&self) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).shown
    }

    /// How TLS is spoken: 1.2 and 1.3, HTTP/1.1 only.
    ///
    /// # Errors
    /// [`CertificateError::Setup`].
    pub fn server(self: Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(CertificateError::Setup)?;
        let mut server = builder.with_no_client_auth().with_cert_resolver(self);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(server))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.load_full())
    }
}

/// The octets of both files.
struct Files {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
}

impl Files {
    fn read(files: &Tls) -> Result<Files, CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| CertificateError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Files {
            certificate: read(&files.certificate)?,
            private_key: read(&files.private_key)?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.certificate.len().to_be_bytes());
        digest.update(&self.certificate);
        digest.update(&self.private_key);
        digest.finalize().into()
    }

    fn usable(&self, files: &Tls) -> Result<CertifiedKey, CertificateError> {
        let missing = |path: &Path, what| CertificateError::Missing {
            path: path.to_owned(),
            what,
        };
        let chain: Result<Vec<CertificateDer<'static>>, pem::Error> =
            CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| missing(&files.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.private_key);
        let key = key.map_err(|_| missing(&files.private_key, "private key"))?;
        // It also finds out whether they belong together: half of a renewal is no certificate.
        CertifiedKey::from_der(chain, key, &provider()).map_err(CertificateError::Unusable)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Place {
        files: Tls,
        _directory: tempfile::TempDir,
    }

    fn place() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let files = Tls {
            certificate: directory.path().join("hub.pem"),
            private_key: directory.path().join("hub.key"),
        };
        Place {
            files,
            _directory: directory,
        }
    }

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["hub.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    impl Place {
        fn put(&self, certificate: &str, private_key: &str) {
            fs::write(&self.files.certificate, certificate).unwrap();
            fs::write(&self.files.private_key, private_key).unwrap();
        }
    }

    #[test]
    fn what_is_no_pair_is_refused_by_a_sentence_that_repeats_nothing() {
        let place = place();
        let why = || chain(&Certificates::read(&place.files).unwrap_err());
        assert!(why().contains("hub.pem cannot be read"));
        let ((certificate, key), (other, _)) = (made(), made());
        for (put, said) in [
            (("", key.as_str()), "hub.pem has no certificate"),
            (("nonsense", &key), "hub.pem has no certificate"),
            ((&certificate, ""), "hub.key has no private key"),
            ((&certificate, &certificate), "hub.key has no private key"),
            ((&other, &key), "cannot be used together"),
        ] {
            place.put(put.0, put.1);
            assert!(why().contains(said), "{}", why());
        }
    }

    #[test]
    fn a_renewed_pair_is_shown_and_half_of_one_is_not() {
        let place = place();
        let (first, first_key) = made();
        place.put(&first, &first_key);
        let certificates = Certificates::read(&place.files).unwrap();
        let shown = || certificates.shown.load().cert.first().cloned().unwrap();
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        certificates.look();
        assert_eq!(shown(), der(&first));
        let (second, second_key) = made();
        place.put(&second, &first_key);
        certificates.look();
        assert_eq!(shown(), der(&first), "half of a renewal");
        assert!(!certificates.are_those_of_the_files());
        place.put(&second, &second_key);
        certificates.look();
        assert_eq!(shown(), der(&second));
        assert!(certificates.are_those_of_the_files());
        fs::remove_file(&place.files.private_key).unwrap();
        certificates.look();
        assert_eq!(shown(), der(&second));
        assert!(!certificates.are_those_of_the_files());
        place.put(&second, &second_key);
        certificates.look();
        assert!(certificates.are_those_of_the_files());
    }
}
