//! No two files import each other, straight or through others. Read from the source: what a file
//! uses is followed through re-exports to the file that defines it; unit tests may look further.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::layers::{sources, without_tests};
use super::tidy::hold;

/// How many imports of each row are part of a circle today. No count may rise.
const CIRCULAR: &[(&str, usize)] = &[];

/// A path of names, such as `["store", "tables"]`.
type Names = Vec<String>;

/// What a file says of itself and of others.
#[derive(Default)]
struct Module {
    file: String,
    items: BTreeSet<String>,
    children: BTreeSet<String>,
    /// Each name that it brings in, `*` for all, with its path and whether others see it.
    uses: Vec<(String, Names, bool)>,
    /// Paths in its code, `crate::a::b` and `a::b`.
    paths: Vec<Names>,
}

fn names(path: &str) -> Names {
    path.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The names that a `use` brings in with their paths: `a::{b, c as d}` is `b` and `d`.
fn expand(tree: &str) -> Vec<(String, Names)> {
    let tree = tree.trim();
    if let Some((before, inner)) = tree.strip_suffix('}').and_then(|tree| tree.split_once('{')) {
        let (mut depth, mut parts) = (0, vec![String::new()]);
        for c in inner.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            match c {
                ',' if depth == 0 => parts.push(String::new()),
                _ => parts.last_mut().unwrap().push(c),
            }
        }
        let before = names(before);
        let all = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| expand(part));
        let under = all.map(|(name, path)| match path.as_slice() {
            [only] if only == "self" => (before.last().unwrap().clone(), before.clone()),
            _ => (name, [before.clone(), path].concat()),
        });
        return under.collect();
    }
    let (path, name) =
        tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
    let path = names(path);
    let name = name.map_or_else(|| path.last().unwrap().clone(), |name| name.trim().to_owned());
    vec![(name, path)]
}

fn read(file: String, text: &str) -> Module {
    let code = without_tests(text);
    let string = Regex::new(r#""(\\.|[^"\\])*""#).unwrap();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| if line.contains('"') { string.replace_all(line, "") } else { line.into() } + "\n")
        .collect();
    let all = |pattern: &str| -> Vec<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(&code).map(|found| found[1].to_owned()).collect()
    };
    let kinds = "struct|enum|fn|trait|type|const|static|union";
    let item = format!(
        r"(?m)^(?:pub(?:\([^)]*\))? )?(?:async |const )*(?:{kinds}) (\w+)|^macro_rules! (\w+)"
    );
    let uses = Regex::new(r"(?m)^\s*(pub(?:\([^)]*\))? )?use ([^;]+);").unwrap();
    let brought = uses.captures_iter(&code).flat_map(|found| {
        let seen = found.get(1).is_some();
        expand(&found[2]).into_iter().map(move |(name, path)| (name, path, seen))
    });
    let brought = brought.collect();
    let items = Regex::new(&item).unwrap();
    let items = items.captures_iter(&code);
    let items = items.filter_map(|found| Some(found.get(1).or(found.get(2))?.as_str().to_owned()));
    let items = items.collect();
    let children = all(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?mod (\w+)").into_iter().collect();
    let body = uses.replace_all(&code, "");
    let paths = Regex::new(r"\w+(?:::\w+)+").unwrap();
    let lines = body.lines().filter(|line| line.contains("::"));
    let paths = lines.flat_map(|line| paths.find_iter(line)).map(|found| names(found.as_str()));
    let paths = paths.collect();
    Module { file, items, children, uses: brought, paths }
}

/// All files of the crate by their module's path.
struct Crate(BTreeMap<Names, Module>);

impl Crate {
    /// Where a path begins that stands in `module`, and the rest of it; `None` for other crates.
    fn begin<'p>(&self, module: &[String], path: &'p [String]) -> Option<(Names, &'p [String])> {
        match path.first()?.as_str() {
            "crate" => Some((Vec::new(), &path[1..])),
            "self" => Some((module.to_vec(), &path[1..])),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                Some((module[..module.len().checked_sub(ups)?].to_vec(), &path[ups..]))
            }
            first if self.0[module].children.contains(first) => Some((module.to_vec(), path)),
            _ => None,
        }
    }

    /// The module that defines what a path names; `None` where that is another crate's.
    fn resolve(&self, from: Names, path: &[String], depth: usize) -> Option<Names> {
        let module = self.0.get(&from)?;
        let Some(first) = path.first().filter(|_| depth < 20) else { return Some(from) };
        let child = [from.clone(), vec![first.clone()]].concat();
        if self.0.contains_key(&child) {
            return self.resolve(child, &path[1..], depth + 1);
        }
        if module.items.contains(first) {
            return Some(from);
        }
        if let Some((_, target, _)) = module.uses.iter().find(|(name, ..)| name == first) {
            let (begin, rest) = self.begin(&from, target)?;
            return self.resolve(begin, &[rest, &path[1..]].concat(), depth + 1);
        }
        module.uses.iter().filter(|(name, ..)| name == "*").find_map(|(_, target, _)| {
            let (begin, rest) = self.begin(&from, &target[..target.len() - 1])?;
            self.resolve(begin, &[rest, path].concat(), depth + 1)
        })
    }

    /// The files that a module's file needs.
    fn needs(&self, name: &Names) -> BTreeSet<String> {
        let module = &self.0[name];
        let mut found = BTreeSet::new();
        let mut add = |path: &[String]| {
            if let Some((begin, rest)) = self.begin(name, path)
                && let Some(target) = self.resolve(begin, rest, 0)
            {
                found.insert(self.0[&target].file.clone());
            }
        };
        for (last, path, seen) in &module.uses {
            if !seen {
                add(if last == "*" { &path[..path.len() - 1] } else { path });
            }
        }
        for path in &module.paths {
            add(path);
            // `tables::JOBS` where `tables` is brought in.
            if let Some((_, target, _)) = module.uses.iter().find(|(last, ..)| *last == path[0]) {
                add(&[target.as_slice(), &path[1..2]].concat());
            }
        }
        found.remove(&module.file);
        found
    }
}

