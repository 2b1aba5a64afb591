//! Faults, injected by rule.

use crate::access::Call;

/// What befalls a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The service answers this error instead.
    Fail { status: u16, code: String, message: String },
    /// No answer ever comes.
    TimeOut,
    /// The execution environment that calls dies.
    Kill,
}

/// Blows before the call takes effect, and after it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub before: Option<Blow>,
    pub after: Option<Blow>,
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    #[expect(dead_code, reason = "drawn from once rules with a probability are in force")]
    rng: fastrand::Rng,
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        // Apart from the model's own generator, so that a rule that never strikes changes nothing.
        Faults { rng: fastrand::Rng::with_seed(seed ^ 0x6661_756c_7473) }
    }

    /// What the rules have in store for a call.
    pub fn fate(&mut self, _call: &Call) -> Fate {
        Fate::default()
    }
}

impl Faults {
    /// Puts rules in force instead of those that were; says how many there are.
    pub fn replace(&mut self, _rules: &serde_json::Value) -> Result<usize, String> {
        Err("no rules are known".to_string())
    }
}
