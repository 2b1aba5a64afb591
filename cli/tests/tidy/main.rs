//! The house rules that no compiler holds: of every line, and of how the house is laid out.

mod allowed;
mod house;
mod imports;
mod text;
mod tokens;
mod tree;
mod unused;
