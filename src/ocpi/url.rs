//! Putting URLs together so that every segment keeps its meaning (U-04, U-06, D-02).

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// Everything a segment may not hold as it is. What stays are the characters no URL library touches.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'*')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// `base` with segments behind it: exactly one slash between, the query of the base kept, each segment encoded as one
/// (U-04, U-06, F-13). Without segments the base is only freed of its fragment.
#[must_use]
pub fn join(base: &str, segments: &[&str]) -> String {
    put_together(base, segments, encoded)
}

/// `base` with segments behind it that are already encoded, by somebody else: they leave as they came (R-13, U-06).
#[must_use]
pub fn join_as_came(base: &str, segments: &[&str]) -> String {
    put_together(base, segments, as_came)
}

fn put_together(base: &str, segments: &[&str], write: fn(&str) -> String) -> String {
    let base = base.split_once('#').map_or(base, |(before, _)| before);
    let (path, query) = base
        .split_once('?')
        .map_or((base, None), |(path, query)| (path, Some(query)));
    let mut joined = if segments.is_empty() {
        path
    } else {
        path.trim_end_matches('/')
    }
    .to_owned();
    for segment in segments {
        joined.push('/');
        joined.push_str(&write(segment));
    }
    if let Some(query) = query {
        joined.push('?');
        joined.push_str(query);
    }
    joined
}

/// A text as one segment of a path.
#[must_use]
pub fn encoded(segment: &str) -> String {
    match segment {
        // Every URL library walks up the path at these two, also when they are encoded once. Encoded twice they arrive as a
        // name that nobody has, which is the truth about them.
        "." => "%252E".to_owned(),
        ".." => "%252E%252E".to_owned(),
        _ => utf8_percent_encode(segment, SEGMENT).to_string(),
    }
}

/// What a URL library would take for something else than part of the segment is encoded; everything else is left alone.
fn as_came(segment: &str) -> String {
    // `%2e` is a dot to every URL library, and would walk up the path of the receiver's server.
    let dots = segment.replace("%2e", ".").replace("%2E", ".");
    if dots == "." || dots == ".." {
        return encoded(&dots);
    }
    utf8_percent_encode(segment, STRAY).to_string()
}

/// Characters HTTP libraries let pass in a path and URL libraries read as its end or as a slash.
const STRAY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A segment as it was meant: percent-encoding undone, once. `None` when that is no text.
#[must_use]
pub fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// `url` with more query behind its own (design.md 3.7). `query` is encoded text, with or without its question mark.
#[must_use]
pub fn with_query(url: &str, query: &str) -> String {
    let query = query.strip_prefix('?').unwrap_or(query);
    if query.is_empty() {
        return url.to_owned();
    }
    let (before, fragment) = url
        .split_once('#')
        .map_or((url, None), |(before, fragment)| (before, Some(fragment)));
    let separator = match before.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    let fragment = fragment.map_or(String::new(), |fragment| format!("#{fragment}"));
    format!("{before}{separator}{query}{fragment}")
}

