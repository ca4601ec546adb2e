//! Servers of PostgreSQL that may be harmed.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// One folder of servers; the first is `one`.
pub struct Cluster {
    room: String,
    servers: Mutex<HashMap<String, Server>>,
}

struct Server {
    port: u16,
    process: Option<Child>,
}

/// How a server ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Connections are closed, everything is written.
    Fast,
    /// At once; it recovers at its next start.
    Immediate,
    /// `kill -9`.
    Killed,
}

impl Cluster {
    /// A server `one`, running. `None`, said aloud, where PostgreSQL is not wanted.
    #[allow(
        clippy::disallowed_methods,
        reason = "whether there is PostgreSQL, the tester knows, not config"
    )]
    pub async fn start(settings: &[&str]) -> Option<Cluster> {
        if std::env::var("TRUEWATT_TEST_POSTGRES").is_err() {
            eprintln!("SKIPPED: harming PostgreSQL needs TRUEWATT_TEST_POSTGRES, which says that it can be had");
            return None;
        }
        let made = tokio::task::spawn_blocking(|| script(&["make"])).await.unwrap();
        let cluster = Cluster {
            room: made.trim().to_owned(),
            servers: Mutex::default(),
        };
        cluster.serve("one", settings).await;
        Some(cluster)
    }

    /// The URL of a database on a server.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://truewatt@{}/postgres", self.address(name))
    }

    pub fn address(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.servers.lock().unwrap()[name].port)
    }

    /// Runs a server, on the port it had; returns when it answers.
    pub async fn serve(&self, name: &str, settings: &[&str]) {
        let started = Instant::now();
        loop {
            let known = self.servers.lock().unwrap().get(name).map(|server| server.port);
            let port = known.unwrap_or_else(free_port);
            let process = Command::new(PATH)
                .args(["serve", &self.room, name, &port.to_string()])
                .args(settings)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let server = Server {
                port,
                process: Some(process),
            };
            self.servers.lock().unwrap().insert(name.to_owned(), server);
            loop {
                if self.client(name).await.is_some() {
                    return;
                }
                // A server that was killed may leave children that still hold its memory: then it is tried again.
                if self.has_ended(name) {
                    break;
                }
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "PostgreSQL does not start: {}",
                    self.said()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "PostgreSQL does not start: {}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends a server; returns when it has ended.
    pub async fn end(&self, name: &str, how: End) {
        let signal = match how {
            End::Fast => "INT",
            End::Immediate => "QUIT",
            End::Killed => "KILL",
        };
        let process = self.servers.lock().unwrap().get_mut(name).unwrap().process.take();
        let (room, name) = (self.room.clone(), name.to_owned());
        let ending = move || {
            script(&["signal", &room, &name, signal]);
            process.unwrap().wait().unwrap();
        };
        tokio::task::spawn_blocking(ending).await.unwrap();
    }

    /// Makes `to` a replica of `from`, running.
    pub async fn replicate(&self, from: &str, to: &str) {
        let port = self.servers.lock().unwrap()[from].port.to_string();
        let (room, name) = (self.room.clone(), to.to_owned());
        tokio::task::spawn_blocking(move || script(&["copy", &room, &name, &port]))
            .await
            .unwrap();
        self.serve(to, &[]).await;
    }

    pub async fn promote(&self, name: &str) {
        let (room, name) = (self.room.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || script(&["promote", &room, &name]))
            .await
            .unwrap();
    }

    /// A connection of the test's own.
    pub async fn client(&self, name: &str) -> Option<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(name), NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }

    /// One number.
    pub async fn number(&self, name: &str, sql: &str) -> i64 {
        self.client(name)
            .await
            .unwrap()
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    fn has_ended(&self, name: &str) -> bool {
        let mut servers = self.servers.lock().unwrap();
        let process = servers.get_mut(name).unwrap().process.as_mut().unwrap();
        process.try_wait().unwrap().is_some()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(PathBuf::from(&self.room).join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (name, server) in self.servers.lock().unwrap().iter_mut() {
            if let Some(mut process) = server.process.take() {
                let _ = Command::new(PATH)
                    .args(["signal", &self.room, name, "QUIT"])
                    .stderr(Stdio::null())
                    .status();
                let _ = process.wait();
            }
        }
        let _ = Command::new(PATH).args(["remove", &self.room]).status();
    }
}

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lib/postgres-cluster");

fn script(arguments: &[&str]) -> String {
    let done = Command::new(PATH)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(done.status.success(), "postgres-cluster {arguments:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Below the range the system hands out by itself, so that nobody gets it while the server is down.
fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(crate::world::random_below(8_000)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
