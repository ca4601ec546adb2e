//! Floors and walls: the plan that ARCHITECTURE.md draws is the house that stands in src/.
//!
//! The plan is data, in the block ```` ```rooms ```` of that document; `rooms/plan.rs` reads it, `rooms/source.rs` reads what each file names, and
//! here the two are held against each other. The tests at the end build crooked little houses and expect to hear about it.

#![allow(clippy::unwrap_used, reason = "a test says what must be there")]

#[path = "house/files.rs"]
mod files;
#[path = "rooms/plan.rs"]
mod plan;
#[path = "rooms/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use files::{read, rust_files};
use plan::Plan;
use source::{Name, Source};

#[test]
fn every_room_on_the_plan_stands_and_no_other() {
    assert_none(House::here().rooms_and_plan_differ());
}

#[test]
fn a_room_uses_only_rooms_on_lower_floors_and_along_arrows() {
    assert_none(House::here().wrong_ways());
}

#[test]
fn no_way_through_the_house_leads_back_to_its_start() {
    assert_none(House::here().circles());
}

#[test]
fn the_walls_hold() {
    assert_none(House::here().holes());
}

#[test]
fn lib_rs_is_a_map_and_nothing_else() {
    assert_none(House::here().not_on_the_map());
}

#[test]
fn every_room_has_a_sign_on_its_door() {
    assert_none(House::here().missing_signs());
}

#[test]
fn every_decision_in_the_document_names_a_test_that_exists() {
    let document = read("ARCHITECTURE.md");
    let (_, section) = document
        .split_once("\n## Decisions taken on the way\n")
        .expect("the section of decisions");
    let section = section.split("\n## ").next().unwrap_or_default();

    let mut code = String::new();
    for folder in ["src", "tests"] {
        for file in rust_files(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).as_path()) {
            code += &fs::read_to_string(file).unwrap();
        }
    }

    let mut decisions = 0;
    let mut unproven = Vec::new();
    for row in section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
    {
        let proof = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        decisions += 1;
        if tests.is_empty() || tests.iter().any(|test| !code.contains(&format!("fn {test}("))) {
            unproven.push(row.to_owned());
        }
    }
    assert!(decisions > 0, "no decision was found; has the table changed its shape?");
    assert_none(unproven);
}

/// A plan and the files that should follow it.
struct House {
    plan: Plan,
    files: Vec<File>,
}

struct File {
    /// As a person would say it: `src/web/mod.rs`.
    path: String,
    text: String,
    source: Source,
    /// Under a `#[cfg(test)] mod name;` somewhere above.
    for_tests: bool,
}

