//! A worker whose time is over hands over to a successor, and not for ever.

use afterimage_core::flow::WorkRequested;
use afterimage_core::flow::work_requested::successor;
use afterimage_core::limits::HOPS_MAX;
use afterimage_core::work::{Kind, Queue};

use crate::render::render;
use crate::scene::{IRELAND, region};

#[track_caller]
fn check(hop: u32, expected: &str) {
    let queue = Queue { region: region(IRELAND), kind: Kind::Copy };
    assert_eq!(render(&successor(&WorkRequested { queue, hop })), expected);
}

#[test]
fn a_successor_is_one_hop_on() {
    check(0, "> copy eu-west-1, hop 1\n");
    check(HOPS_MAX - 1, "> copy eu-west-1, hop 50\n");
}

#[test]
fn functions_do_not_wake_each_other_for_ever() {
    let told = "- copy eu-west-1: the worker has been handed over 50 times (too-many-hops)\n";
    check(HOPS_MAX, told);
    check(u32::MAX, told);
}
