//! Every `pub` item of the product is named somewhere else in the product. The compiler says
//! nothing of those that only tests name, and nothing of those that nobody names.

use std::collections::BTreeMap;

use crate::allowed::UNUSED;
use crate::house::is_product;
use crate::tokens::{Token, is_word, tokens};
use crate::tree::Tree;

/// The libraries, whose items are held; a function's are named by its `main.rs`.
const LIBRARIES: [&str; 3] = ["cli/src/", "shared/aws/src/", "shared/core/src/"];

const KINDS: [&str; 7] = ["fn", "const", "static", "struct", "enum", "trait", "type"];

/// Every item that is named nowhere else, and every allowed one that is named by now.
fn faults(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<String> {
    let product: Vec<(&str, Vec<Token<'_>>)> = tree
        .below("", ".rs")
        .filter(|(path, _)| is_product(path))
        .map(|(path, text)| (path, tokens(text)))
        .collect();
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, tokens) in &product {
        count(tokens, &mut named);
    }
    let libraries =
        product.iter().filter(|(path, _)| LIBRARIES.iter().any(|it| path.starts_with(it)));
    let items = libraries.flat_map(|(path, tokens)| items(tokens).map(move |item| (*path, item)));
    let unused: Vec<(&str, &str)> = items.filter(|(_, item)| named.get(item) == Some(&0)).collect();
    let is_allowed = |item: &str| allowed.iter().any(|(name, _)| *name == item);
    let told = unused.iter().filter(|(_, item)| !is_allowed(item));
    let mut faults: Vec<String> =
        told.map(|(path, item)| format!("{path}: nothing else names `{item}`")).collect();
    let is_unused = |name: &str| unused.iter().any(|(_, item)| *item == name);
    let needless = allowed.iter().filter(|(name, _)| !is_unused(name));
    faults
        .extend(needless.map(|(name, _)| format!("`{name}` is allowed to be unused, and is not")));
    faults
}

/// Counts how often each word stands in a file, its declarations and `pub use` apart. Texts count:
/// a message may name a constant.
fn count<'t>(tokens: &[Token<'t>], named: &mut BTreeMap<&'t str, usize>) {
    let mut is_handed_on = false;
    let mut before = Token::Sign(";");
    for token in tokens {
        let is_declared = matches!(before, Token::Word(word) if KINDS.contains(&word));
        match token {
            Token::Word("use") => {
                is_handed_on = matches!(before, Token::Word("pub") | Token::Sign(")"));
            }
            Token::Sign(";") => is_handed_on = false,
            Token::Word(word) => {
                *named.entry(word).or_default() += usize::from(!is_handed_on && !is_declared);
            }
            Token::Text(text) => {
                for word in text.split(|c| !is_word(c)) {
                    *named.entry(word).or_default() += 1;
                }
            }
            Token::Sign(_) => {}
        }
        before = *token;
    }
}

/// The names of the items that a file makes public.
fn items<'t>(tokens: &[Token<'t>]) -> impl Iterator<Item = &'t str> {
    let public = tokens.iter().enumerate().filter(|(_, token)| **token == Token::Word("pub"));
    public.filter_map(|(at, _)| {
        let mut rest = tokens[at + 1..].iter();
        let mut next = rest.next();
        if next == Some(&Token::Sign("(")) {
            next = rest.by_ref().find(|token| **token == Token::Sign(")")).and(rest.next());
        }
        let mut is_item = false;
        loop {
            match next {
                Some(Token::Word("async" | "unsafe")) => {}
                Some(Token::Word(kind)) if KINDS.contains(kind) => is_item = true,
                Some(Token::Word(name)) if is_item => return Some(*name),
                _ => return None,
            }
            next = rest.next();
        }
    })
}

#[test]
fn every_public_item_is_used_by_the_product() {
    let faults = faults(&Tree::read(), UNUSED);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What is found in a library with this text, beside a file that names `used`.
fn found(text: &str) -> Vec<String> {
    let files = [("shared/core/src/a.rs", text), ("functions/f/src/lib.rs", "fn f() { used() }")];
    faults(&Tree::of(files.map(|(path, text)| (path.to_string(), text))), &[])
}

#[test]
fn what_nothing_else_names_is_found() {
    let planted = [
        ("pub fn lost() {}", "lost"),
        ("pub const fn lost() {}\npub fn used() {}", "lost"),
        ("pub async fn lost() {}", "lost"),
        ("pub const LOST: usize = 1;", "LOST"),
        ("pub(crate) struct Lost;", "Lost"),
        ("pub enum Lost { One }\npub use a::Lost;", "Lost"),
        ("/// Not `lost` alone.\npub fn lost() {}\n#[cfg(test)]\nmod tests { lost() }", "lost"),
    ];
    for (text, name) in planted {
        let told = format!("shared/core/src/a.rs: nothing else names `{name}`");
        assert_eq!(found(text), [told], "{text}");
    }
}

#[test]
fn what_something_else_names_is_left_alone() {
    let texts = [
        "pub fn used() {}",
        "pub struct One { pub two: u8 }\nfn f(one: One) {}",
        "pub const MAX: u8 = 1;\nfn f() { println!(\"at most {MAX}\") }",
        "fn private() {}",
        "pub mod other;",
    ];
    for text in texts {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_item_that_is_used_by_now_is_not_allowed_for_nothing() {
    let tree = Tree::of([("shared/core/src/a.rs".to_string(), "pub fn lost() {}")]);
    assert_eq!(faults(&tree, &[("lost", "for tests")]), Vec::<String>::new());
    let told = faults(&tree, &[("lost", "for tests"), ("found", "for tests")]);
    assert_eq!(told, ["`found` is allowed to be unused, and is not"]);
    assert!(UNUSED.iter().all(|(_, why)| why.len() > 20), "{UNUSED:?}");
}
