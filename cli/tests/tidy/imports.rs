//! The modules of a crate import each other in one direction only.
//!
//! A module is a file. It imports each module that a path in its product code leads to: a path
//! that begins with `crate`, `super` or `self`, in a `use` or in the middle of a function, or one
//! that begins with the name of a child. The `mod` that declares a child is no import, and neither
//! is a `pub use` of a child's names: it hands them on and uses nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::allowed::{CIRCLES, Circle};
use crate::tokens::{Token, tokens};
use crate::tree::Tree;

/// The crates that are held to it.
const CRATES: [&str; 4] = ["cli/src/", "shared/aws/src/", "shared/cloud/src/", "shared/core/src/"];

/// The modules of a crate, each with those that it imports. A module is named by its path in the
/// crate, `flow/work_requested`; the root is named `lib`.
type Graph = BTreeMap<String, BTreeSet<String>>;

const ROOT: &str = "lib";

/// Every circle that is not allowed, and every allowed one that does not exist.
fn faults(tree: &Tree, allowed: &[&Circle]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut found = BTreeSet::new();
    for folder in CRATES {
        let graph = graph(tree, folder);
        for circle in circles(&graph) {
            let modules: Vec<&str> = circle.iter().map(String::as_str).collect();
            let is_meant = |it: &&Circle| it.folder == folder && it.modules() == modules;
            if !allowed.iter().any(is_meant) {
                let loops = round(&graph, &circle).join(" -> ");
                let size = modules.len();
                let modules = modules.join(" ");
                faults.push(format!("{folder}: {loops} (a circle of {size}: {modules})"));
            }
            found.insert((folder, modules.join(" ")));
        }
    }
    let gone = allowed.iter().filter(|it| !found.contains(&(it.folder, it.modules().join(" "))));
    faults.extend(gone.map(|it| format!("{}: no circle is left of {}", it.folder, it.modules)));
    faults
}

fn graph(tree: &Tree, folder: &str) -> Graph {
    let files: BTreeMap<String, &str> = tree
        .below(folder, ".rs")
        .map(|(path, text)| (module(&path[folder.len()..]), text))
        .filter(|(module, _)| module != "main")
        .collect();
    let imports = |(module, text): (&String, &&str)| {
        let mut paths =
            Paths { module, files: &files, tokens: tokens(text), at: 0, found: BTreeSet::new() };
        paths.read();
        (module.clone(), paths.found)
    };
    files.iter().map(imports).collect()
}

/// The module that a file is.
fn module(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.strip_suffix("/mod").unwrap_or(path).to_string()
}

/// Reads the paths in the tokens of one file.
struct Paths<'t> {
    module: &'t str,
    files: &'t BTreeMap<String, &'t str>,
    tokens: Vec<Token<'t>>,
    at: usize,
    found: BTreeSet<String>,
}

impl<'t> Paths<'t> {
    fn read(&mut self) {
        let own: Vec<&str> = self.module.split('/').filter(|part| *part != ROOT).collect();
        let mut is_handed_on = false;
        while let Some(token) = self.tokens.get(self.at) {
            let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
            let is_begin = before != Some(&Token::Sign("::"))
                && self.tokens.get(self.at + 1) == Some(&Token::Sign("::"));
            let begin = match token {
                Token::Word("use") => {
                    let public = [Token::Word("pub"), Token::Sign(")")];
                    is_handed_on = before.is_some_and(|before| public.contains(before));
                    None
                }
                Token::Sign(";") => {
                    is_handed_on = false;
                    None
                }
                Token::Word("crate") if is_begin => Some(Vec::new()),
                Token::Word("self") if is_begin && !is_handed_on => Some(own.clone()),
                Token::Word("super") if is_begin => Some(parent(&own)),
                Token::Word(name) if is_begin && !is_handed_on => {
                    let child: Vec<&str> = own.iter().chain([name]).copied().collect();
                    self.files.contains_key(&child.join("/")).then_some(child)
                }
                _ => None,
            };
            self.at += 1;
            if let Some(begin) = begin {
                self.follow(begin);
            }
        }
    }

    /// Follows a path, or all paths of a group in braces, from the module or item that it has led
    /// to so far.
    fn follow(&mut self, mut path: Vec<&'t str>) {
        while self.take(Token::Sign("::")) {
            if self.take(Token::Sign("{")) {
                return self.group(&path);
            }
            let Some(Token::Word(name)) = self.tokens.get(self.at).copied() else { break };
            path = if name == "super" { parent(&path) } else { [path, vec![name]].concat() };
            self.at += 1;
        }
        let module = (0..=path.len()).rev().map(|length| match length {
            0 => ROOT.to_string(),
            _ => path[..length].join("/"),
        });
        let module = module.into_iter().find(|module| self.files.contains_key(module));
        self.found.extend(module.filter(|module| module != self.module));
    }

