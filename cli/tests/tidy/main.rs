//! The house rules that no compiler holds: of every line, and of how the house is laid out.

mod house;
mod text;
mod tree;
