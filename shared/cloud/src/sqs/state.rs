//! Queues and their messages, as SQS remembers them.

use std::collections::BTreeMap;

use super::attributes::Settings;
use super::message::Message;
use crate::kernel::iam::PolicyDocument;
use crate::kernel::time::Time;

/// The queues of one account in one region.
#[derive(Debug, Default)]
pub struct Region {
    pub(super) queues: BTreeMap<String, Queue>,
    /// The time at which a queue of that name was deleted.
    pub(super) deleted: BTreeMap<String, Time>,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) arn: String,
    pub(super) settings: Settings,
    pub(super) policy: Option<PolicyDocument>,
    pub(super) created: Time,
    pub(super) modified: Time,
    pub(super) purged: Option<Time>,
    pub(super) messages: Vec<Message>,
}

impl Queue {
    /// Forgets what has been kept for longer than the queue keeps messages.
    pub(super) fn expire(&mut self, now: Time) {
        let retention = self.settings.retention;
        self.messages.retain(|message| !message.is_expired(now, retention));
    }
}
