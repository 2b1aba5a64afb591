//! The bucket that EventBridge throttles PutEvents with. The figures come from the table of
//! EventBridge quotas, which counts requests, not their entries. The 50 requests a second of all
//! other calls are not modelled.

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::throttle::{Kind, Rate, THOUSAND, rate};
use crate::model::Model;

/// PutEvents requests per second, where they are not [`PUT_EVENTS_ELSEWHERE`].
const PUT_EVENTS: [(&str, u64); 17] = [
    ("ap-east-1", 600),
    ("ap-northeast-1", 1_200),
    ("ap-northeast-2", 600),
    ("ap-south-1", 600),
    ("ap-southeast-1", 1_200),
    ("ap-southeast-2", 1_200),
    ("ca-central-1", 600),
    ("eu-central-1", 2_400),
    ("eu-north-1", 600),
    ("eu-south-2", 2_400),
    ("eu-west-1", 10_000),
    ("eu-west-2", 1_200),
    ("eu-west-3", 600),
    ("sa-east-1", 600),
    ("us-east-1", 10_000),
    ("us-east-2", 2_400),
    ("us-west-2", 10_000),
];

const PUT_EVENTS_ELSEWHERE: u64 = 400;

/// Takes the token of a PutEvents request, or refuses it.
pub fn admit(model: &mut Model, call: &Call) -> Result<(), ApiError> {
    let per_second = model.config.limits.put_events_per_second;
    let rate = put_events_rate(&call.scope.region, per_second);
    model.spend(call, Kind::Request, 1, rate)
}

fn put_events_rate(region: &str, knob: Option<u32>) -> Rate {
    let published = PUT_EVENTS.into_iter().find(|(name, _)| *name == region);
    let published = published.map_or(PUT_EVENTS_ELSEWHERE, |(_, per_second)| per_second);
    let per_second = knob.map_or(published, u64::from);
    rate(per_second, per_second * THOUSAND)
}
