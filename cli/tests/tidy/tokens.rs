//! The tokens of a source file's product code: comments are left out, and so are the unit tests
//! below `#[cfg(test)]`, which stand at the end of a file.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'t> {
    /// A name or a keyword.
    Word(&'t str),
    /// A literal of characters, with its quotes.
    Text(&'t str),
    /// `::`, or any other single character.
    Sign(&'t str),
}

pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = begin(rest, first);
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

/// Whether a character may be part of a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The token at the beginning of a text, if it is one, and the length of what was read.
fn begin(text: &str, first: char) -> (Option<Token<'_>>, usize) {
    let up_to = |end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
    if text.starts_with("//") {
        return (None, up_to("\n"));
    }
    if text.starts_with("/*") {
        return (None, up_to("*/"));
    }
    if let Some(length) = raw(text).or_else(|| string(text)).or_else(|| character(text)) {
        let length = length.min(text.len());
        return (Some(Token::Text(&text[..length])), length);
    }
    if is_word(first) {
        let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
        return (Some(Token::Word(&text[..length])), length);
    }
    let length = if text.starts_with("::") { 2 } else { first.len_utf8() };
    let sign = (!first.is_whitespace()).then_some(Token::Sign(&text[..length]));
    (sign, length)
}

/// The length of a raw string: `r"..."`, `r#"..."#`.
fn raw(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('r')?.trim_start_matches('#');
    let hashes = text.len() - inner.len() - 1;
    let inner = inner.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - inner.len() + inner.find(&end)? + end.len())
}

/// The length of a string in which a backslash may stand before a quote.
fn string(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.find(|c| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    Some(end.map_or(text.len(), |at| at + 2))
}

/// The length of a literal such as `'x'` or `'\n'`; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    match inner.strip_prefix('\\') {
        Some(escaped) => {
            let first = escaped.chars().next()?.len_utf8();
            Some(escaped[first..].find('\'')? + first + 3)
        }
        None => {
            let first = inner.chars().next()?.len_utf8();
            inner[first..].starts_with('\'').then_some(first + 2)
        }
    }
}

#[test]
fn tokens_are_told_apart() {
    let text = r##"
        // one "comment"
        fn f<'a>(x: &'a str) -> [char; 3] { /* another */ ['"', '\'', 'é'] }
        const T: &str = "a \" // b"; const R: &str = r#"c " d"#;
        #[cfg(test)]
        mod tests { use super::*; }
    "##;
    let texts: Vec<Token<'_>> =
        tokens(text).into_iter().filter(|token| matches!(token, Token::Text(_))).collect();
    let expected = ["'\"'", r"'\''", "'é'", r#""a \" // b""#, r##"r#"c " d"#"##];
    assert_eq!(texts, expected.map(Token::Text));
    let words: Vec<Token<'_>> = tokens("a::b_1 = &self.r;").into_iter().collect();
    let expected = [
        Token::Word("a"),
        Token::Sign("::"),
        Token::Word("b_1"),
        Token::Sign("="),
        Token::Sign("&"),
        Token::Word("self"),
        Token::Sign("."),
        Token::Word("r"),
        Token::Sign(";"),
    ];
    assert_eq!(words, expected);
    assert!(!tokens(text).contains(&Token::Word("tests")));
}
