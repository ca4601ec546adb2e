//! What a source file names: its paths, resolved through its own `use` lines. Comments and literals name nothing.
//!
//! This is a reading of tokens, not of Rust: it sees into macro bodies, where a parser sees nothing, and it does not know types. A method called
//! on a value needs no path and is not seen; the value had to be named once, and that is.

use std::collections::{BTreeMap, BTreeSet};

/// One place where a file names something.
#[derive(Debug, Clone)]
pub struct Name {
    /// From the root of a crate: `["crate", "store", "Store"]`, `["std", "env", "var"]`; `*` for a glob at the end. A lone word is a
    /// keyword, or a macro with its `!`.
    pub path: Vec<String>,
    pub line: usize,
    /// Under `#[cfg(test)]`.
    pub in_test: bool,
    /// Named by a `use` that others can see.
    pub handed_on: bool,
}

/// What a file says about itself and others.
#[derive(Debug, Default)]
pub struct Source {
    pub names: Vec<Name>,
    /// Modules it declares in files of their own, and whether for tests only.
    pub modules: Vec<(String, bool)>,
    /// Lines with anything but module declarations (lib.rs has none).
    pub other_items: Vec<usize>,
}

/// Reads a file whose module is `module`, for instance `["web", "ocpi"]` for src/web/ocpi.rs and src/web/ocpi/mod.rs.
pub fn read(text: &str, module: &[String]) -> Source {
    let mut tokens = tokens(text);
    mark_tests(&mut tokens);
    let source = Source {
        other_items: other_items(&tokens),
        ..Source::default()
    };
    Reader {
        source,
        tokens,
        module: module.to_vec(),
        ..Reader::default()
    }
    .read()
}

/// One leaf of a `use`: what is meant, and what it is called here.
struct Use {
    path: Vec<String>,
    alias: Option<String>,
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    /// Where we are: the file's module, then inline modules with the brace depth they end at.
    module: Vec<String>,
    inline: Vec<usize>,
    depth: usize,
    /// What a first word stands for, in the whole file; a `use` of a test counts in tests only.
    aliases: BTreeMap<(bool, String), Vec<String>>,
    declared: BTreeSet<String>,
    source: Source,
}

impl Reader {
    fn read(mut self) -> Source {
        // Twice: a path may stand above the `use` that explains it.
        self.walk(Reader::learn);
        self.walk(Reader::name);
        self.source
    }