impl House {
    /// The house this test is built with.
    fn here() -> House {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = rust_files(&root.join("src"));
        assert!(files.len() > 1, "there is nothing in src");
        let files = files.into_iter().map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            (path, text)
        });
        House::of(Plan::in_document(&read("ARCHITECTURE.md")).unwrap(), files)
    }

    fn of(plan: Plan, files: impl Iterator<Item = (String, String)>) -> House {
        let mut files: Vec<File> = files
            .map(|(path, text)| {
                let source = source::read(&text, &module(&path));
                File {
                    path,
                    text,
                    source,
                    for_tests: false,
                }
            })
            .collect();

        let test_modules: BTreeSet<Vec<String>> = files
            .iter()
            .flat_map(|file| {
                let here = module(&file.path);
                file.source
                    .modules
                    .iter()
                    .filter(|(_, for_tests)| *for_tests)
                    .map(move |(name, _)| {
                        let mut child = here.clone();
                        child.push(name.clone());
                        child
                    })
            })
            .collect();
        for file in &mut files {
            let here = module(&file.path);
            file.for_tests = test_modules.iter().any(|module| here.starts_with(module));
        }
        House { plan, files }
    }

    /// Every name in the house with the room it stands in; lib.rs is no room.
    fn names(&self) -> impl Iterator<Item = (&File, String, Name)> {
        self.files.iter().flat_map(|file| {
            let room = module(&file.path).first().cloned();
            let names = room.is_some().then_some(&file.source.names).into_iter().flatten();
            names.map(move |name| {
                let name = Name {
                    in_test: name.in_test || file.for_tests,
                    ..name.clone()
                };
                (file, room.clone().unwrap_or_default(), name)
            })
        })
    }

    fn rooms_and_plan_differ(&self) -> Vec<String> {
        let built: BTreeSet<String> = self
            .files
            .iter()
            .filter_map(|file| module(&file.path).first().cloned())
            .collect();
        let mut found = Vec::new();
        for room in self.plan.rooms() {
            match (built.contains(&room.name), room.later) {
                (false, false) => found.push(format!("room `{}` is on the plan but not in src", room.name)),
                (true, true) => found.push(format!(
                    "room `{}` stands in src; take `(later)` off the plan",
                    room.name
                )),
                _ => {}
            }
        }
        for room in &self.plan.beside {
            if !built.contains(&room.name) {
                found.push(format!("room `{}` is on the plan but not in src", room.name));
            }
        }
        for room in built.iter().filter(|room| *room != "main" && !self.plan.has(room)) {
            found.push(format!("src has `{room}`, and the plan does not"));
        }
        found
    }

    fn wrong_ways(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        for (file, from, name) in self.names() {
            if name.path.first().is_none_or(|first| first != "crate") {
                continue;
            }
            let place = format!("{}:{}", file.path, name.line);
            match name.path.get(1).map(String::as_str) {
                // A glob over all rooms, or a nickname for the house, would hide what is used.
                None | Some("*") => {
                    found.insert(format!("{place}: names the whole house; name the room"));
                }
                Some(to) if self.plan.rooms().any(|room| room.name == to && room.later) => {
                    found.insert(format!("{place}: `{from}` uses `{to}`, which is not built yet"));
                }
                Some("main") => {}
                Some(to) if !self.plan.has(to) => {
                    found.insert(format!("{place}: `{to}` is no room; everything lives in one"));
                }
                // The program itself only calls the hands of the operator.
                Some(to) if from == "main" && to == "cli" => {}
                Some(to) if !self.plan.allows(&from, to) => {
                    found.insert(format!("{place}: `{from}` may not use `{to}`"));
                }
                Some(_) => {}
            }
        }
        found.into_iter().collect()
    }

    fn circles(&self) -> Vec<String> {
        let mut ways: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, from, name) in self.names() {
            match &name.path[..] {
                [first, to, ..] if first == "crate" && *to != from => {
                    ways.entry(from).or_default().insert(to.clone());
                }
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        for start in ways.keys() {
            if let Some(circle) = way_back(&ways, start) {
                found.insert(circle.join(" → "));
            }
        }
        found.into_iter().collect()
    }

    fn holes(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        for (file, room, name) in self.names() {
            let place = format!("{}:{}: `{}`", file.path, name.line, name.path.join("::"));
            for wall in &self.plan.walls {
                if !wall.paths.iter().any(|path| covers(path, &name.path)) {
                    continue;
                }
                let exempt = name.in_test && wall.only.iter().any(|only| only == "tests");
                let open = wall.only.contains(&room);
                let window = (name.path.join("::"), room.clone());
                if !open && !exempt {
                    found.insert(format!("{place} belongs to {} only", wall.only.join(", ")));
                } else if open && name.handed_on && !self.plan.windows.contains(&window) {
                    found.insert(format!("{place} is handed on, and the plan has no window there"));
                }
            }
            let pure = self
                .plan
                .pure
                .iter()
                .filter(|pure| pure.rooms.contains(&room) && !name.in_test);
            if pure.flat_map(|pure| &pure.never).any(|path| covers(path, &name.path)) {
                found.insert(format!("{place} is not for `{room}`, which only thinks"));
            }
        }
        found.into_iter().collect()
    }

    fn not_on_the_map(&self) -> Vec<String> {
        let Some(lib) = self.files.iter().find(|file| file.path == "src/lib.rs") else {
            return vec!["there is no src/lib.rs".to_owned()];
        };
        lib.source
            .other_items
            .iter()
            .map(|line| format!("src/lib.rs:{line}: more than a `mod`"))
            .collect()
    }

    fn missing_signs(&self) -> Vec<String> {
        let doors = self
            .files
            .iter()
            .filter(|file| file.path.ends_with("/mod.rs") || module(&file.path).len() == 1);
        doors
            .filter(|file| file.path != "src/main.rs" && sign_lines(&file.text) < 3)
            .map(|file| {
                format!(
                    "{}: the sign has {} lines; say what happens here and what never does",
                    file.path,
                    sign_lines(&file.text)
                )
            })
            .collect()
    }
}

