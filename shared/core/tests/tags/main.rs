//! The tags of artefacts, and what can be read from them again.

mod giving_way;
mod label;
mod scene;