    fn walk(&mut self, visit: fn(&mut Reader, usize) -> usize) {
        let mut at = 0;
        while at < self.tokens.len() {
            match self.mark(at) {
                Some('{') => self.depth += 1,
                Some('}') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.inline.last() == Some(&self.depth) {
                        self.inline.pop();
                        self.module.pop();
                    }
                }
                _ => {}
            }
            if let Some((name, '{')) = self.module_at(at) {
                self.inline.push(self.depth);
                self.module.push(name);
            }
            at = visit(self, at).max(at + 1);
        }
    }

    /// First walk: aliases and modules.
    fn learn(&mut self, at: usize) -> usize {
        if let Some((name, mark)) = self.module_at(at) {
            if mark == ';' {
                self.source.modules.push((name.clone(), self.tokens[at].in_test));
            }
            self.declared.insert(name);
        }
        let Some((uses, end)) = self.use_at(at) else {
            return at + 1;
        };
        for Use { path, alias } in uses {
            if let Some(alias) = alias {
                // Here, because `super` means something else in another module of the file.
                self.aliases
                    .insert((self.tokens[at].in_test, alias), self.absolute(path));
            }
        }
        end
    }

    /// Second walk: everything that is named, with full paths.
    fn name(&mut self, at: usize) -> usize {
        if let Some((uses, end)) = self.use_at(at) {
            let handed_on = self.is_handed_on(at);
            for Use { path, .. } in uses {
                let path = self.resolve(path, self.tokens[at].in_test);
                self.push(path, at, handed_on);
            }
            return end;
        }
        if self.word(at) == Some("extern") && self.word(at + 1) == Some("crate") {
            if let Some(name) = self.word(at + 2).map(str::to_owned) {
                self.push(vec![name], at, false);
            }
            return at + 3;
        }
        let Some(first) = self.word(at).map(str::to_owned) else {
            return at + 1;
        };
        if self.continues_a_path(at) {
            return at + 1;
        }

        let (mut path, mut next) = (vec![first], at + 1);
        while self.mark(next) == Some(DOUBLE_COLON) {
            let Some(word) = self.word(next + 1) else {
                break;
            };
            path.push(word.to_owned());
            next += 2;
        }
        let is_macro = self.mark(next) == Some('!') && self.mark(next + 1) != Some('=');
        if path.len() == 1 {
            let word = path.remove(0);
            match word.as_str() {
                "async" | "await" => self.push(vec![word], at, false),
                _ if is_macro => self.push(vec![word + "!"], at, false),
                _ => {}
            }
        } else {
            let path = self.resolve(path, self.tokens[at].in_test);
            self.push(path, at, false);
        }
        // `mod name {` must still be seen by the walk.
        if next == at + 1 { at + 1 } else { next }
    }

    fn push(&mut self, path: Vec<String>, at: usize, handed_on: bool) {
        let token = &self.tokens[at];
        self.source.names.push(Name {
            path,
            line: token.line,
            in_test: token.in_test,
            handed_on,
        });
    }

    /// `a::b` behind a `::` or a `.` belongs to what stands before; a leading `::` does not.
    fn continues_a_path(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else {
            return false;
        };
        match self.mark(before) {
            // `.await` is a keyword of its own, and a range ends where a new path begins.
            Some('.') => {
                self.word(at) != Some("await") && before.checked_sub(1).and_then(|at| self.mark(at)) != Some('.')
            }
            Some(DOUBLE_COLON) => {
                let left = before.checked_sub(1);
                left.is_some_and(|left| self.word(left).is_some() || matches!(self.mark(left), Some('>' | ')' | ']')))
            }
            _ => false,
        }
    }

    /// The full path: aliases followed, then from the root.
    fn resolve(&self, mut path: Vec<String>, in_test: bool) -> Vec<String> {
        let mut seen = BTreeSet::new();
        while let Some(first) = path.first().cloned() {
            let alias = self.aliases.get(&(false, first.clone())).or_else(|| {
                // A test's own alias; outside of tests it means nothing.
                in_test.then(|| self.aliases.get(&(true, first.clone()))).flatten()
            });
            match alias {
                Some(meant) if seen.insert(first) => path.splice(..1, meant.iter().cloned()),
                _ => break,
            };
        }

        match path.first() {
            // A module of this file, hence of this room.
            Some(first) if self.declared.contains(first) => path.insert(0, "self".to_owned()),
            _ => {}
        }
        self.absolute(path)
    }

    /// From the root of the house, for a path that starts with `crate`, `self` or `super`; others stay.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let mut here: Vec<String> = self.module.clone();
        let mut rest = path.iter().map(String::as_str).peekable();
        match rest.next() {
            Some("crate" | "truewatt") => here.clear(),
            Some("self") => {}
            Some("super") => {
                here.pop();
            }
            _ => return path,
        }
        while rest.next_if_eq(&"super").is_some() {
            here.pop();
        }
        ["crate".to_owned()]
            .into_iter()
            .chain(here)
            .chain(rest.map(str::to_owned))
            .collect()
    }

    /// `pub use` and `pub(crate) use`; `pub(super)` stays in the house's room.
    fn is_handed_on(&self, at: usize) -> bool {
        let word = |back: usize| at.checked_sub(back).and_then(|at| self.word(at));
        word(1) == Some("pub") || (word(4) == Some("pub") && word(2) == Some("crate"))
    }

    /// `mod name;` or `mod name {`: the name, and which of the two.
    fn module_at(&self, at: usize) -> Option<(String, char)> {
        let name = self.word(at + 1).filter(|_| self.word(at) == Some("mod"))?;
        let mark = self.mark(at + 2).filter(|mark| matches!(mark, ';' | '{'))?;
        Some((name.to_owned(), mark))
    }

    /// The leaves of the `use` declaration that starts here, and where it ends.
    fn use_at(&self, at: usize) -> Option<(Vec<Use>, usize)> {
        // `use<'a>` is about lifetimes.
        if self.word(at) != Some("use") || self.mark(at + 1) == Some('<') {
            return None;
        }
        let mut uses = Vec::new();
        let end = self.use_tree(at + 1, &[], &mut uses);
        Some((uses, end))
    }

    fn use_tree(&self, mut at: usize, prefix: &[String], uses: &mut Vec<Use>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match (self.word(at), self.mark(at)) {
                (Some("self"), _) if !path.is_empty() => at += 1,
                (Some("as"), _) => {
                    let alias = self.word(at + 1).filter(|alias| *alias != "_").map(str::to_owned);
                    uses.push(Use { path, alias });
                    return at + 2;
                }
                (Some(word), _) => {
                    path.push(word.to_owned());
                    at += 1;
                }
                (_, Some(DOUBLE_COLON | '$')) => at += 1,
                (_, Some('*')) => {
                    path.push("*".to_owned());
                    uses.push(Use { path, alias: None });
                    return at + 1;
                }
                (_, Some('{')) => {
                    at += 1;
                    while at < self.tokens.len() && self.mark(at) != Some('}') {
                        at = match self.mark(at) {
                            Some(',') => at + 1,
                            _ => self.use_tree(at, &path, uses).max(at + 1),
                        };
                    }
                    return at + 1;
                }
                // `;`, `,` or `}`: the path is complete.
                _ => {
                    if path.len() > prefix.len() || !prefix.is_empty() {
                        let alias = path.last().cloned();
                        uses.push(Use { path, alias });
                    }
                    return at;
                }
            }
        }
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(|token| token.word.as_deref())
    }

    fn mark(&self, at: usize) -> Option<char> {
        self.tokens.get(at).and_then(|token| token.mark)
    }
}