/// `src/web/ocpi/mod.rs` and `src/web/ocpi.rs` are the module `web::ocpi`; src/lib.rs is the root.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" {
        Vec::new()
    } else {
        path.split('/').map(str::to_owned).collect()
    }
}

/// Does a wall's pattern cover this path? `diesel*` is every crate of that beginning, `std::env` it and all below, `*::Utc::now` the same behind
/// any beginning, `println!` a macro. A glob that could contain the pattern is covered too.
fn covers(pattern: &str, path: &[String]) -> bool {
    if path.first().is_some_and(|first| first == "crate") {
        return false;
    }
    let parts: Vec<&str> = pattern.split("::").collect();
    if let ["*", parts @ ..] = &parts[..] {
        return path
            .windows(parts.len())
            .any(|window| window.iter().zip(parts).all(|(word, part)| word == part));
    }
    for (at, part) in parts.iter().enumerate() {
        match path.get(at).map(String::as_str) {
            Some("*") if at > 0 => return true,
            Some(word) if word == *part => {}
            Some(word)
                if part
                    .strip_suffix('*')
                    .is_some_and(|beginning| word.starts_with(beginning)) => {}
            _ => return false,
        }
    }
    true
}

/// The shortest way from `start` back to it, if there is one.
fn way_back(ways: &BTreeMap<String, BTreeSet<String>>, start: &String) -> Option<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut paths = vec![vec![start.clone()]];
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            for next in path.last().and_then(|last| ways.get(last)).into_iter().flatten() {
                let mut path = path.clone();
                path.push(next.clone());
                if next == start {
                    return Some(path);
                }
                if reached.insert(next.clone()) {
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}

/// How many lines with words the `//!` text at the top of a file has.
fn sign_lines(text: &str) -> usize {
    let sign = text.lines().take_while(|line| line.starts_with("//!"));
    sign.filter(|line| !line.trim_start_matches("//!").trim().is_empty())
        .count()
}

fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Crooked little houses: each must be noticed, or the tests above prove nothing.
mod crooked_houses {
    use super::{House, Plan, module, sign_lines};

    const PLAN: &str = "
floor  roof
floor  left  right  later(later)     # two on one floor
arrow  left -> right
floor  ground
beside shed: uses ground; used by roof

wall   diesel* sqlite: only ground
wall   std::env::var*: only ground tests
wall   *::Utc::now: only ground tests
window sqlite::Row: in ground
pure   right: never async await tokio*
       std::fs println!
";

    /// A house of one file under test, with nothing else that could be wrong.
    fn house(path: &str, text: &str) -> House {
        House::of(
            Plan::read(PLAN).unwrap(),
            [(path.to_owned(), text.to_owned())].into_iter(),
        )
    }

    fn wrong_ways(path: &str, text: &str) -> usize {
        house(path, text).wrong_ways().len()
    }

    fn holes(path: &str, text: &str) -> usize {
        house(path, text).holes().len()
    }

    #[test]
    fn a_way_upstairs_is_noticed_however_it_is_written() {
        for text in [
            "use crate::roof::Tile;",
            "use crate::{ground::Stone, roof};",
            "use crate::{\n    ground::{Stone, Sand},\n    roof::{self as top},\n};",
            "pub(crate) use crate::roof;",
            "fn f() -> crate::roof::Tile { todo() }",
            "fn f(x: Vec<crate::roof::Tile>) {}",
            "fn f() { let x = <crate::roof::Tile as Default>::default(); }",
            "fn f() { let x = 0..crate::roof::HEIGHT; }",
            "use super::roof::Tile;",
            "use super::{roof};",
            "mod inner { use super::super::roof::Tile; }",
            "mod inner { mod more { fn f() { super::super::super::roof::lay() } } }",
            "mod inner { use super::super::roof as top; }",
            "fn f() { self::super::roof::lay() }",
            "use super as house; fn f() { house::roof::lay() }",
            "macro_rules! tile { () => { $crate::roof::Tile } }",
            "fn f() { info!(\"{}\", crate::roof::height()) }",
            "#[cfg(test)]\nmod tests { use crate::roof::Tile; }",
            "use truewatt::roof::Tile;",
            "fn f<'a>(x: &'a str) -> char { '\"' } use crate::roof::Tile; const S: &str = \"\";",
            "/* a /* nested */ remark */ use crate::roof::Tile;",
            "const S: &str = r#\"a \" quote\"#; use crate::roof::Tile;",
            "const C: char = '\\''; use crate::roof::Tile;",
            "use crate::r#roof::Tile;",
        ] {
            assert!(wrong_ways("src/left/mod.rs", text) > 0, "unnoticed: {text}");
        }
        assert!(wrong_ways("src/left/deep.rs", "use super::super::roof::Tile;") > 0);
        assert!(wrong_ways("src/left/deep/mod.rs", "use super::super::roof::Tile;") > 0);
    }

    #[test]
    fn a_way_downstairs_or_into_the_own_room_is_nobodys_business() {
        for text in [
            "use crate::ground::Stone;",
            "use super::ground::Stone;",
            "use crate::left::deep::Chair;",
            "use super::left::deep::Chair;",
            "use crate::right::Table;",
            "mod roof { pub fn lay() {} } fn f() { roof::lay() }",
            "mod inner { use super::*; }",
            "use std::fmt; fn f() -> fmt::Result { Ok(()) }",
            "// use crate::roof::Tile;",
            "/// See [`crate::roof::Tile`].\nfn f() {}",
            "//! See crate::roof::Tile\n",
            "/* use crate::roof; /* and crate::roof::Tile */ */",
            "const S: &str = \"use crate::roof::Tile;\";",
            "const S: &str = r##\"crate::roof::Tile \"# \"##;",
            "const S: &[u8] = b\"crate::roof::Tile\";",
            "const S: &str = \"\\\"crate::roof::Tile\";",
            "pub(in crate::left) fn f() {}",
            "pub(crate) fn f() {}",
        ] {
            assert_eq!(
                house("src/left/mod.rs", text).wrong_ways(),
                Vec::<String>::new(),
                "{text}"
            );
        }
    }

    #[test]
    fn neighbours_on_one_floor_pass_only_along_the_arrow() {
        assert_eq!(wrong_ways("src/left/mod.rs", "use crate::right::Table;"), 0);
        assert_eq!(wrong_ways("src/right/mod.rs", "use crate::left::Chair;"), 1);
    }

    #[test]
    fn the_room_beside_is_entered_and_left_only_as_drawn() {
        assert_eq!(wrong_ways("src/roof.rs", "use crate::shed::Tool;"), 0);
        assert_eq!(wrong_ways("src/left/mod.rs", "use crate::shed::Tool;"), 1);
        assert_eq!(wrong_ways("src/shed/mod.rs", "use crate::ground::Stone;"), 0);
        assert_eq!(wrong_ways("src/shed/mod.rs", "use crate::right::Table;"), 1);
    }

    #[test]
    fn nobody_names_the_whole_house_a_stranger_or_a_room_not_built() {
        for text in [
            "use crate::*;",
            "use crate as house;",
            "use crate::{self as house};",
            "use super::*;",
        ] {
            assert_eq!(wrong_ways("src/left/mod.rs", text), 1, "{text}");
        }
        assert_eq!(wrong_ways("src/left/mod.rs", "use crate::Everything;"), 1);
        assert_eq!(wrong_ways("src/roof.rs", "use crate::later::Thing;"), 1);
    }

    #[test]
    fn a_wall_holds_under_every_spelling() {
        for text in [
            "use diesel::prelude::*;",
            "use diesel_async::RunQueryDsl;",
            "use diesel as d;",
            "extern crate diesel;",
            "use ::diesel::insert_into;",
            "fn f() { ::diesel::insert_into(x); }",
            "#[derive(diesel::Queryable)] struct S;",
            "fn f() { sqlite::open() }",
            "use {std::fmt, diesel::Queryable};",
            "#[cfg(test)] mod tests { use diesel::Queryable; }",
            "use std::env; fn f() { env::var(\"X\"); }",
            "use std::env::var;",
            "use std::{fmt, env::{self, vars_os}};",
            "use std::env::*;",
            "use std::*;",
            "fn f() { std::env::var(\"X\"); }",
            "use std as s; fn f() { s::env::var(\"X\"); }",
            "use chrono::Utc; fn f() { Utc::now(); }",
            "use chrono::Utc as Zulu; fn f() { Zulu::now(); }",
            "use chrono::prelude::*; fn f() { Utc::now(); }",
            "fn f() { chrono::Utc::now(); }",
            "fn f() { g(chrono::Utc::now) }",
            "#[cfg(not(test))] fn f() { std::env::var(\"X\"); }",
            "#[cfg(any(test, feature = \"x\"))] fn f() { std::env::var(\"X\"); }",
            "#[cfg(test)] use std::fmt; fn f() { std::env::var(\"X\"); }",
            "#[cfg(test)] fn g() { h() } fn f() { std::env::var(\"X\"); }",
        ] {
            assert!(holes("src/left/mod.rs", text) > 0, "unnoticed: {text}");
        }
    }

    #[test]
    fn a_wall_has_doors_for_its_rooms_and_its_tests() {
        for text in [
            "use diesel::prelude::*;",
            "fn f() { std::env::var(\"X\"); }",
            "fn f() { chrono::Utc::now(); }",
        ] {
            assert_eq!(house("src/ground/mod.rs", text).holes(), Vec::<String>::new(), "{text}");
        }
        for text in [
            "#[cfg(test)] mod tests { fn f() { std::env::var(\"X\"); } }",
            "#[cfg(test)]\n#[allow(dead_code)]\nmod tests { use chrono::Utc; fn f() { Utc::now(); } }",
            "#[cfg(all(test, unix))] use std::env::var;",
            "#[cfg(test)] fn f(a: u8, b: [u8; 2]) -> u8 { std::env::var(\"X\") }",
            "#![cfg(test)] use std::env::var;",
            "fn f() { std::env::current_exe(); }",
            "struct Utc; impl Utc { fn later() {} } fn f() { Utc::later() }",
            "const PATH: &str = env!(\"CARGO_MANIFEST_DIR\");",
            "fn f() { clock.now(); }",
            "mod sqlite { pub fn open() {} } fn f() { sqlite::open() }",
        ] {
            assert_eq!(house("src/left/mod.rs", text).holes(), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_a_test() {
        let files = |declared: &str| {
            let files = [
                ("src/left/mod.rs", declared),
                ("src/left/tests.rs", "use std::env::var;"),
            ];
            let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
            House::of(Plan::read(PLAN).unwrap(), files.into_iter()).holes().len()
        };
        assert_eq!(files("#[cfg(test)] mod tests;"), 0);
        assert_eq!(files("mod tests;"), 1);
    }

    #[test]
    fn what_stands_behind_a_wall_is_not_handed_on() {
        assert_eq!(holes("src/ground/mod.rs", "pub use diesel::Connection;"), 1);
        assert_eq!(holes("src/ground/mod.rs", "pub(crate) use diesel::Connection;"), 1);
        assert_eq!(holes("src/ground/mod.rs", "pub(super) use diesel::Connection;"), 0);
        assert_eq!(
            holes("src/ground/mod.rs", "pub use sqlite::{Row, Connection};"),
            1,
            "one window, not two"
        );
        assert_eq!(
            holes("src/left/mod.rs", "pub use sqlite::Row;"),
            1,
            "a window is in its own room's wall"
        );
    }

    #[test]
    fn a_pure_room_knows_no_async_no_files_and_says_nothing() {
        for text in [
            "async fn f() {}",
            "fn f() { g(async { 1 }) }",
            "fn f() { g().await }",
            "use tokio::sync::mpsc;",
            "use tokio_util::bytes;",
            "use std::fs::File;",
            "use std::{fs, fmt};",
            "fn f() { println!(\"x\") }",
        ] {
            assert!(holes("src/right/mod.rs", text) > 0, "unnoticed: {text}");
            assert_eq!(holes("src/left/mod.rs", text), 0, "{text}");
        }
        assert_eq!(
            holes(
                "src/right/mod.rs",
                "#[cfg(test)] mod tests { #[tokio::test] async fn f() { std::fs::read(x) } }"
            ),
            0
        );
        assert_eq!(holes("src/right/mod.rs", "use std::fmt; fn f() { x.println() }"), 0);
    }

    #[test]
    fn the_program_calls_the_operators_hands_only() {
        // In this little plan there is no `cli`, so that even the roof is forbidden.
        assert_eq!(wrong_ways("src/main.rs", "fn main() { truewatt::roof::run() }"), 1);
        let plan = Plan::read("floor cli\nfloor store").unwrap();
        let file = (
            "src/main.rs".to_owned(),
            "use truewatt::cli; fn main() { cli::run(); truewatt::store::open() }".to_owned(),
        );
        assert_eq!(House::of(plan, [file].into_iter()).wrong_ways().len(), 1);
    }

    #[test]
    fn a_circle_is_found() {
        let files = [
            ("src/left/mod.rs", "use crate::right::Table;"),
            ("src/right/mod.rs", "use crate::ground::Stone;"),
            ("src/ground/mod.rs", "use crate::left::Chair;"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let circles = House::of(Plan::read(PLAN).unwrap(), files.into_iter()).circles();
        assert!(
            circles.contains(&"left → right → ground → left".to_owned()),
            "{circles:?}"
        );
        assert!(
            house("src/left/mod.rs", "use crate::right::Table;")
                .circles()
                .is_empty()
        );
    }

    #[test]
    fn the_map_holds_no_furniture() {
        let found = |text| house("src/lib.rs", text).not_on_the_map().len();
        assert_eq!(
            found(
                "//! The map.\n#![forbid(unsafe_code)]\n/// One.\npub mod left;\n#[macro_use]\npub(crate) mod right;\nmod ground;"
            ),
            0
        );
        assert_eq!(found("pub mod left; pub use left::Chair;"), 1);
        assert_eq!(found("pub mod left { fn f() {} } pub mod right;"), 1);
        assert_eq!(found("fn f() { g() } struct S { a: u8 } mod ground;"), 2);
    }

    #[test]
    fn plan_and_street_are_compared_both_ways() {
        let found = house("src/cellar/mod.rs", "").rooms_and_plan_differ();
        assert!(found.iter().any(|line| line.contains("`cellar`")), "{found:?}");
        assert!(
            found
                .iter()
                .any(|line| line.contains("`ground` is on the plan but not in src")),
            "{found:?}"
        );
        let found = house("src/later.rs", "").rooms_and_plan_differ();
        assert!(
            found.iter().any(|line| line.contains("`later` stands in src")),
            "{found:?}"
        );
    }

    #[test]
    fn a_sign_has_three_lines_with_words() {
        assert_eq!(sign_lines("//! One.\n//!\n//! Two.\n//! Three.\n\nuse x;\n//! no"), 3);
        assert_eq!(
            house("src/left/mod.rs", "//! One.\n//!\n//! Two.\nuse x;")
                .missing_signs()
                .len(),
            1
        );
        assert_eq!(house("src/left/deep/mod.rs", "use x;").missing_signs().len(), 1);
        assert_eq!(house("src/left/deep.rs", "use x;").missing_signs().len(), 0);
        assert_eq!(module("src/left/deep/mod.rs"), ["left", "deep"]);
    }

    #[test]
    fn a_plan_with_a_slip_is_refused() {
        for plan in [
            "flor a",
            "floor a\nfloor a",
            "floor a\narrow a b",
            "floor a\nwall x: only b",
            "floor a\npure b: never x",
            "floor",
        ] {
            assert!(Plan::read(plan).is_err(), "{plan}");
        }
        assert!(Plan::in_document("# no block").is_err());
    }
}
