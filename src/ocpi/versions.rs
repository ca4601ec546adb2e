//! Which versions there are, and which modules stand behind one of them (checklist 1.8).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fields::{self, Fields};
use super::refusal::Violation;
use super::role::InterfaceRole;

/// The versions spoken here, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2.2, deprecated; 2.2-d2 has the same messages.
    V2_2,
    /// 2.2.1.
    V2_2_1,
}

impl Version {
    /// Every version spoken here, oldest first.
    pub const ALL: [Self; 2] = [Self::V2_2, Self::V2_2_1];

    /// As written in OCPI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2_2 => "2.2",
            Self::V2_2_1 => "2.2.1",
        }
    }

    /// `None` for a version not spoken here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One line of a versions list (OBJ-04).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// `2.2.1` and the like, also versions we do not speak.
    pub version: String,
    /// Where its details are.
    pub url: String,
}

/// One line of version details (OBJ-06).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The module.
    pub identifier: String,
    /// Which interface of it. Only credentials may come without, and theirs means nothing (V-04).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<InterfaceRole>,
    /// Where it is, as the peer spelled it.
    pub url: String,
}

/// Version details (OBJ-05).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// The version they are of.
    pub version: String,
    /// What is served, each pair of module and interface once.
    pub endpoints: Vec<Endpoint>,
}

/// The `data` of a versions answer. Entries of versions OCPI does not know (V-07) and entries that are none are skipped (T-32).
///
/// # Errors
/// [`Violation`] when it is no list.
pub fn read_versions(data: &str) -> Result<Vec<VersionEntry>, Violation> {
    const KNOWN: [&str; 6] = ["2.0", "2.1", "2.1.1", "2.2", "2.2.1", "2.3.0"];
    let mut entries = Vec::new();
    for element in fields::elements(data, "")? {
        let Ok(entry) = Fields::of_text(element, String::new(), ["version", "url"]) else {
            continue;
        };
        if let (Ok(version), Ok(url)) = (entry.required_text("version"), entry.required_text("url"))
            && KNOWN.contains(&version.as_ref())
        {
            entries.push(VersionEntry {
                version: version.into(),
                url: url.into(),
            });
        }
    }
    Ok(entries)
}

/// The `data` of a version details answer.
///
/// Of several entries for one module and interface the first counts (F-03); of several for credentials the one that says
/// SENDER, else the first (F-02). Entries without a usable module, role or URL are skipped (T-32).
///
/// # Errors
/// [`Violation`] when it is no object, or lacks `version` or the list `endpoints`.
pub fn read_details(data: &str) -> Result<Details, Violation> {
    let details = Fields::of_text(data, String::new(), ["version", "endpoints"])?;
    let version = details.required_text("version")?.into();
    let list = details
        .raw("endpoints")
        .ok_or_else(|| details.violation("endpoints", "is missing"))?;
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for element in fields::elements(list, "/endpoints")? {
        let Some(endpoint) = read_endpoint(element) else {
            continue;
        };
        let same = |known: &&mut Endpoint| {
            known.identifier == endpoint.identifier && (known.identifier == CREDENTIALS || known.role == endpoint.role)
        };
        match endpoints.iter_mut().find(same) {
            None => endpoints.push(endpoint),
            Some(known) if known.identifier == CREDENTIALS && known.role != SENDER && endpoint.role == SENDER => {
                *known = endpoint
            }
            Some(_) => {}
        }
    }
    Ok(Details { version, endpoints })
}

const CREDENTIALS: &str = "credentials";
const SENDER: Option<InterfaceRole> = Some(InterfaceRole::Sender);

fn read_endpoint(text: &str) -> Option<Endpoint> {
    let fields = Fields::of_text(text, String::new(), ["identifier", "role", "url"]).ok()?;
    let identifier = fields.required_text("identifier").ok()?.into_owned();
    let role = fields
        .text("role")
        .ok()
        .flatten()
        .and_then(|role| InterfaceRole::parse(&role));
    let url = fields.required_text("url").ok()?.into_owned();
    (role.is_some() || identifier == CREDENTIALS).then_some(Endpoint { identifier, role, url })
}

/// Where a peer serves one interface of a module. The role of credentials is not looked at (V-04).
#[must_use]
pub fn endpoint<'e>(endpoints: &'e [Endpoint], module: &str, role: InterfaceRole) -> Option<&'e str> {
    endpoints
        .iter()
        .find(|endpoint| endpoint.identifier == module && (module == CREDENTIALS || endpoint.role == Some(role)))
        .map(|endpoint| endpoint.url.as_str())
}