/// What `::` is as one mark, so that a single colon does not pass for it.
const DOUBLE_COLON: char = '∷';

/// A word or a mark.
#[derive(Debug)]
struct Token {
    word: Option<String>,
    mark: Option<char>,
    line: usize,
    in_test: bool,
}

fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let start = at;
        let rest = &text[at..];
        match rest {
            ['/', '/', ..] => at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at += comment(rest),
            ['"', ..] => at += quoted(rest),
            ['\'', ..] => at += character_or_lifetime(rest),
            [':', ':', ..] => {
                tokens.push(Token {
                    word: None,
                    mark: Some(DOUBLE_COLON),
                    line,
                    in_test: false,
                });
                at += 2;
            }
            [first, ..] if first.is_alphabetic() || *first == '_' => {
                let length = rest.iter().position(|c| !is_of_a_word(*c)).unwrap_or(rest.len());
                let word: String = rest[..length].iter().collect();
                match literal(&word, &rest[length..]) {
                    Some(literal) => at += length + literal,
                    // r#type is the word `type`.
                    None if word == "r" && rest.get(length) == Some(&'#') => at += length + 1,
                    None => {
                        tokens.push(Token {
                            word: Some(word),
                            mark: None,
                            line,
                            in_test: false,
                        });
                        at += length;
                    }
                }
            }
            [first, ..] if first.is_ascii_digit() => {
                at += rest.iter().position(|c| !is_of_a_word(*c)).unwrap_or(rest.len());
            }
            [first, ..] => {
                if !first.is_whitespace() {
                    tokens.push(Token {
                        word: None,
                        mark: Some(*first),
                        line,
                        in_test: false,
                    });
                }
                at += 1;
            }
            [] => break,
        }
        line += text[start..at.min(text.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a literal whose prefix (`b`, `r`, `br`, `c`, `cr`) has just been read, without that prefix.
fn literal(prefix: &str, rest: &[char]) -> Option<usize> {
    match (prefix, rest) {
        ("b" | "c", ['"', ..]) => Some(quoted(rest)),
        ("b", ['\'', ..]) => Some(character_or_lifetime(rest)),
        ("r" | "br" | "cr", _) => {
            let hashes = rest.iter().take_while(|c| **c == '#').count();
            if rest.get(hashes) != Some(&'"') {
                return None;
            }
            let mut at = hashes + 1;
            while at < rest.len() {
                let ends =
                    rest[at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
                at += 1;
                if ends {
                    return Some(at + hashes);
                }
            }
            Some(rest.len())
        }
        _ => None,
    }
}

fn comment(text: &[char]) -> usize {
    let (mut at, mut open) = (0, 0);
    while at < text.len() {
        match &text[at..] {
            ['/', '*', ..] => (open, at) = (open + 1, at + 2),
            ['*', '/', ..] => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            break;
        }
    }
    at
}

fn quoted(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn character_or_lifetime(text: &[char]) -> usize {
    match text {
        ['\'', '\\', _, rest @ ..] => 3 + rest.iter().position(|c| *c == '\'').map_or(rest.len(), |end| end + 1),
        ['\'', _, '\'', ..] => 3,
        [_, rest @ ..] => 1 + rest.iter().position(|c| !is_of_a_word(*c)).unwrap_or(rest.len()),
        [] => 0,
    }
}

/// The lines where something else than `mod name;` begins.
fn other_items(tokens: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].mark == Some('#') {
            let inner = tokens.get(at + 1).is_some_and(|token| token.mark == Some('!'));
            at = matching(tokens, if inner { at + 2 } else { at + 1 });
            continue;
        }
        let first = at;
        if tokens[at].word.as_deref() == Some("pub") {
            at += 1;
            if tokens.get(at).is_some_and(|token| token.mark == Some('(')) {
                at = matching(tokens, at);
            }
        }
        let is_module = tokens.get(at).is_some_and(|token| token.word.as_deref() == Some("mod"))
            && tokens.get(at + 2).is_some_and(|token| token.mark == Some(';'));
        if !is_module {
            lines.push(tokens[first].line);
        }
        at = if is_module {
            at + 3
        } else {
            end_of_item(tokens, first).max(first + 1)
        };
    }
    lines
}

/// Marks what stands under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].mark != Some('#') {
            at += 1;
            continue;
        }
        // `#![cfg(test)]` is about all that follows.
        let inner = tokens.get(at + 1).is_some_and(|token| token.mark == Some('!'));
        let open = if inner { at + 2 } else { at + 1 };
        let end = matching(tokens, open);
        if !is_about_tests(&tokens[open.min(end)..end]) {
            at = end.max(at + 1);
            continue;
        }
        let end = if inner { tokens.len() } else { end_of_item(tokens, end) };
        for token in &mut tokens[at..end] {
            token.in_test = true;
        }
        at = end.max(at + 1);
    }
}

fn is_about_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().filter_map(|token| token.word.as_deref()).collect();
    matches!(words[..], ["cfg", "test"] | ["cfg", "all", "test", ..])
}

/// The index behind the bracket that closes the one at `open`.
fn matching(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.mark {
            Some('(' | '[' | '{') => depth += 1,
            Some(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The index behind the item that starts at `at`: behind its `;`, its block, or, for a field or an arm, its comma.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token.mark == Some('#')) {
        at = matching(tokens, at + 1);
    }
    let is_item = tokens[at.min(tokens.len())..].iter().take(6).any(|token| {
        matches!(
            token.word.as_deref(),
            Some(
                "fn" | "impl"
                    | "mod"
                    | "struct"
                    | "enum"
                    | "trait"
                    | "use"
                    | "macro_rules"
                    | "const"
                    | "static"
                    | "type"
            )
        )
    });
    while at < tokens.len() {
        match tokens[at].mark {
            Some('{') => return matching(tokens, at),
            Some('(' | '[') => at = matching(tokens, at),
            Some(';') => return at + 1,
            Some(',') if !is_item => return at + 1,
            Some(')' | ']' | '}') => return at,
            _ => at += 1,
        }
    }
    at
}
