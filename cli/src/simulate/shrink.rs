//! Shrinks a world that breaks a promise: leaves out acts, mishaps, machines and policies as long
//! as the same promise breaks, and ends the world sooner. The result says what it takes.

use super::checks::Promise;
use super::play::play;
use super::world::{Artefact, Consistency, Kind, World};

/// The most worlds that are played to shrink one. Each takes some seconds.
pub const PLAYS_MAX: u32 = 80;

/// Shrinker of one world.
struct Shrinker<'f> {
    world: World,
    promise: Promise,
    plays: u32,
    progress: &'f mut dyn FnMut(u32),
}

/// Makes a world smaller that breaks this promise in this minute. Tells the number of plays as they
/// pass.
pub fn shrink(
    world: &World,
    (promise, minute): (Promise, u32),
    progress: &mut dyn FnMut(u32),
) -> World {
    let mut world = world.clone();
    // What comes later has nothing to do with it.
    world.acts.retain(|act| act.minute <= minute);
    let mut shrinker = Shrinker { world, promise, plays: 0, progress };
    loop {
        let before = shrinker.world.clone();
        // First what costs most to play.
        shrinker.parts(|world| &mut world.machines);
        shrinker.parts(|world| &mut world.policies);
        shrinker.parts(|world| &mut world.mishaps);
        shrinker.parts(|world| &mut world.acts);
        shrinker.simpler();
        if shrinker.world == before || shrinker.plays >= PLAYS_MAX {
            return shrinker.world;
        }
    }
}

impl Shrinker<'_> {
    /// Takes a smaller world if it breaks the same promise.
    fn takes(&mut self, smaller: World) -> bool {
        if self.plays >= PLAYS_MAX || smaller == self.world {
            return false;
        }
        self.plays += 1;
        (self.progress)(self.plays);
        let broken = play(&smaller).ok().and_then(|played| played.violation);
        let is_same = broken.is_some_and(|violation| violation.promise == self.promise);
        if is_same {
            self.world = smaller;
        }
        is_same
    }

    /// Leaves out parts of a list: first its halves, then its quarters, and so on.
    fn parts<T: Clone>(&mut self, list: impl Fn(&mut World) -> &mut Vec<T>) {
        let mut size = list(&mut self.world).len();
        while size > 0 {
            let mut from = 0;
            while from < list(&mut self.world).len() {
                let mut smaller = self.world.clone();
                let parts = list(&mut smaller);
                let until = (from + size).min(parts.len());
                parts.drain(from..until);
                if !self.takes(smaller) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    /// Tries simpler values one by one.
    fn simpler(&mut self) {
        let span = self.world.span;
        for part in [8, 4, 2] {
            let last = self.world.acts.last().map_or(0, |act| act.minute);
            let shorter = (span / part).max(last + 1).min(span);
            if self.takes(World { span: shorter, ..self.world.clone() }) {
                break;
            }
        }
        for at in 0..self.world.machines.len() {
            let mut smaller = self.world.clone();
            smaller.machines[at].disks = 0;
            smaller.machines[at].kind = Kind::Linux;
            self.takes(smaller);
        }
        for at in 0..self.world.policies.len() {
            let mut smaller = self.world.clone();
            smaller.policies[at].consistency = Consistency::Crash;
            self.takes(smaller);
            let mut smaller = self.world.clone();
            smaller.policies[at].artefact = Artefact::Image;
            self.takes(smaller);
            for replica in (0..self.world.policies[at].replicas.len()).rev() {
                let mut smaller = self.world.clone();
                smaller.policies[at].replicas.remove(replica);
                self.takes(smaller);
            }
        }
    }
}