/// Host and port in one spelling, `example.com:443`, with the scheme's port where none is written. `None` when `url` is no
/// absolute URL with a host and a known port.
#[must_use]
pub fn host_and_port(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    // A dot at the end of a name means the same host (RFC 1034, 3.1).
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    let port = url.port_or_known_default()?;
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

/// The absolute URL that `maybe_relative` means in an answer from `base` (D-11). An absolute one comes back as it is spelled.
#[must_use]
pub fn resolve(base: &str, maybe_relative: &str) -> Option<String> {
    if Url::parse(maybe_relative).is_ok() {
        return Some(maybe_relative.to_owned());
    }
    Url::parse(base).ok()?.join(maybe_relative).ok().map(String::from)
}

/// True for an absolute `http` or `https` URL with a host, of at most 255 characters (T-46, U-03).
#[must_use]
pub fn is_web_url(text: &str) -> bool {
    text.chars().count() <= 255
        && !text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace())
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        && host_and_port(text).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    // U-04, D-02
    #[test]
    fn joining_writes_exactly_one_slash_and_keeps_the_query_of_the_base() {
        for (base, segments, joined) in [
            ("https://a/b", &["c"][..], "https://a/b/c"),
            ("https://a/b/", &["c"], "https://a/b/c"),
            ("https://a/b//", &["c", "d"], "https://a/b/c/d"),
            ("https://a", &["c"], "https://a/c"),
            ("https://a/b?k=v/w", &["c"], "https://a/b/c?k=v/w"),
            ("https://a/b/?k=v#f", &["c"], "https://a/b/c?k=v"),
            ("https://a/b/", &[], "https://a/b/"),
            ("https://a/b?k", &[], "https://a/b?k"),
        ] {
            assert_eq!(join(base, segments), joined, "{base}");
        }
    }

    // U-06, F-13
    #[test]
    fn an_id_stays_one_segment_whatever_is_in_it() {
        for (id, segment) in [
            ("DE*ABC*E1", "DE*ABC*E1"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("a b?c#d&e+f", "a%20b%3Fc%23d%26e%2Bf"),
            ("ä", "%C3%A4"),
            ("..", "%252E%252E"),
            (".", "%252E"),
            ("...", "..."),
            ("", ""),
        ] {
            assert_eq!(join("https://a", &[id]), format!("https://a/{segment}"));
        }
    }

    // R-13, U-06, F-13
    #[test]
    fn a_segment_that_came_encoded_leaves_as_it_came() {
        for (came, leaves) in [
            ("a%2Fb", "a%2Fb"),
            ("a%2fb%20c", "a%2fb%20c"),
            ("a%252Fb", "a%252Fb"),
            ("DE*ABC+1;x=~", "DE*ABC+1;x=~"),
            ("a\\b", "a%5Cb"),
            ("..", "%252E%252E"),
            ("%2e.", "%252E%252E"),
            ("%2E", "%252E"),
            ("%zz", "%zz"),
        ] {
            assert_eq!(join_as_came("https://a/?k", &[came]), format!("https://a/{leaves}?k"));
        }
        assert_eq!(decoded("a%2Fb%20c").as_deref(), Some("a/b c"));
        assert_eq!(decoded("%252F").as_deref(), Some("%2F"));
        assert_eq!(decoded("%ff"), None);
    }

    // design.md 3.7
    #[test]
    fn the_endpoints_own_query_comes_first() {
        for (url, query, whole) in [
            ("https://a/b", "limit=1", "https://a/b?limit=1"),
            ("https://a/b?k=v", "?limit=1", "https://a/b?k=v&limit=1"),
            ("https://a/b?", "limit=1", "https://a/b?limit=1"),
            ("https://a/b?k=v&", "limit=1", "https://a/b?k=v&limit=1"),
            ("https://a/b?k=v#f", "limit=1", "https://a/b?k=v&limit=1#f"),
            ("https://a/b?k=v", "", "https://a/b?k=v"),
            ("https://a/b", "?", "https://a/b"),
        ] {
            assert_eq!(with_query(url, query), whole);
        }
    }

    // D-25
    #[test]
    fn a_host_is_name_and_port_in_one_spelling() {
        for (url, host) in [
            ("https://Example.COM/x", Some("example.com:443")),
            ("https://example.com.:443/", Some("example.com:443")),
            ("http://example.com", Some("example.com:80")),
            ("http://example.com:8080/?x", Some("example.com:8080")),
            ("http://0x7f.1/", Some("127.0.0.1:80")),
            ("https://[::1]:9/", Some("[::1]:9")),
            ("https://user:pass@example.com@evil.com/", Some("evil.com:443")),
            ("file:///etc/passwd", None),
            ("mailto:a@b", None),
            ("/relative", None),
            ("", None),
        ] {
            assert_eq!(host_and_port(url).as_deref(), host, "{url}");
        }
    }

    // D-11
    #[test]
    fn a_relative_address_is_resolved_and_an_absolute_one_left_as_spelled() {
        let base = "https://a.example/ocpi/2.2.1/cdrs?x=y";
        for (given, meant) in [
            ("https://B.example/Cdr 1", "https://B.example/Cdr 1"),
            ("/cdrs/1", "https://a.example/cdrs/1"),
            ("1", "https://a.example/ocpi/2.2.1/1"),
            ("cdrs/1?p=2", "https://a.example/ocpi/2.2.1/cdrs/1?p=2"),
            ("//b.example/1", "https://b.example/1"),
        ] {
            assert_eq!(resolve(base, given).as_deref(), Some(meant));
        }
        assert_eq!(resolve("not a url", "/x"), None);
    }

    // T-46, U-03
    #[test]
    fn only_absolute_web_addresses_of_at_most_255_characters_are_urls_of_ocpi() {
        assert!(is_web_url("https://example.com/ocpi/versions"));
        assert!(is_web_url("http://127.0.0.1:8080"));
        for text in [
            "",
            "/ocpi",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://./",
            "https://a b/",
            "https://a/\n",
        ] {
            assert!(!is_web_url(text), "{text}");
        }
        assert!(is_web_url(&format!("https://a/{}", "x".repeat(245))));
        assert!(!is_web_url(&format!("https://a/{}", "x".repeat(246))));
    }

    proptest! {
        #[test]
        fn a_segment_arrives_as_it_was_meant(id in ".{1,40}", also in "[./%*a]{1,6}") {
            for id in [id, also].iter().filter(|id| !matches!(id.as_str(), "." | "..")) {
                let parsed = Url::parse(&join("https://a/b", &[id, "end"])).unwrap();
                let segments: Vec<_> = parsed.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 3);
                prop_assert_eq!(percent_decode_str(segments[1]).decode_utf8().unwrap(), id.as_str());
            }
        }

        #[test]
        fn no_text_makes_the_putting_together_panic(one in ".{0,40}", other in ".{0,40}") {
            let _ = (join(&one, &[&other]), with_query(&one, &other), host_and_port(&one), resolve(&one, &other), is_web_url(&one));
        }
    }
}
