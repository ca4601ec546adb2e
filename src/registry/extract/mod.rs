//! The extract of a registration for the commissioning file: what was registered, and the proof that it was (SAF-33, key-registry.md 4.3).
//!
//! All versions of one registration, the key and the text it was submitted as, each as it was logged, with its entry and the path from
//! there to the root that one signed checkpoint vouches for. Whoever holds the file needs neither this hub nor its database to read it:
//! [`check`] says what holds. It is evidence after the meter is scrapped, and after the hub is.
//!
//! The file is one canonical JSON text (RFC 8785), so that there is one spelling of it and every changed octet is found. Documents
//! stand in it as they are hashed: notes and addresses included, which is why it is for their operator and not for everybody.

pub mod check;

use serde_json::{Value, json};

use super::Registry;
use super::log::canonical;
use super::proof::broken;
use super::record::kind;
use crate::store::StoreError;
use crate::store::registry::RegistryDocument;

/// What the first member of every extract says it is.
pub const FORMAT: &str = "truewatt-registration-extract/1";

impl Registry {
    /// The extract of a registration as it stands now, under a checkpoint signed for it. `None` when there is no such registration.
    ///
    /// # Errors
    /// When the database fails; also when what it holds does not prove what it should: nobody is handed an extract that does not verify.
    pub async fn extract(&self, id: &str) -> Result<Option<String>, StoreError> {
        let mut documents = self.store().registry_history(kind::REGISTRATION, id).await?;
        let Some(first) = documents.first() else {
            return Ok(None);
        };
        let fingerprint = super::record::Registration::read(&first.document)?.fingerprint;
        documents.extend(self.store().registry_history(kind::KEY, &fingerprint).await?);
        documents.extend(self.store().registry_history(kind::PRESENTATION, id).await?);
        documents.sort_by_key(|document| document.seq);
        // Signed after they were read, so that it vouches for all of them.
        let checkpoint = self.checkpoint().await?;
        let mut entries = Vec::new();
        for document in &documents {
            entries.push(self.proven(document, checkpoint.size).await?);
        }
        let checkpoint = serde_json::to_value(&checkpoint).map_err(|error| broken(&error.to_string()))?;
        let extract = json!({
            "format": FORMAT,
            "registration": id,
            "checkpoint": checkpoint,
            "entries": entries,
        });
        let text = canonical::write(&extract).map_err(|error| broken(&error.to_string()))?;
        match check::check(&text) {
            Ok(checked) if checked.wrong.is_empty() => Ok(Some(text)),
            Ok(checked) => Err(broken(&checked.wrong.join(" "))),
            Err(error) => Err(broken(&error.to_string())),
        }
    }

    async fn proven(&self, document: &RegistryDocument, size: u64) -> Result<Value, StoreError> {
        let line = self.entries(document.seq, 1).await?.into_iter().next();
        let line = line.filter(|line| line.seq == document.seq);
        let proof = self.inclusion(document.seq, Some(size)).await?;
        let (line, (.., path)) = line
            .zip(proof)
            .ok_or_else(|| broken("a document of the registry is not in its log"))?;
        let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| broken(&error.to_string()));
        Ok(json!({
            "document": read(&document.document)?,
            "entry": read(&line.text)?,
            "path": path.iter().map(hex::encode).collect::<Vec<_>>(),
        }))
    }
}
