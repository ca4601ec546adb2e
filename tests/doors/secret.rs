//! TLS in process: a certificate from files, another one without a restart, and never a broken one.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use truewatt::cli::serve::{Hub, Running};
use truewatt::clock::SystemClock;
use truewatt::config::Config;

use crate::common::place::On;
use crate::hub_with;
use crate::raw::{PATIENCE, address, connect, head};

/// A certificate and its key, made for this test.
struct Pair {
    certificate: String,
    private_key: String,
}

impl Pair {
    fn made() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pair {
            certificate: made.cert.pem(),
            private_key: made.signing_key.serialize_pem(),
        }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    fn put(&self, directory: &Path) {
        fs::write(directory.join("hub.key"), &self.private_key).unwrap();
        fs::write(directory.join("hub.pem"), &self.certificate).unwrap();
    }
}

/// A connection by somebody who trusts these.
async fn shake(hub: &Running, trusted: &[&Pair]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    connector
        .connect(ServerName::try_from("localhost").unwrap(), connect(hub).await)
        .await
}

async fn get(line: &mut TlsStream<TcpStream>, path: &str) -> (u16, Value) {
    line.write_all((head("GET", path, &[]) + "\r\n").as_bytes())
        .await
        .unwrap();
    let mut octets = Vec::new();
    loop {
        let read = tokio::time::timeout(PATIENCE, line.read_buf(&mut octets)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "closed before the end of the answer");
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(json) = serde_json::from_str(body)
        {
            return (head[9..12].parse().unwrap(), json);
        }
    }
}

fn shown(line: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    line.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn tls(directory: &Path) -> String {
    let directory = directory.display();
    format!("[server.tls]\ncertificate = \"{directory}/hub.pem\"\nprivate_key = \"{directory}/hub.key\"\n")
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_never() {
    let files = tempfile::tempdir().unwrap();
    let (first, second) = (Pair::made(), Pair::made());
    first.put(files.path());
    let (hub, _place) = hub_with("", &tls(files.path())).await;
    assert!(hub.bound.starts_with("https://"), "{}", hub.bound);

    let mut old = shake(&hub, &[&first]).await.unwrap();
    assert_eq!(shown(&old), first.der());
    assert_eq!(get(&mut old, "/health/ready").await.1["checks"]["certificate"], true);
    assert!(shake(&hub, &[&second]).await.is_err(), "nobody else is there");

    second.put(files.path());
    let both = [&first, &second];
    until("the renewed certificate is shown", async || {
        shown(&shake(&hub, &both).await.unwrap()) == second.der()
    })
    .await;
    assert_eq!(get(&mut old, "/health/live").await.0, 200, "who is there already stays");

    // Somebody renewed the certificate and forgot its key.
    fs::write(files.path().join("hub.pem"), &first.certificate).unwrap();
    let mut line = shake(&hub, &both).await.unwrap();
    until("the broken renewal is told", async || {
        get(&mut line, "/health/ready").await.1["checks"]["certificate"] == false
    })
    .await;
    assert_eq!(
        get(&mut line, "/health/ready").await.0,
        200,
        "and is no reason to restart anything"
    );
    assert_eq!(shown(&shake(&hub, &both).await.unwrap()), second.der());
    hub.stop().await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_not_answered_and_keeps_nobody_waiting() {
    let files = tempfile::tempdir().unwrap();
    let pair = Pair::made();
    pair.put(files.path());
    let (hub, _place) = hub_with("", &(tls(files.path()) + "[limits]\nhead_s = 1")).await;
    let mut plain = connect(&hub).await;
    plain
        .write_all((head("GET", "/health/live", &[]) + "\r\n").as_bytes())
        .await
        .unwrap();
    let silent = connect(&hub).await;
    for mut line in [plain, silent] {
        let mut heard = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, line.read_to_end(&mut heard)).await;
        // Closed or reset: either way it is over.
        let _ = ended.expect("the hub closes, before patience ends");
        assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    }
    // A head that never ends is told so by TLS as well.
    let mut slow = shake(&hub, &[&pair]).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut heard))
        .await
        .unwrap();
    assert!(
        heard.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    assert!(!address(&hub).is_empty());
    hub.stop().await;
}

#[tokio::test]
async fn a_hub_without_a_usable_certificate_does_not_start() {
    let files = tempfile::tempdir().unwrap();
    let place = On::Sqlite.place().await.unwrap();
    let file = format!(
        "[server]\nbind = \"127.0.0.1:0\"\n[database]\nurl = \"{}\"\n{}",
        place.url,
        tls(files.path())
    );
    let start = async || {
        let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
        let started = Hub::start(config, SystemClock::shared()).await;
        started.err().expect("no start").to_string()
    };
    let why = start().await;
    assert!(
        why.contains("server.tls") && why.contains("hub.pem cannot be read"),
        "{why}"
    );
    Pair::made().put(files.path());
    fs::write(files.path().join("hub.key"), Pair::made().private_key).unwrap();
    let why = start().await;
    assert!(why.contains("cannot be used together"), "{why}");
}
