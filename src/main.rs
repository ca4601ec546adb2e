//! Parse the command line, call `cli`, turn the result into an exit code.

use std::process::ExitCode;

/// Requests are many short allocations that other threads free; the system's allocator gives the pages back each time and asks again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    truewatt::cli::run()
}
