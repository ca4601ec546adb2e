//! The hands of the operator: what `truewatt` does when it is called from a shell.
//!
//! `serve` composes the hub; `party` and its siblings speak the operator API over HTTP ([`api`]), so that whatever a script can
//! do, a remote script can do as well. Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 not done, 64 the
//! command line or the configuration makes no sense; [`verify`] has one more.
//!
//! Nothing is decided here. Start with [`run`], or with [`serve`] for the wiring diagram of the program.

pub mod api;
pub mod audit;
pub mod bench;
pub mod cdr;
pub mod config;
pub mod contract;
pub mod control;
pub mod demo;
pub mod duty;
mod files;
pub mod health;
mod keeping;
pub mod key;
pub mod migrate;
pub mod party;
pub mod retention;
pub mod serve;
pub mod verify;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// An OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.
#[derive(Parser)]
#[command(name = "truewatt", version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file; without it `truewatt.toml` where there is one. The environment (`TRUEWATT__SECTION__KEY`) wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub.
    Serve,
    /// A hub and its neighbours in one process, and every kind of CDR through it; each step prints what was expected and what was seen.
    Demo(demo::Arguments),
    /// Check a signed record or a CDR, no hub needed. Exit 0 valid, 1 invalid, 2 cannot be decided, 64 usage.
    Verify(verify::VerifyArgs),
    /// Measure a hub: rate, latency and cost of CDRs, relay, broadcast and lists, and whether everything sent arrived as it should.
    Bench(bench::Arguments),
    /// A bare path beside the hub that `bench --floor` measures.
    #[command(hide = true)]
    BenchFloor(bench::floor::Arguments),
    /// Platforms and parties: list, create, register, suspend, resume, token, delete.
    Party(party::Arguments),
    /// Meter keys: register, list, show, deactivate.
    Key(key::Arguments),
    /// CDRs: list, show, release, re-check, export.
    Cdr(cdr::Arguments),
    /// What the hub owes: list, retry, forgive.
    Duty(duty::Arguments),
    /// Contracts of smart charging: list, show, put, end.
    Contract(contract::Arguments),
    /// Who steers which session: list, release.
    Control(control::Arguments),
    /// What is old: see what would be removed, or remove it now.
    Retention(retention::Arguments),
    /// What operators changed, and whether the trail of it is whole: list, verify.
    Audit(audit::Arguments),
    /// Bring the database to this version's schema, or show where it stands.
    Migrate(migrate::Arguments),
    /// Print the effective configuration, secrets masked.
    Config(config::Arguments),
    /// Ask a running hub whether it is ready; exit code 0 if so.
    Health(health::Arguments),
}

/// A command that was not done.
#[derive(Debug)]
pub struct NotDone {
    code: u8,
    message: String,
}

impl NotDone {
    /// The world did not play along: exit code 1.
    pub fn failed(message: impl Into<String>) -> NotDone {
        NotDone {
            code: 1,
            message: message.into(),
        }
    }

    /// What was asked cannot be decided: exit code 2, as that of `verify`.
    pub fn undecided(message: impl Into<String>) -> NotDone {
        NotDone {
            code: verify::EXIT_UNDECIDED,
            message: message.into(),
        }
    }

    /// The command line or the configuration makes no sense: exit code 64 (EX_USAGE).
    pub fn usage(message: impl Into<String>) -> NotDone {
        NotDone {
            code: USAGE,
            message: message.into(),
        }
    }
}

/// EX_USAGE of sysexits.h.
const USAGE: u8 = 64;

/// Reads the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Printing may fail when nobody listens; there is nobody left to tell.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match obey(arguments) {
        Ok(code) => code,
        Err(NotDone { code, message }) => {
            eprintln!("truewatt: {message}");
            ExitCode::from(code)
        }
    }
}

fn obey(arguments: Arguments) -> Result<ExitCode, NotDone> {
    let load = || Config::load(arguments.config.as_deref()).map_err(|error| NotDone::usage(with_causes(&error)));
    match arguments.command {
        // The only command whose answer is its exit code.
        Command::Verify(command) => return Ok(ExitCode::from(verify::main(&command))),
        Command::Serve => wait(serve::run(load()?)),
        Command::Demo(command) => wait(demo::run(command)),
        Command::Bench(command) => wait(bench::run(command)),
        Command::BenchFloor(command) => wait(bench::floor::run(command)),
        Command::Party(command) => wait(party::run(command)),
        Command::Key(command) => wait(key::run(command, load)),
        Command::Cdr(command) => wait(cdr::run(command)),
        Command::Duty(command) => wait(duty::run(command)),
        Command::Contract(command) => wait(contract::run(command)),
        Command::Control(command) => wait(control::run(command)),
        Command::Retention(command) => wait(retention::run(command)),
        Command::Audit(command) => wait(audit::run(command, load)),
        Command::Migrate(command) => wait(migrate::run(command, load()?)),
        Command::Config(command) => config::run(&command, &load()?),
        Command::Health(command) => wait(health::run(command)),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Runs one future on a runtime of its own.
fn wait<T>(future: impl Future<Output = Result<T, NotDone>>) -> Result<T, NotDone> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .map_err(|error| NotDone::failed(format!("the threads cannot be started: {error}")))?
        .block_on(future)
}

/// An error with everything that caused it, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