/// What can be reached from a file.
fn reachable(needs: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut found, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(file) = left.pop() {
        for next in needs.get(file).into_iter().flatten() {
            if found.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    found
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut modules = BTreeMap::new();
    for (path, text) in sources() {
        let file = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
        let file = file.display().to_string();
        if file == "main.rs" || file.ends_with("tests.rs") {
            continue;
        }
        let name = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let name = if name == "lib" { Vec::new() } else { names(&name) };
        modules.insert(name, read(file, &text));
    }
    let modules = Crate(modules);
    modules.0.iter().map(|(name, module)| (module.file.clone(), modules.needs(name))).collect()
}

#[test]
fn no_file_is_part_of_a_circle() {
    let needs = dependencies();
    let reached: BTreeMap<&String, BTreeSet<String>> =
        needs.keys().map(|file| (file, reachable(&needs, file))).collect();
    let imports =
        needs.iter().flat_map(|(file, others)| others.iter().map(move |other| (file, other)));
    let circular = imports.filter(|(file, other)| reached[other].contains(*file));
    let row = |file: &str| file.split(['/', '.']).next().unwrap().to_owned();
    hold(CIRCULAR, circular.map(|(file, other)| (row(file), format!("{file} imports {other}"))));
}

#[test]
fn circles_are_found_through_re_exports_and_other_files() {
    let module = |text: &str, file: &str| read(file.to_owned(), text);
    let modules = Crate(BTreeMap::from([
        (names("a"), module("mod b;\nmod c;\npub use b::Thing;\nuse c::run;\n", "a.rs")),
        (names("a::b"), module("pub struct Thing;\n", "a/b.rs")),
        (names("a::c"), module("use super::{Thing, b};\npub fn run() { b::go() }\n", "a/c.rs")),
    ]));
    let needs = |name: &str| Vec::from_iter(modules.needs(&names(name)));
    assert_eq!(needs("a"), ["a/c.rs"]);
    assert_eq!(needs("a::c"), ["a/b.rs"]);
    assert_eq!(expand("x::{self, y::{A, B as C}}").len(), 3);
}
