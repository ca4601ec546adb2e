//! The schema: which version is there, which one we need, and the way from one to the other.

/// Where the schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest version applied; `None` for an empty database.
    pub current: Option<String>,
    /// The version this program needs.
    pub latest: String,
    /// Versions still to be applied, oldest first.
    pub pending: Vec<String>,
}
