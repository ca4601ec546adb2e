//! `truewatt config`: what is in force, from defaults, file and environment together. Secrets are masked.

use super::NotDone;
use crate::config::Config;

/// What to print it as.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// JSON instead of TOML.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<(), NotDone> {
    for key in &config.without_effect {
        eprintln!("truewatt: {key} has no effect in this version");
    }
    let text = if arguments.json {
        config.to_json()
    } else {
        config.to_toml()
    };
    println!("{}", text.trim_end());
    Ok(())
}
