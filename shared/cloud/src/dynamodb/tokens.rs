//! Client request tokens of TransactWriteItems.
//!
//! A token that succeeded is remembered for ten minutes of virtual time. The same request again
//! succeeds without effect; another one is a mistake of the caller's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

use crate::kernel::error::ApiError;
use crate::kernel::time::Time;

const WINDOW: Duration = Duration::from_secs(600);

/// The requests that succeeded, by their token.
#[derive(Debug, Default)]
pub struct Tokens {
    used: BTreeMap<String, Used>,
    /// The tokens by the time at which they are forgotten.
    expiring: VecDeque<(Time, String)>,
}

#[derive(Debug)]
struct Used {
    /// The items of the request, as text.
    items: String,
    answer: Value,
}

impl Tokens {
    /// The answer to a request whose token was used before, if it was.
    pub fn replay(
        &mut self,
        now: Time,
        token: &str,
        items: &str,
    ) -> Result<Option<Value>, ApiError> {
        while self.expiring.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, token)) = self.expiring.pop_front() {
                self.used.remove(&token);
            }
        }
        match self.used.get(token) {
            None => Ok(None),
            Some(used) if used.items == items => Ok(Some(used.answer.clone())),
            Some(_) => {
                let text = "The client request token was already used with other parameters.";
                Err(ApiError::bad("IdempotentParameterMismatchException", text))
            }
        }
    }

    /// Remembers a transaction that succeeded.
    pub fn remember(&mut self, now: Time, token: String, items: String, answer: Value) {
        self.expiring.push_back((now + WINDOW, token.clone()));
        self.used.insert(token, Used { items, answer });
    }
}
