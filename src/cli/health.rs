//! `truewatt health`: asks a running hub whether it is ready. The container's health check, so it brings its own client.

use super::NotDone;
use super::api::Api;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the hub answers.
    #[arg(long, env = "TRUEWATT_URL", default_value = super::api::DEFAULT_URL)]
    url: String,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    let answer = Api::public(&arguments.url)?.get("/health/ready").await?;
    println!(
        "{}",
        answer
            .get("status")
            .and_then(|status| status.as_str())
            .unwrap_or("ready")
    );
    Ok(())
}
