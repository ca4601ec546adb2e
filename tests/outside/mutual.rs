//! Mutual TLS: a peer that wants to see a certificate is refused without, and reached with ours; a renewed one is shown at once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;

use crate::common::listed::{Listing, bare};
use crate::common::place::On;
use crate::common::site::Site;

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: Vec<u8>,
}

struct Issued {
    pem: String,
    der: Vec<u8>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        Authority {
            pem: own.pem(),
            der: own.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Issued {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            key,
        }
    }
}

/// A peer's server: TLS, and only for those with a certificate of this authority.
struct Server {
    address: SocketAddr,
    /// The certificate each request came with.
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    fn open(authority: &Authority) -> Server {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone().into()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .unwrap();
        let own = authority.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![own.der.into()],
                PrivateKeyDer::try_from(own.key.serialize_der()).unwrap(),
            )
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let server = Server {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = server.seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, seen) = (config.clone(), seen.clone());
                std::thread::spawn(move || converse(stream, config, &seen));
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The certificates of those who posted something.
    fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }
}

fn converse(mut stream: TcpStream, config: Arc<ServerConfig>, seen: &Mutex<Vec<Vec<u8>>>) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut tls = ServerConnection::new(config).unwrap();
    while tls.is_handshaking() {
        if tls.complete_io(&mut stream).is_err() {
            // The alert goes out, and what comes in meanwhile is read: a reset would overtake it.
            while tls.wants_write() && tls.write_tls(&mut stream).is_ok() {}
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
            return;
        }
    }
    let certificate = tls
        .peer_certificates()
        .and_then(|all| all.first())
        .map(|one| one.to_vec());
    let mut tls = StreamOwned::new(tls, stream);
    let (mut request, mut octet) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        match tls.read(&mut octet) {
            Ok(1) => request.push(octet[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    if tls.read_exact(&mut vec![0; length]).is_err() {
        return;
    }
    if head.starts_with("post") {
        seen.lock().unwrap().extend(certificate);
    }
    let body = r#"{"status_code":1000,"timestamp":"2026-11-21T10:00:00Z"}"#;
    let answer = format!(
        "HTTP/1.1 201 X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = tls.write_all(answer.as_bytes());
    tls.conn.send_close_notify();
    let _ = tls.flush();
}

struct Story {
    site: Site,
    clock: Arc<ManualClock>,
    cpo: crate::common::listed::Platform,
    emsp: crate::common::listed::Platform,
}

impl Story {
    async fn post(&self, id: &str) -> String {
        let cdr = json!({
            "country_code": "DE", "party_id": "ABC", "id": id,
            "start_date_time": "2026-11-21T09:00:00Z", "end_date_time": "2026-11-21T10:00:00Z",
            "cdr_token": {"country_code": "DE", "party_id": "MSP", "uid": "04AA", "type": "RFID", "contract_id": "C1"},
            "auth_method": "WHITELIST", "cdr_location": {"id": "L1", "evse_uid": "1", "evse_id": "DE*ABC*E1"},
            "currency": "EUR", "total_cost": {"excl_vat": 1}, "total_energy": 7, "last_updated": "2026-11-21T10:00:01Z"
        });
        let heard = self
            .site
            .call(
                &self.cpo,
                Method::POST,
                "/ocpi/2.2.1/receiver/cdrs",
                &[],
                &cdr.to_string(),
            )
            .await;
        assert_eq!((heard.http, heard.code), (201, 1000), "{}", heard.text());
        heard.message
    }

    async fn cdr(&self, id: &str) -> Value {
        self.site
            .operate(Method::GET, &format!("/operator/v1/cdrs/DE/ABC/{id}"), None)
            .await
            .1
    }

    async fn choose(&self, identity: Value) -> (u16, Value) {
        let wish = json!({"options": {"client_certificate": identity}});
        let path = format!("/operator/v1/platforms/{}", self.emsp.id);
        self.site.operate(Method::PATCH, &path, Some(wish)).await
    }

    async fn until_delivered(&self, id: &str) {
        for _ in 0..200 {
            if self.cdr(id).await["delivery"] == "delivered" {
                return;
            }
            self.clock.advance(TimeDelta::seconds(5));
            self.site.hub.delivery.nudge();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", self.cdr(id).await);
    }
}

// Mutual TLS: a partner may ask who calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_wants_a_certificate_is_refused_without_and_reached_with_ours_also_when_renewed() {
    let authority = Authority::new();
    let server = Server::open(&authority);
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    let first = authority.issue("hub.example", ExtendedKeyUsagePurpose::ClientAuth);
    write("ca.pem", &authority.pem);
    write("own.pem", &first.pem);
    write("own.key", &first.key.serialize_pem());
    let more = format!(
        "[outbound.identities.roaming]\ncertificate = {:?}\nprivate_key = {:?}\nca = {:?}\n[outbound.identities.root-only]\nca = {:?}\n",
        path("own.pem"),
        path("own.key"),
        path("ca.pem"),
        path("ca.pem"),
    );
    let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
    let site = Site::open(On::Sqlite.place().await.unwrap(), &more, clock.clone()).await;
    let cpo = site.list(bare(&["DE/ABC:CPO"])).await;
    let emsp = site
        .list(Listing {
            endpoints: json!([{"identifier": "cdrs", "role": "RECEIVER", "url": server.url("/cdrs")}]),
            versions_url: server.url("/versions"),
            ..bare(&["DE/MSP:EMSP"])
        })
        .await;
    let story = Story { site, clock, cpo, emsp };

    // Nobody vouches for the server; then somebody does, and the server wants to see who calls.
    assert!(story.post("C-1").await.starts_with("in custody"));
    let (status, said) = story.choose(json!("unheard-of")).await;
    assert_eq!(
        (status, &said["field"]),
        (422, &json!("/options/client_certificate")),
        "{said}"
    );
    let (status, said) = story.choose(json!("root-only")).await;
    assert_eq!(
        (status, &said["options"]["client_certificate"]),
        (200, &json!("root-only")),
        "{said}"
    );
    assert!(story.post("C-2").await.starts_with("in custody"));
    let kept = story.cdr("C-2").await;
    assert_eq!(kept["delivery"], "in_custody");
    let why = kept["attempts"].to_string();
    assert!(why.contains("certificate"), "the operator sees why: {kept}");
    assert_eq!(server.seen(), Vec::<Vec<u8>>::new());

    // With ours both are delivered.
    assert_eq!(story.choose(json!("roaming")).await.0, 200);
    story.until_delivered("C-1").await;
    story.until_delivered("C-2").await;
    assert!(server.seen().len() >= 2 && server.seen().iter().all(|seen| *seen == first.der));

    // Half a renewal is none; a whole one is shown soon, without a restart.
    let second = authority.issue("hub.example", ExtendedKeyUsagePurpose::ClientAuth);
    write("own.pem", &second.pem);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    story.post("C-3").await;
    story.until_delivered("C-3").await;
    assert_eq!(server.seen().last(), Some(&first.der));
    write("own.key", &second.key.serialize_pem());
    for number in 4..100 {
        let id = format!("C-{number}");
        story.post(&id).await;
        story.until_delivered(&id).await;
        if server.seen().last() == Some(&second.der) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the renewed certificate was never shown");
}

// design 3.2
#[tokio::test]
async fn files_that_make_no_identity_are_named_at_the_start() {
    let files = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (one, other) = (
        authority.issue("a.example", ExtendedKeyUsagePurpose::ClientAuth),
        authority.issue("b.example", ExtendedKeyUsagePurpose::ClientAuth),
    );
    for (certificate, key) in [
        ("nonsense".to_owned(), "nonsense".to_owned()),
        (one.pem.clone(), "nonsense".to_owned()),
        (one.pem.clone(), other.key.serialize_pem()),
    ] {
        std::fs::write(files.path().join("own.pem"), certificate).unwrap();
        std::fs::write(files.path().join("own.key"), &key).unwrap();
        let identity = truewatt::client::Identity {
            name: "roaming".to_owned(),
            certificate: Some((files.path().join("own.pem"), files.path().join("own.key"))),
            ca: None,
        };
        let settings = truewatt::client::HttpSettings {
            connect: Duration::from_secs(1),
            allow_http: false,
            allow_private_networks: false,
            max_body: 1000,
            user_agent: "test".to_owned(),
        };
        let furnishing = truewatt::client::Furnishing {
            identities: vec![identity],
            ..Default::default()
        };
        let refused = truewatt::client::Http::furnished(settings, furnishing).unwrap_err();
        let said = format!(
            "{refused} {:?}",
            std::error::Error::source(&refused).map(ToString::to_string)
        );
        assert!(
            said.contains("outbound.identities.roaming") && !said.contains("PRIVATE"),
            "{said}"
        );
    }
}
