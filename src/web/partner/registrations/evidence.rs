//! Documents laid beside a registration: handover protocols, the proof of a take-over. Their SHA-256 is part of the registration and its
//! log; their octets may be kept here too.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::once::Writing;
use super::wishing::grant;
use super::{Partner, find, operators_only, place};
use crate::registry::record::{Registration, digest_of};
use crate::registry::{NewEvidence, Said, Wish};
use crate::web::keys::{claim, paper, view};
use crate::web::operator::{Members, Problem};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/partner/v1/registrations/{id}/evidence", Document::Partner, add),
        Route::get(
            "/partner/v1/registrations/{id}/evidence/{hash}",
            Document::Partner,
            fetch,
        ),
    ]
}

/// A scanned handover protocol has some hundred kilobytes.
const MAX_OCTETS: usize = 5 * 1024 * 1024;
/// The same in Base64.
const MAX_CONTENT: usize = MAX_OCTETS.div_ceil(3) * 4;

async fn add(id: Path<String>, writing: Writing, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    // Which one was named, whatever place it has in the list.
    let named = OnceLock::new();
    let read = |wish: &Members| {
        let new = document(wish)?;
        named.get_or_init(|| new.sha256.clone());
        Ok(Wish::AddEvidence(Box::new(new)))
    };
    let say = |one: &Registration| Said {
        status: 201,
        location: named
            .get()
            .map(|sha256| format!("{}/evidence/{sha256}", place(&doors, &one.id))),
        body: view::whole(one).to_string(),
    };
    grant(&id, &writing, &doors, read, say).await
}

async fn fetch(partner: Partner, name: Path<(String, String)>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    operators_only(&partner)?;
    let (id, hash) = name.into_inner();
    let one = find(&partner, &id, &doors).await?;
    paper::hand_out(&one, &hash, &doors).await
}

/// With `content`, SHA-256 and size are computed, and must be right where they are given.
fn document(wish: &Members) -> Result<NewEvidence, Problem> {
    wish.only(&["sha256", "media_type", "name", "size", "note", "content"])?;
    let content = claim::long_text(wish, "content", MAX_CONTENT)?;
    let octets = content
        .as_deref()
        .map(|text| {
            STANDARD
                .decode(text)
                .map_err(|_| Problem::invalid("/content", "must be Base64"))
        })
        .transpose()?;
    let computed = octets.as_deref().map(|octets| (digest_of(octets), octets.len() as u64));
    let sha256 = match (wish.text("sha256", 64)?, &computed) {
        (None, None) => return Err(wish.missing("sha256")),
        (Some(said), Some((computed, _))) if !said.eq_ignore_ascii_case(computed) => {
            return Err(Problem::invalid("/sha256", "is not that of the content"));
        }
        (_, Some((computed, _))) => computed.clone(),
        (Some(said), None) if is_sha256(&said) => said.to_ascii_lowercase(),
        (Some(_), None) => return Err(Problem::invalid("/sha256", "must be 64 hexadecimal digits")),
    };
    let said = wish.get("size").map(|size| {
        size.as_u64()
            .ok_or_else(|| Problem::invalid("/size", "must be a number of octets"))
    });
    let size = match (said.transpose()?, &computed) {
        (None, None) => return Err(wish.missing("size")),
        (Some(said), Some((_, computed))) if said != *computed => {
            return Err(Problem::invalid("/size", "is not that of the content"));
        }
        (_, Some((_, computed))) => *computed,
        // What the registry writes down is read by whoever reads JSON.
        (Some(said), None) if said < (1 << 53) => said,
        (Some(_), None) => return Err(Problem::invalid("/size", "must be a number of octets")),
    };
    let media_type = wish.required_text("media_type", 100)?;
    if !paper::is_media_type(&media_type) {
        return Err(Problem::invalid(
            "/media_type",
            "must be a media type like application/pdf",
        ));
    }
    Ok(NewEvidence {
        sha256,
        media_type,
        name: wish.required_text("name", 200)?,
        size,
        note: wish.text("note", 500)?,
        content: octets.map(|octets| STANDARD.encode(octets)),
    })
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
