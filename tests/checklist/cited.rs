//! Which tests cite which requirement: read from the source, so that the table cannot say more than the tests do.
//!
//! A test cites in the comment right above it or in the first comment inside it. A range (`R-20…R-25`) cites all of it.

use std::collections::BTreeMap;

/// The prefixes of checklist sections 1.1 to 1.18, of the registry's rows, and of smart charging's.
const PREFIXES: [&str; 20] = [
    "T", "U", "M", "S", "P", "R", "V", "CR", "HCI", "LOC", "SES", "CDR", "TAR", "TOK", "CMD", "CP", "N", "SAF", "PC",
    "ECI",
];

/// Macros whose functions are tests although no attribute says so.
const STORIES: [&str; 4] = ["stories! {", "on_both! {", "on_both_databases! {", "proptest! {"];

/// Macros that list by name which functions are tests.
const LISTS: [&str; 2] = ["on_both_databases!(", "promises! {"];

/// A test and what it cites.
#[derive(Debug, PartialEq, Eq)]
pub struct Citing {
    /// The name of the function.
    pub test: String,
    /// The ids it cites, in the order of the text.
    pub ids: Vec<String>,
}

/// The tests of one source file that cite something.
pub fn tests_in(source: &str) -> Vec<Citing> {
    let lines: Vec<&str> = source.lines().collect();
    let listed = listed(&lines);
    let mut inside_stories = None;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if STORIES.iter().any(|story| line.trim() == *story) {
            inside_stories = Some(indent);
        } else if inside_stories == Some(indent) && line.trim() == "}" {
            inside_stories = None;
        }
        let Some(test) = function(line) else { continue };
        let (above, attributed) = above(&lines, at);
        if !(attributed || listed.contains(&test) || inside_stories.is_some_and(|outer| indent == outer + 4)) {
            continue;
        }
        let ids = ids_in(&format!("{above}\n{}", first_comment(&lines, at)));
        if !ids.is_empty() {
            found.push(Citing {
                test: test.to_owned(),
                ids,
            });
        }
    }
    found
}

/// The name of the function that begins on a line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

/// The comments above a function, and whether an attribute there says that it is a test.
fn above(lines: &[&str], at: usize) -> (String, bool) {
    let before = lines[..at]
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["));
    let (mut said, mut attributed) = (String::new(), false);
    for line in before {
        if line.starts_with("#[") {
            attributed |= line.contains("test]") || line.contains("test(");
        } else {
            said = format!("{line}\n{said}");
        }
    }
    (said, attributed)
}

/// The comment a function begins with.
fn first_comment(lines: &[&str], at: usize) -> String {
    let signature = lines[at..].iter().take_while(|line| !line.ends_with(['}', ';']));
    let body = signature.clone().position(|line| line.trim_end().ends_with('{'));
    body.map_or(String::new(), |opening| {
        lines[at + opening + 1..]
            .iter()
            .map(|line| line.trim_start())
            .take_while(|line| line.starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// The names that a list of stories or promises holds.
fn listed<'s>(lines: &[&'s str]) -> Vec<&'s str> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in lines {
        let line = line.trim();
        if LISTS.iter().any(|list| line.starts_with(list)) {
            inside = true;
        }
        if inside {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            names.extend(words.filter(|word| word.contains('_')));
            inside = !(line.starts_with(')') || line.starts_with('}') || line.ends_with(");"));
        }
    }
    names
}

/// The ids a text cites.
pub fn ids_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-…".contains(c)));
    let mut ids = Vec::new();
    for word in words {
        if is_of_calibration_law(word) {
            ids.push(word.to_owned());
            continue;
        }
        let mut ends = word.split('…').filter_map(id);
        match (ends.next(), ends.next()) {
            (Some((prefix, first)), Some((same, last))) if prefix == same && first < last && last - first < 100 => {
                ids.extend((first..=last).map(|number| format!("{prefix}-{number:02}")));
            }
            (Some((prefix, number)), _) => ids.push(format!("{prefix}-{number:02}")),
            (None, _) => {}
        }
    }
    ids
}

fn id(word: &str) -> Option<(&str, u32)> {
    let (prefix, number) = word.split_once('-')?;
    let digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    (PREFIXES.contains(&prefix) && digits).then(|| number.parse().ok().map(|number| (prefix, number)))?
}

/// `CAL-R2`, `CAL-R3a`, `CAL-IF05`.
fn is_of_calibration_law(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("CAL-") else {
        return false;
    };
    match rest.strip_prefix("IF") {
        Some(number) => number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()),
        None => matches!(rest.as_bytes(), [b'R', b'1'..=b'5'] | [b'R', b'3', b'a' | b'b']),
    }
}

/// The table from id to the tests that cite it, each as `file: test`.
pub fn by_id(files: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, source) in files {
        for citing in tests_in(&source) {
            for id in citing.ids {
                let proofs = table.entry(id).or_default();
                let proof = format!("`{file}`: {}", citing.test);
                if !proofs.contains(&proof) {
                    proofs.push(proof);
                }
            }
        }
    }
    table
}
