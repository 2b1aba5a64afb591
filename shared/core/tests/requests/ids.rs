//! The ids of points, which anybody may write into a tag.

use afterimage_core::slot::{Occasion, PointId, Slot};
use proptest::prelude::*;

use crate::at;

#[test]
fn an_id_is_read_as_it_was_made_and_knows_its_instance() {
    let noon = at("2026-01-01T12:00:00Z");
    for policy in ["gold", "gold-daily", "a-at-b", "gold-", "x-0123456789abcdef0-at-20260101t"] {
        for occasion in [Occasion::Scheduled(noon), Occasion::Stopped { launched: noon }] {
            for instance in ["i-0123456789abcdef0", "i-01234567"] {
                let slot = Slot {
                    policy: policy.to_string().try_into().expect("a policy name"),
                    instance: instance.to_string().try_into().expect("an instance id"),
                    occasion: occasion.clone(),
                };
                let id = PointId::of(&slot);
                let read = PointId::parse(id.as_str()).expect("it was made");
                assert_eq!((&read, read.instance()), (&id, &slot.instance), "{id}");
                let kept = serde_json::to_string(&id).expect("it can be written");
                assert_eq!(kept, format!("\"{id}\""));
                assert_eq!(serde_json::from_str::<PointId>(&kept).expect("it can be read"), id);
            }
        }
    }
}

#[test]
fn what_is_no_id_of_a_point_is_refused() {
    let refused = [
        "",
        "-",
        "---",
        "gold",
        "gold-0123456789abcdef0-at",
        "0123456789abcdef0-at-20260101T120000Z",
        "-0123456789abcdef0-at-20260101T120000Z",
        "Gold-0123456789abcdef0-at-20260101T120000Z",
        "gold-i-0123456789abcdef0-at-20260101T120000",
        "gold-0123-at-20260101T120000Z",
        "gold-0123456789ABCDEF0-at-20260101T120000Z",
        "gold-0123456789abcdef0-on-20260101T120000Z",
        "gold-0123456789abcdef0-at-20260101T120000",
        "gold-0123456789abcdef0-at-20260101T120000z",
        "gold-0123456789abcdef0-at-20260230T120000Z",
        "gold-0123456789abcdef0-at-20260101T250000Z",
        "gold-0123456789abcdef0-at-2026101T120000Z",
        "gold-0123456789abcdef0-at-20260101T120000Z ",
        "gold-0123456789abcdef0-at-20260101T120000Z-1",
        "göld-0123456789abcdef0-at-20260101T120000Z",
        "gold-0123456789abcdef0-at-２0260101T120000Z",
    ];
    for text in refused {
        assert!(PointId::parse(text).is_err(), "{text}");
        let kept = serde_json::to_string(text).expect("a text");
        assert!(serde_json::from_str::<PointId>(&kept).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_a_tag_says_is_read_or_refused(
        text in prop_oneof![".*", "[a-z0-9-]{0,12}-[0-9a-f]{6,10}-(at|run|is)-[0-9]{8}T[0-9]{6}Z"]
    ) {
        if let Ok(id) = PointId::parse(&text) {
            prop_assert_eq!(id.as_str(), &text);
            let digits = id.instance().as_str().trim_start_matches("i-").to_string();
            prop_assert!(text.contains(&digits));
        }
    }
}
