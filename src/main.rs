//! Parse the command line, call `cli`, turn the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    truewatt::cli::run()
}
