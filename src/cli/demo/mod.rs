//! `truewatt demo`: a hub and its neighbours in one process, and through it whatever OCPI has between them.
//!
//! Nothing is pretended: the hub is the one `serve` runs, on a temporary SQLite file; the neighbours are real servers that register with
//! the real handshake and sign with a real key. Each step says what was expected and what was seen ([`stage`]); the steps are in
//! [`story`]. With `--exit` the exit code is 0 only if all of it came out as expected; without, the hub stays up and [`afterwards`] prints
//! what to try. Either way nothing is left behind.

mod absence;
pub mod afterwards;
mod arrival;
pub mod cast;
mod charging;
mod looks;
mod places;
mod proof;
pub mod stage;
mod steering;
pub mod story;

use super::NotDone;

/// How the demo ends.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// End after the last step: exit code 0 if everything was as expected, 1 otherwise. Without it the hub stays up until Ctrl-C.
    #[arg(long)]
    exit: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    let directory = tempfile::Builder::new().prefix("truewatt-demo-").tempdir();
    let directory = directory.map_err(|error| NotDone::failed(format!("no temporary directory: {error}")))?;
    println!(
        "Truewatt demo: a hub and five neighbours on this machine, each a real server: two charge point operators, a mobility \
         provider, one who navigates, one who steers."
    );
    let cast = cast::Cast::assemble(directory.path()).await?;
    let mut stage = stage::Stage::default();
    let told = story::tell(&cast, &mut stage).await;
    println!("\n{}", stage.summary());
    if told.is_ok() && !arguments.exit {
        afterwards::invite(&cast, directory.path())?;
        super::serve::until_told_to_stop().await?;
        println!(
            "\nGood bye. The hub, its neighbours and {} are gone.",
            directory.path().display()
        );
    }
    cast.leave().await;
    told?;
    if stage.all_as_expected() {
        Ok(())
    } else {
        Err(NotDone::failed("the demo did not come out as expected"))
    }
}
