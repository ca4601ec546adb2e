//! Proof that the registry was never rewritten: a chain of entries, a tree over them, and signed checkpoints.
//!
//! Every change of the registry is an [`entry`], committed together with what it is about. An entry names the digest of the document
//! it added and the hash of the entry before, so that one changed octet anywhere is found by reading along ([`chain`]). The chain alone
//! would not notice somebody who writes all of it anew; a signed [`checkpoint`] in somebody else's hands does, and the [`tree`]
//! (RFC 6962, section 2) proves in a few hashes that an entry is in it, or that a newer one only added to it.
//!
//! The chain is the audit trail's as well ([`crate::audit`]).
//!
//! Nothing here reads a clock or a database: texts and hashes in, answers out. An entry holds no document, only its digest, so the log
//! can be shown to everybody although evidence, reasons and addresses cannot. Start with [`entry`].

pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod entry;
pub mod tree;

/// A SHA-256 hash.
pub type Hash = [u8; 32];
