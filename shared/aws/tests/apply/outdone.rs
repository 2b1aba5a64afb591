//! A decision that writes a record twice, and somebody who is faster.

use afterimage_aws::Aws;
use afterimage_aws::apply::apply;
use afterimage_core::command::{Change, Command, Decision};
use afterimage_core::ids::InstanceId;
use afterimage_core::point::Point;
use afterimage_core::reason::{Code, Reason};
use afterimage_support::{in_process, records};

use super::context;

fn noted(point: &Point, text: &str) -> Point {
    Point { reason: Some(Reason::new(Code::Healing, text)), ..point.clone() }
}

/// A decision of these changes.
fn decision(changes: impl IntoIterator<Item = Change>) -> Decision {
    let commands = changes.into_iter().map(|change| Command::Record(Box::new(change)));
    Decision { commands: commands.collect(), explanations: Vec::new() }
}

/// Two writes of a point, the second on top of the first.
fn twice(point: &Point) -> [Change; 2] {
    let first = Change::point(noted(point, "first"));
    let then = first.point_written().expect("a point is written");
    let then = Change::point(noted(then, "then"));
    [first, then]
}

/// A point that is in the ledger.
async fn a_point(aws: &Aws, machine: &str) -> Point {
    let machine = InstanceId::parse(machine).expect("an id");
    let point = records::requested("gold", &machine, aws.clock.now());
    records::put(&aws.ledger, point.clone()).await;
    reread(aws, &point).await
}

async fn reread(aws: &Aws, point: &Point) -> Point {
    let mut read = aws.ledger.points(std::slice::from_ref(&point.id)).await.expect("it is read");
    read.remove(&point.id).expect("it is there")
}

fn text(point: &Point) -> Option<&str> {
    point.reason.as_ref().map(|reason| reason.text.as_str())
}

#[test]
fn a_record_is_written_twice_by_one_decision() {
    in_process(async |_, aws| {
        let point = a_point(&aws, "i-0123456789abcdef0").await;
        let applied = apply(&aws, &context(&aws, 300), decision(twice(&point))).await;
        assert_eq!(applied.expect("it is written").wrote, 2);
        assert_eq!(text(&reread(&aws, &point).await), Some("then"));
    });
}

#[test]
fn what_somebody_else_wrote_first_is_not_written_over() {
    in_process(async |_, aws| {
        let point = a_point(&aws, "i-0123456789abcdef0").await;
        let other = a_point(&aws, "i-0123456789abcdef1").await;
        let [first, then] = twice(&point);
        let theirs = decision([Change::point(noted(&point, "theirs"))]);
        apply(&aws, &context(&aws, 300), theirs).await.expect("it is written");
        // The second expects the version that theirs has.
        let ours = decision([first, then, Change::point(noted(&other, "another"))]);
        let applied = apply(&aws, &context(&aws, 300), ours).await.expect("it is carried out");
        assert_eq!((applied.wrote, applied.lost), (1, 2));
        assert_eq!(text(&reread(&aws, &point).await), Some("theirs"));
        assert_eq!(text(&reread(&aws, &other).await), Some("another"), "it is held up by nothing");
    });
}
