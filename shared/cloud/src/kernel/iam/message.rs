//! The sentences in which services refuse.
//!
//! EC2 opens with a sentence of its own and closes with an encoded message, unless it refuses an
//! action that knows no resources: then neither the resource nor the encoded message is there.
//! The JSON services always name the resource, even if it is `*`.

use std::hash::Hasher;

use super::evaluate::{Ask, ResourceVerdict, Verdict};
use crate::kernel::hash::Fnv;

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    DeniedByIdentity,
    DeniedByResource,
    NoIdentityAllows,
    NoResourceAllows,
}

impl Refusal {
    /// Which of the two sides to name, for a question whose combined answer is no.
    pub fn of(identity: Verdict, resource: Option<ResourceVerdict>) -> Refusal {
        match (identity, resource) {
            (Verdict::ExplicitDeny, _) => Refusal::DeniedByIdentity,
            (_, Some(ResourceVerdict::ExplicitDeny)) => Refusal::DeniedByResource,
            (Verdict::Allowed, _) => Refusal::NoResourceAllows,
            (Verdict::ImplicitDeny, _) => Refusal::NoIdentityAllows,
        }
    }

    fn phrase(self, action: &str) -> String {
        match self {
            Refusal::DeniedByIdentity => {
                "with an explicit deny in an identity-based policy".to_owned()
            }
            Refusal::DeniedByResource => {
                "with an explicit deny in a resource-based policy".to_owned()
            }
            Refusal::NoIdentityAllows => {
                format!("because no identity-based policy allows the {action} action")
            }
            Refusal::NoResourceAllows => {
                format!("because no resource-based policy allows the {action} action")
            }
        }
    }
}

/// The message of `UnauthorizedOperation`. `user` is the ARN of the one who asked.
pub fn ec2_refusal(user: &str, ask: &Ask, refusal: Refusal) -> String {
    let Ask { action, resource, .. } = ask;
    let opening = "You are not authorized to perform this operation.";
    let phrase = refusal.phrase(action);
    if resource == "*" {
        return format!("{opening} User: {user} is not authorized to perform: {action} {phrase}");
    }
    let sentence = json_refusal(user, ask, refusal);
    let token = token(user, ask, &phrase);
    format!("{opening} {sentence}. Encoded authorization failure message: {token}")
}

/// The message of `AccessDeniedException`.
pub fn json_refusal(user: &str, ask: &Ask, refusal: Refusal) -> String {
    let Ask { action, resource, .. } = ask;
    let phrase = refusal.phrase(action);
    format!("User: {user} is not authorized to perform: {action} on resource: {resource} {phrase}")
}

/// The real tokens are several hundred characters; this is enough to be taken for one in a log.
const TOKEN_CHARS: usize = 256;
const TOKEN_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Stands for the encoded message: equal questions have equal tokens, and nothing decodes them.
fn token(user: &str, ask: &Ask, phrase: &str) -> String {
    let mut state = Fnv::default();
    for text in [user, &ask.action, &ask.resource, phrase] {
        state.add(text);
    }
    for (key, values) in ask.keys.iter() {
        state.add(key);
        for value in values {
            state.add(value);
        }
    }
    let mut seed = state.finish();
    let letter = |_| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let index = usize::try_from(mix(seed) >> 58).unwrap_or(0);
        TOKEN_ALPHABET.get(index).map_or('-', |byte| char::from(*byte))
    };
    (0..TOKEN_CHARS).map(letter).collect()
}

/// The finishing step of splitmix64, which turns a counter into well-spread bits.
fn mix(counter: u64) -> u64 {
    let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
