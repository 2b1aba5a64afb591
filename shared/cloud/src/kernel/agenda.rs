//! Deeds that are due at some time, in the order of their times.

use std::collections::BTreeMap;
use std::fmt;

use crate::kernel::time::Time;

/// A deed that a world of type `W` does by itself when its time has come.
pub struct Deed<W> {
    /// Name of the deed: the service, then what happens.
    pub name: &'static str,
    act: Box<dyn FnOnce(&mut W) + Send>,
}

impl<W> Deed<W> {
    pub fn new(name: &'static str, act: impl FnOnce(&mut W) + Send + 'static) -> Deed<W> {
        Deed { name, act: Box::new(act) }
    }

    /// Does the deed.
    pub fn act(self, world: &mut W) {
        (self.act)(world);
    }
}

impl<W> fmt::Debug for Deed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The queue of deeds. Those of the same instant come out in the order they went in.
#[derive(Debug)]
pub struct Agenda<W> {
    entries: BTreeMap<(Time, u64), Deed<W>>,
    next_number: u64,
}

impl<W> Default for Agenda<W> {
    fn default() -> Agenda<W> {
        Agenda { entries: BTreeMap::new(), next_number: 0 }
    }
}

impl<W> Agenda<W> {
    pub fn add(&mut self, at: Time, deed: Deed<W>) {
        self.entries.insert((at, self.next_number), deed);
        self.next_number += 1;
    }

    /// Time of the next deed.
    pub fn next_at(&self) -> Option<Time> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes the first deed that is due by `now`, with its time.
    pub fn take_due(&mut self, now: Time) -> Option<(Time, Deed<W>)> {
        let entry = self.entries.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((at, _), deed) = entry.remove_entry();
        Some((at, deed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deeds_come_out_by_their_time_and_then_in_the_order_they_went_in() {
        let later = Time::START + Duration::from_secs(1);
        let deed = |name| Deed::new(name, move |done: &mut Vec<&str>| done.push(name));
        let mut agenda = Agenda::default();
        agenda.add(later, deed("third"));
        agenda.add(Time::START, deed("first"));
        agenda.add(Time::START, deed("second"));
        let shown = format!("{agenda:?}");
        let places = ["first", "second", "third"].map(|name| shown.find(name));
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{shown}");

        let mut done = Vec::new();
        while let Some((_, deed)) = agenda.take_due(Time::START) {
            deed.act(&mut done);
        }
        assert_eq!(done, ["first", "second"]);
        assert_eq!(agenda.next_at(), Some(later));
    }
}
