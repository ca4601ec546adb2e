//! The hands of the operator: what `truewatt` does when it is called.
//!
//! Each command is a file. It reads its input, calls the rooms below and turns the outcome into words and an exit code; it decides nothing.
//! Start with [`verify`], which needs no hub.

pub mod verify;