    fn group(&mut self, path: &[&'t str]) {
        while let Some(token) = self.tokens.get(self.at).copied() {
            self.at += 1;
            match token {
                Token::Sign("}") => return,
                Token::Word("as") => self.at += 1,
                Token::Word("self") => self.follow(path.to_vec()),
                Token::Word("super") => self.follow(parent(path)),
                Token::Word(name) => self.follow([path, &[name]].concat()),
                Token::Sign(_) | Token::Text(_) => {}
            }
        }
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let is_next = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(is_next);
        is_next
    }
}

fn parent<'t>(path: &[&'t str]) -> Vec<&'t str> {
    path[..path.len().saturating_sub(1)].to_vec()
}

/// The sets of modules each of which leads to all others of its set.
fn circles(graph: &Graph) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|module| (module, reach(graph, module))).collect();
    let of = |module: &&String| -> BTreeSet<String> {
        let there = reached[module].iter();
        there.filter(|other| reached[*other].contains(*module)).cloned().collect()
    };
    graph.keys().map(|module| of(&module)).filter(|circle| !circle.is_empty()).collect()
}

/// All modules that imports lead to from one.
fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for import in &graph[module] {
            if reached.insert(import.clone()) {
                next.push(import);
            }
        }
    }
    reached
}

/// The shortest way from the first module of a circle back to it.
fn round(graph: &Graph, circle: &BTreeSet<String>) -> Vec<String> {
    let Some(first) = circle.first() else { return Vec::new() };
    let mut ways = VecDeque::from([vec![first.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for import in way.last().into_iter().flat_map(|last| &graph[last]) {
            let longer = [way.as_slice(), std::slice::from_ref(import)].concat();
            if import == first {
                return longer;
            }
            if seen.insert(import) {
                ways.push_back(longer);
            }
        }
    }
    Vec::new()
}

fn allowed() -> Vec<&'static Circle> {
    CIRCLES.iter().collect()
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let faults = faults(&Tree::read(), &allowed());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The circles of a crate with these files, as the loops that are told.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(path, text)| (format!("cli/src/{path}"), *text));
    let loops = |fault: &String| Some(fault.split_once(": ")?.1.split_once(" (")?.0.to_string());
    faults(&Tree::of(files), &[]).iter().filter_map(loops).collect()
}

#[test]
fn every_way_to_write_an_import_is_found() {
    let ways = [
        ("a.rs", "use crate::b::B;", "b.rs", "use crate::a::{self, A as X};"),
        ("a.rs", "use crate::{b, c};", "b.rs", "use super::{a::A, c::{C, D}};"),
        ("a.rs", "fn f() { crate::b::f::<u8>(1); }", "b.rs", "fn g(x: super::a::A) {}"),
        ("a/mod.rs", "use b::B;", "a/b.rs", "use super::A;"),
        ("a/mod.rs", "fn f() { b::g() }", "a/b.rs", "pub use crate::a::A;"),
        ("a.rs", "use self::b::B;", "a/b.rs", "use super::super::a::A;"),
    ];
    for (one, text, other, back) in ways {
        let files = [("lib.rs", "mod a; mod c;"), ("c.rs", ""), (one, text), (other, back)];
        let name = module(other);
        assert_eq!(found(&files), [format!("a -> {name} -> a")], "{text} {back}");
    }
    let files = [("lib.rs", "use a::A;"), ("a.rs", "use crate::B;")];
    assert_eq!(found(&files), ["a -> lib -> a"]);
    let three = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A;"),
    ];
    assert_eq!(found(&three), ["a -> b -> c -> a"]);
}

#[test]
fn what_is_no_import_is_left_alone() {
    let ways = [
        ("mod b; pub use b::B;", "use super::A;"),
        ("mod b; pub(crate) use self::b::B;", "use super::A;"),
        ("mod b; use b::B;", "// use super::A;\nfn f(s: &str) -> &str { \"super::A\" }"),
        ("mod b; use b::B;", "fn f() {}\n#[cfg(test)]\nmod tests { use super::super::A; }"),
        ("use other::b::B;", "use super::A;"),
        ("use b::B;", "use crate::c::a::A;"),
    ];
    for (text, back) in ways {
        let files = [("lib.rs", "mod a;"), ("c.rs", ""), ("a/mod.rs", text), ("a/b.rs", back)];
        assert_eq!(found(&files), Vec::<String>::new(), "{text} {back}");
    }
}

#[test]
fn a_circle_is_found_and_one_that_is_gone_too() {
    let tree = Tree::read();
    let text = tree.text("shared/core/src/ids.rs");
    let planted = format!("use crate::command::Command;\n{text}");
    let told = faults(&tree.with("shared/core/src/ids.rs", &planted), &allowed());
    let told = told.iter().find(|fault| fault.contains("command -> "));
    assert!(told.is_some_and(|fault| fault.starts_with("shared/core/src/: ")), "{told:?}");
    let gone = Circle { folder: "cli/src/", modules: "one other", why: "" };
    let told = faults(&Tree::of([("cli/src/lib.rs".to_string(), "")]), &[&gone]);
    assert_eq!(told, ["cli/src/: no circle is left of one other"]);
}

#[test]
fn every_circle_that_is_allowed_has_a_reason() {
    for circle in allowed() {
        assert!(circle.why.len() > 20, "{}: {}", circle.folder, circle.modules);
        assert!(circle.modules().is_sorted(), "{}: {}", circle.folder, circle.modules);
    }
}
