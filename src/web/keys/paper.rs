//! A document laid beside a registration, handed to whom it concerns: its submitter and the people of the hub.

use actix_web::HttpResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::parties::Fault;
use crate::registry::record::{Registration, digest_of};
use crate::web::Doors;
use crate::web::operator::Problem;

/// The octets, as a file to be saved: whatever a stranger calls HTML is not shown as a page of the hub.
///
/// # Errors
/// 404 where no such document lies beside the registration, or only its SHA-256 does; a fault where it was changed in the database.
pub async fn hand_out(one: &Registration, hash: &str, doors: &Doors) -> Result<HttpResponse, Problem> {
    let nothing = || Problem::not_found("there is no such document, or its octets are not kept here");
    let hash = hash.to_ascii_lowercase();
    let known = one.evidence.iter().find(|known| known.sha256 == hash && known.kept);
    let known = known.ok_or_else(nothing)?;
    let content = doors.store.registry_file(&one.id, &hash).await;
    let content = content
        .map_err(|error| Fault::new("reading a document", error))?
        .ok_or_else(nothing)?;
    let octets = STANDARD
        .decode(content)
        .map_err(|error| Fault::new("reading a document", error))?;
    if digest_of(&octets) != hash {
        return Err(Fault::found("a document beside a registration is not the one that was laid there").into());
    }
    let name = utf8_percent_encode(&known.name, NON_ALPHANUMERIC);
    Ok(HttpResponse::Ok()
        .content_type(known.media_type.as_str())
        // RFC 6266, 4.3.
        .insert_header(("Content-Disposition", format!("attachment; filename*=UTF-8''{name}")))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Content-Security-Policy", "sandbox"))
        .body(octets))
}

/// `type/subtype` of RFC 6838 names, without parameters.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name.starts_with(|one: char| one.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/')
        .is_some_and(|(kind, sub)| is_name(kind) && is_name(sub))
}

#[cfg(test)]
mod tests {
    use super::is_media_type;

    #[test]
    fn only_plain_media_types_become_a_header() {
        for good in ["application/pdf", "image/svg+xml", "application/vnd.a-b.c"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "pdf",
            "application/",
            "/pdf",
            "text/html; charset=x",
            "a/b/c",
            "text/ht ml",
            "text/p\r\nX: y",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
