//! Parse the command line, call `cli`, turn the result into an exit code.

fn main() {}
