//! Patterns with wildcards: `*` is any run of characters, `?` is any one.
//!
//! IAM has no way to write a literal star in the text of a pattern, but a policy variable may stand
//! for one (`${*}`). Filters of EC2 write a literal star as `\*`. So a pattern is a list of tokens
//! rather than a string.

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
}

/// `arn:partition:service:region:account:resource`; only the last may hold further colons.
pub(in crate::kernel) const ARN_PARTS: usize = 6;

impl Glob {
    pub fn parse(pattern: &str) -> Glob {
        let mut glob = Glob::empty();
        glob.push_pattern(pattern);
        glob
    }

    /// A pattern in which `\` makes a character stand for itself.
    fn parse_escaped(pattern: &str) -> Glob {
        let mut chars = pattern.chars();
        let mut tokens = Vec::with_capacity(pattern.len());
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Char(chars.next().unwrap_or('\\')),
                other => Token::Char(other),
            });
        }
        Glob(tokens)
    }

    pub(in crate::kernel) fn empty() -> Glob {
        Glob(Vec::new())
    }

    pub(in crate::kernel) fn push_pattern(&mut self, pattern: &str) {
        self.0.extend(pattern.chars().map(|c| match c {
            '*' => Token::Any,
            '?' => Token::One,
            other => Token::Char(other),
        }));
    }

    pub(in crate::kernel) fn push_literal(&mut self, text: &str) {
        self.0.extend(text.chars().map(Token::Char));
    }

    /// Tells whether the whole of `text` fits. A star spans everything, `:` and `/` included.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        fits(&self.0, &text)
    }

    /// Tells whether `arn` fits part by part: no star reaches over one of the first five colons.
    /// A pattern or a value that is not an ARN fits nothing.
    pub(in crate::kernel) fn matches_arn(&self, arn: &str) -> bool {
        let patterns: Vec<&[Token]> =
            self.0.splitn(ARN_PARTS, |token| *token == Token::Char(':')).collect();
        let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
        patterns.len() == ARN_PARTS
            && parts.len() == ARN_PARTS
            && patterns.iter().zip(parts).all(|(pattern, part)| {
                let part: Vec<char> = part.chars().collect();
                fits(pattern, &part)
            })
    }
}

/// Tells whether a text fits: `*` stands for any text, `?` for one character, `\` before either
/// for itself.
pub fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == text;
    }
    Glob::parse_escaped(pattern).matches(text)
}

/// On a mismatch only the latest star is given one more character: an earlier star can never do
/// better than the later one, so the work stays within the product of the two lengths.
fn fits(pattern: &[Token], text: &[char]) -> bool {
    let (mut at, mut pos) = (0, 0);
    let mut latest_star: Option<(usize, usize)> = None;
    while let Some(have) = text.get(pos) {
        match pattern.get(at) {
            Some(Token::Any) => {
                at += 1;
                latest_star = Some((at, pos));
            }
            Some(Token::One) => {
                at += 1;
                pos += 1;
            }
            Some(Token::Char(want)) if want == have => {
                at += 1;
                pos += 1;
            }
            Some(Token::Char(_)) | None => {
                let Some((after_star, from)) = latest_star else { return false };
                at = after_star;
                pos = from + 1;
                latest_star = Some((after_star, pos));
            }
        }
    }
    pattern.iter().skip(at).all(|token| *token == Token::Any)
}
