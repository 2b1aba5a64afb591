//! Checkers: one file for each promise. They judge what the embedded cloud's EC2 has and what
//! `status --json` says, and share no code with what decides.

mod bounds;
mod case;
mod forgotten;
mod once;
mod quiet;
mod truth;
mod unwanted;

use std::fmt;

use afterimage_cloud::Time;

use case::Since;

pub use bounds::{QUIET_MAX, QUIET_MIN};
pub use case::Case;

/// Promise that a checker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    Truth,
    Once,
    NotForgotten,
    Liveness,
    Unwanted,
}

/// Broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: Promise,
    pub at: Time,
    /// What was seen.
    pub text: String,
}

impl Promise {
    /// The promise in a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Promise::Truth => "truth: what status calls the newest good point is there and newest",
            Promise::Once => "once: no place has two images of a point, no slot has two points",
            Promise::NotForgotten => "not forgotten: nothing that we made is called foreign",
            Promise::Liveness => "liveness: once faults stop, what can be made is made",
            Promise::Unwanted => "unwanted: nothing is begun that nobody wants",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broke: {}", self.at.to_seconds_text(), self.text)
    }
}

/// All checkers, and what they remember from step to step.
#[derive(Default)]
pub struct Checkers {
    truth: Since,
    unwanted: Since,
    quiet: quiet::Quiet,
}

impl Checkers {
    /// Checks a step. Returns the first broken promise.
    pub fn check(&mut self, case: &Case<'_>) -> Option<Violation> {
        let Case { seen, quiet, .. } = case;
        let violation = |promise: Promise, text: String| Violation { promise, at: seen.now, text };
        let truth = self.truth.longer_than(bounds::TRUE_WITHIN, seen, truth::wrong(case));
        let mut broken = truth.map(|text| violation(Promise::Truth, text));
        let mut or = |promise: Promise, text: Option<String>| {
            if broken.is_none() {
                broken = text.map(|text| violation(promise, text));
            }
        };
        or(Promise::Once, once::wrong(case));
        or(Promise::NotForgotten, forgotten::wrong(case));
        or(Promise::Unwanted, unwanted::wrong(case, &mut self.unwanted));
        if let Some(quiet) = quiet {
            or(Promise::Liveness, self.quiet.wrong(case, *quiet));
        }
        broken
    }

    /// Tells whether nothing is left to wait for.
    pub fn is_at_rest(&self) -> bool {
        self.quiet.is_at_rest()
    }
}
