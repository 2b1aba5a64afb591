//! Policy files, as people write them, right and wrong.

mod arbitrary;
mod printing;
mod reading;
mod selecting;
mod wrong;

use afterimage_core::ids::Region;
use afterimage_core::policy::Policy;
use afterimage_core::policy::file::read;

/// Reads a file in which everything is right.
#[track_caller]
fn good(text: &str) -> Vec<Policy> {
    read(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn region(name: &str) -> Region {
    Region::parse(name).expect("a region")
}