/// The highest version both sides speak, and where the peer describes it (V-08).
#[must_use]
pub fn highest_mutual<'e>(theirs: &'e [VersionEntry], ours: &[Version]) -> Option<(Version, &'e str)> {
    theirs
        .iter()
        .filter_map(|entry| Some((Version::parse(&entry.version)?, entry.url.as_str())))
        .filter(|(version, _)| ours.contains(version))
        .max_by_key(|(version, _)| *version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    // V-07, T-32
    #[test]
    fn versions_nobody_knows_and_entries_that_are_none_are_skipped() {
        let list = r#"[{"version":"2.2.1","url":"https://a/221","x":1},{"version":"9.9","url":"https://a/99"},7,
            {"version":"2.2"},{"version":2.2,"url":"https://a"},{"version":"2.1.1","url":"https://a/211"}]"#;
        let versions: Vec<_> = read_versions(list)
            .unwrap()
            .into_iter()
            .map(|entry| entry.version)
            .collect();
        assert_eq!(versions, ["2.2.1", "2.1.1"]);
        assert_eq!(
            read_versions("{}").unwrap_err().to_string(),
            "the document: must be a list"
        );
    }

    // V-08
    #[test]
    fn the_highest_version_both_sides_speak_is_chosen() {
        let entry = |version: &str| VersionEntry {
            version: version.into(),
            url: format!("https://a/{version}"),
        };
        let theirs = [entry("2.2.1"), entry("2.3.0"), entry("2.2"), entry("2.1.1")];
        assert_eq!(
            highest_mutual(&theirs, &Version::ALL),
            Some((Version::V2_2_1, "https://a/2.2.1"))
        );
        assert_eq!(
            highest_mutual(&theirs, &[Version::V2_2]),
            Some((Version::V2_2, "https://a/2.2"))
        );
        assert_eq!(highest_mutual(&theirs[3..], &Version::ALL), None);
        assert!(Version::V2_2 < Version::V2_2_1);
    }

    fn details(endpoints: &str) -> Details {
        read_details(&format!(r#"{{"version":"2.2.1","endpoints":{endpoints}}}"#)).unwrap()
    }

    // F-03
    #[test]
    fn of_two_entries_for_one_interface_the_first_counts() {
        let details = details(
            r#"[{"identifier":"cdrs","role":"RECEIVER","url":"https://a/1"},{"identifier":"cdrs","role":"RECEIVER","url":"https://a/2"},
                {"identifier":"cdrs","role":"SENDER","url":"https://a/3"}]"#,
        );
        assert_eq!(
            endpoint(&details.endpoints, "cdrs", InterfaceRole::Receiver),
            Some("https://a/1")
        );
        assert_eq!(
            endpoint(&details.endpoints, "cdrs", InterfaceRole::Sender),
            Some("https://a/3")
        );
        assert_eq!(endpoint(&details.endpoints, "CDRS", InterfaceRole::Sender), None);
        assert_eq!(details.endpoints.len(), 2);
    }

    // F-02, V-04
    #[test]
    fn credentials_are_found_with_any_role_and_sender_is_preferred() {
        let first = r#"{"identifier":"credentials","role":"RECEIVER","url":"https://a/r"}"#;
        let second = r#"{"identifier":"credentials","role":"SENDER","url":"https://a/s"}"#;
        let none = r#"{"identifier":"credentials","url":"https://a/n"}"#;
        let odd = r#"{"identifier":"credentials","role":"BOTH","url":"https://a/o"}"#;
        for (list, url) in [
            (format!("[{first},{second}]"), "https://a/s"),
            (format!("[{second},{first}]"), "https://a/s"),
            (format!("[{first}]"), "https://a/r"),
            (format!("[{none},{first}]"), "https://a/n"),
            (format!("[{odd}]"), "https://a/o"),
        ] {
            let details = details(&list);
            assert_eq!(details.endpoints.len(), 1);
            assert_eq!(
                endpoint(&details.endpoints, "credentials", InterfaceRole::Receiver),
                Some(url)
            );
        }
    }

    #[test]
    fn details_without_version_or_endpoints_are_refused_by_pointer() {
        for (data, message) in [
            ("[]", "the document: must be an object"),
            (r#"{"endpoints":[]}"#, "/version: is missing"),
            (r#"{"version":"2.2.1"}"#, "/endpoints: is missing"),
            (r#"{"version":"2.2.1","endpoints":{}}"#, "/endpoints: must be a list"),
        ] {
            assert_eq!(read_details(data).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn endpoints_read_back_as_they_are_written() {
        let list = vec![
            Endpoint {
                identifier: "cdrs".into(),
                role: Some(InterfaceRole::Sender),
                url: "https://a".into(),
            },
            Endpoint {
                identifier: "credentials".into(),
                role: None,
                url: "https://b".into(),
            },
        ];
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(
            text,
            r#"[{"identifier":"cdrs","role":"SENDER","url":"https://a"},{"identifier":"credentials","url":"https://b"}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Endpoint>>(&text).unwrap(), list);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_of_versions_panic(text in ".{0,60}") {
            let _ = (read_versions(&text), read_details(&text));
        }
    }
}
