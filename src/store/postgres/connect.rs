//! From a URL to a connection, in clear or over TLS.
//!
//! `sslmode=require` (also `verify-ca`, `verify-full`) means TLS with the server's certificate and name checked against the system's
//! roots; there is no unchecked TLS. Without it, or with `disable` and `prefer`, the connection is in clear: for loopback, a socket or a
//! private network.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::StoreError;

/// An address at which nobody answers at all is given up after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Where there is another address, it is tried sooner.
const NEXT_ADDRESS: Duration = Duration::from_secs(2);
/// A server that vanished without a word, with its machine or its network, is found out after this long.
const SILENCE: Duration = Duration::from_secs(10);

/// Every commit is on the server's disk before we hear of it, and on that of its synchronous replica where it has one; a statement that
/// meets a lock, or a server that crawls, gives up before its caller does. The server does not count the commit itself: it may wait for a
/// replica, and must not end before.
const SESSION: &str =
    "SET synchronous_commit = on; SET lock_timeout = '10s'; SET statement_timeout = '20s'; SET TIME ZONE 'UTC';";

/// Where to connect, and how.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Target {
    pub(super) fn read(url: &str) -> Result<Target, StoreError> {
        // The driver knows "require" only; what we do for it is what these two ask for.
        let url = url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        // The driver's own words about a bad URL do not repeat it: it may hold a password.
        let mut config = Config::from_str(&url)
            .map_err(|cause| StoreError::unavailable_because("reading the URL of the database", cause))?;
        let is_alone = config.get_hosts().len() < 2;
        config
            .connect_timeout(if is_alone { CONNECT_TIMEOUT } else { NEXT_ADDRESS })
            .keepalives_idle(SILENCE)
            .keepalives_interval(SILENCE / 4)
            .tcp_user_timeout(SILENCE)
            .application_name("truewatt");
        let tls = match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => None,
            _ => Some(tls()?),
        };
        Ok(Target { config, tls })
    }

    /// How long it may take to try every address.
    pub(super) fn patience(&self) -> Duration {
        let addresses = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        NEXT_ADDRESS * addresses + Duration::from_secs(3)
    }

    /// A connection of its own for what the server says unasked. `heard` is called for every notice, and the task ends with the connection.
    pub(super) async fn listen(
        &self,
        heard: impl Fn() + Send + 'static,
    ) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        Ok(match &self.tls {
            None => {
                let (client, line) = self.config.connect(NoTls).await?;
                (client, tokio::spawn(follow(line, heard)))
            }
            Some(tls) => {
                let (client, line) = self.config.connect(tls.clone()).await?;
                (client, tokio::spawn(follow(line, heard)))
            }
        })
    }

    pub(super) async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let refused = |cause: tokio_postgres::Error| ConnectionError::BadConnection(with_causes(&cause));
        let mut connection = match &self.tls {
            None => {
                let (client, line) = self.config.connect(NoTls).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, line).await?
            }
            Some(tls) => {
                let (client, line) = self.config.connect(tls.clone()).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, line).await?
            }
        };
        connection
            .batch_execute(SESSION)
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}

async fn follow<S, T>(mut line: Connection<S, T>, heard: impl Fn())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| line.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => heard(),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(StoreError::unavailable(
            "TLS to the database is asked for, and this system has no root certificates",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| StoreError::unavailable_because("preparing TLS to the database", cause))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The driver's error says "error connecting to server"; the reason is below it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut sentence = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        sentence = format!("{sentence}: {cause}");
        below = cause.source();
    }
    sentence
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tls_is_used_exactly_when_the_url_asks_for_it() {
        for (url, tls) in [
            ("postgres://u@h/d", false),
            ("postgres://u@h/d?sslmode=disable", false),
            ("postgres://u@h/d?sslmode=prefer", false),
            ("postgres://u@h/d?sslmode=require", true),
            ("postgres://u@h/d?sslmode=verify-full", true),
        ] {
            match Target::read(url) {
                Ok(target) => assert_eq!(target.tls.is_some(), tls, "{url}"),
                Err(error) => assert!(
                    tls && format!("{error:?}").contains("root certificates"),
                    "{url}: {error:?}"
                ),
            }
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_the_password() {
        let error = Target::read("postgres://u:secret@h/d?sslmode=maybe").err().unwrap();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
