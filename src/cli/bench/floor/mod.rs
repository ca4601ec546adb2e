//! The bare paths: what nobody who does this work can do without, and nothing else. Each runs as a process of its own, beside the hub,
//! so that the hub's share is a ratio of two measurements of one run.
//!
//! Never here: a table of routes, a token that is looked up, an opinion. Start with [`relay`], the shorter of the two.

pub mod cdrs;
pub mod relay;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::free_port;
use super::process::{Process, Usage};
use crate::cli::{NotDone, with_causes};
use crate::client::{Http, HttpSettings};
use crate::sandbox::wire;

/// Which bare path.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    path: BarePath,
}

#[derive(Debug, clap::Subcommand)]
enum BarePath {
    /// Of a CDR.
    Cdrs(cdrs::Arguments),
    /// Of a request that is carried.
    Relay(relay::Arguments),
}

/// Where a bare path begins and where it ends.
#[derive(Debug, clap::Args)]
pub struct Ends {
    /// Where to listen.
    #[arg(long)]
    bind: SocketAddr,
    /// Where everything goes.
    #[arg(long)]
    receiver: String,
}

/// Serves until killed.
pub(in crate::cli) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.path {
        BarePath::Cdrs(arguments) => cdrs::run(arguments).await,
        BarePath::Relay(arguments) => relay::run(arguments).await,
    }
}

/// A bare path, running.
pub struct Floor {
    process: Process,
    /// Host and port.
    pub address: String,
}

impl Floor {
    /// Lays it: `path` and `more` are words of the hidden command.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn lay(directory: &Path, path: &str, receiver: &str, more: &[&str]) -> Result<Floor, NotDone> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut options = vec!["bench-floor", path, "--bind", &address, "--receiver", receiver];
        options.extend(more);
        let process = Process::start(&options, &[], directory, "floor.log");
        let process = process.map_err(|error| NotDone::failed(format!("the floor cannot be laid: {error}")))?;
        let mut floor = Floor { process, address };
        let started = Instant::now();
        while floor.get("/ready").await.is_err() {
            if floor.process.has_ended() || started.elapsed() > Duration::from_secs(30) {
                let said = std::fs::read_to_string(directory.join("floor.log")).unwrap_or_default();
                return Err(NotDone::failed(format!(
                    "the floor did not get ready; it said:\n{said}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(floor)
    }

    /// What the process has used so far.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.process.usage()
    }

    /// What it says at one of its own paths.
    ///
    /// # Errors
    /// Why it said nothing.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let stream = TcpStream::connect(&self.address).await;
        let mut connection = wire::Connection::new(stream.map_err(|error| error.to_string())?);
        let request = wire::request("GET", path, &self.address, &[], b"");
        connection.write(&request).await.map_err(|error| error.to_string())?;
        let answer = connection.read_response().await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }
}

/// The hub's own client, with the hub's own settings.
fn client() -> Result<Http, NotDone> {
    let http = Http::new(HttpSettings {
        connect: PATIENCE_TO_CONNECT,
        allow_http: true,
        allow_private_networks: true,
        max_body: 1024 * 1024,
        user_agent: "truewatt-floor".to_owned(),
    });
    http.map_err(failed)
}

/// As the hub's defaults are.
const PATIENCE: Duration = Duration::from_secs(15);
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(3);

fn failed(error: impl std::error::Error) -> NotDone {
    NotDone::failed(with_causes(&error))
}
