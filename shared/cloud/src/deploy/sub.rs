//! The text of `Fn::Sub`, and the names that any part of a template refers to.

use super::yaml::{Node, Value};

/// A stretch of the text of `Fn::Sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Variable(String),
}

/// `${Name}` is a variable; `${!Name}` is the text `${Name}`.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        pieces.push(Piece::Text(before.to_string()));
        pieces.push(match name.strip_prefix('!') {
            Some(literal) => Piece::Text(format!("${{{literal}}}")),
            None => Piece::Variable(name.trim().to_string()),
        });
        rest = behind;
    }
    pieces.push(Piece::Text(rest.to_string()));
    pieces
}

/// Adds the logical ids (and parameters) that a node refers to, in any of its branches.
pub fn references(node: &Node, found: &mut Vec<String>) {
    let id = |text: &str| text.split('.').next().unwrap_or_default().to_string();
    match (node.intrinsic(), &node.value) {
        (Some(("Ref" | "Fn::GetAtt", argument)), _) => {
            let first = argument.list().and_then(|items| items.first());
            found.extend(first.unwrap_or(argument).text().map(id));
        }
        (Some(("Fn::Sub", argument)), _) => {
            let first = argument.list().and_then(|items| items.first());
            let text = first.unwrap_or(argument).text().unwrap_or_default();
            let variables = pieces(text).into_iter().filter_map(|piece| match piece {
                Piece::Variable(name) => Some(id(&name)),
                Piece::Text(_) => None,
            });
            found.extend(variables);
            for item in argument.list().unwrap_or_default() {
                references(item, found);
            }
        }
        (_, Value::Map(entries)) => {
            for (_, node) in entries {
                references(node, found);
            }
        }
        (_, Value::List(items)) => {
            for item in items {
                references(item, found);
            }
        }
        (_, Value::Scalar { .. } | Value::Broken) => {}
    }
}
