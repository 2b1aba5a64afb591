//! Whatever happens, and in whatever order: a machine that our call stopped runs in the end, and
//! one that somebody else stopped is never started. The checker knows nothing of how that is
//! decided: it knows what EC2 did, and for whom.

use afterimage_core::call::Outcome;
use afterimage_core::command::Command;
use afterimage_core::machine::State;
use afterimage_core::status::Status;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

use crate::scene::{World, answer, begin_stop, is_snapshots, point};

/// What can happen between two rounds, or in one.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// Time passes, and what EC2 is about to do, it does.
    Passes(i64),
    /// A round in which the call is made, or is not, and its outcome is heard of, or is not.
    Round(Call),
    /// A worker dies after the intent: the call is made, or is not.
    Dies {
        called: bool,
    },
    Point(Status),
    /// Somebody stops or starts the machine by hand.
    UserStops,
    UserStarts,
    /// What EC2 has begun to start does not come to run.
    FailsToStart,
    /// The machine gets a tag with which no policy selects it, or loses it again.
    Wanted(bool),
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Answered,
    LostBefore,
    LostAfter,
    Throttled,
    Refused,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::{Dies, FailsToStart, Passes, Point, Round, UserStarts, UserStops, Wanted};
    prop_oneof![
        5 => (1..400_i64).prop_map(Passes),
        6 => prop_oneof![
            4 => Just(Call::Answered),
            1 => Just(Call::LostBefore),
            1 => Just(Call::LostAfter),
            1 => Just(Call::Throttled),
            1 => Just(Call::Refused),
        ].prop_map(Round),
        2 => proptest::bool::ANY.prop_map(|called| Dies { called }),
        3 => prop_oneof![
            Just(Status::Snapshotting),
            Just(Status::Snapshotted),
            Just(Status::Requested),
            Just(Status::Failed),
            Just(Status::Refused),
            Just(Status::Missed),
            Just(Status::Protected),
        ].prop_map(Point),
        1 => Just(UserStops),
        1 => Just(UserStarts),
        1 => Just(FailsToStart),
        1 => proptest::bool::ANY.prop_map(Wanted),
    ]
}

/// EC2 and the people who use it, seen from outside.
struct Checker {
    world: World,
    /// Whose call brought the machine down, if it is not to run.
    stopped_by: Option<By>,
    /// Whether an answer of EC2 was lost since it ran: then nobody can tell who stopped it.
    unsure: bool,
    started_by_us: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Us,
    Somebody,
}

impl Checker {
    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Passes(secs) => {
                self.world.pass(secs);
                self.settle();
            }
            Happens::Round(call) => self.round(call),
            Happens::Dies { called } => {
                self.unsure = true;
                let call = if called { Call::LostAfter } else { Call::LostBefore };
                self.round(call);
            }
            Happens::Point(status) => {
                if !self.world.point(1).status.is_settled() {
                    self.world.change_point(1, |point| point.status = status);
                    if status == Status::Snapshotted {
                        self.world.snapshotted(1);
                    }
                }
            }
            Happens::UserStops if self.state() == State::Running => {
                begin_stop(self.world.seen(1));
                self.stopped_by = Some(By::Somebody);
            }
            Happens::UserStarts if self.state() == State::Stopped => self.start(),
            Happens::FailsToStart if self.state() == State::Pending => {
                self.world.set(1, State::Stopped);
                let why = Some("Server.InsufficientInstanceCapacity".into());
                self.world.seen(1).state_reason = why;
                // A start of ours that comes to nothing leaves us where we were. Whether we care
                // for one of somebody else depends on whether we were about to start it too.
                self.stopped_by = Some(if self.started_by_us { By::Us } else { By::Somebody });
                self.unsure = !self.started_by_us;
            }
            Happens::Wanted(is_wanted) => {
                let tags = &mut self.world.seen(1).instance.tags;
                match is_wanted {
                    true => drop(tags.insert("backup".to_string(), "yes".to_string())),
                    false => drop(tags.remove("backup")),
                }
            }
            Happens::UserStops | Happens::UserStarts | Happens::FailsToStart => {}
        }
    }

    fn state(&mut self) -> State {
        self.world.seen(1).instance.state
    }

    fn settle(&mut self) {
        match self.state() {
            State::Stopping => self.world.set(1, State::Stopped),
            State::Pending => self.world.set(1, State::Running),
            _ => {}
        }
    }

    fn start(&mut self) {
        let now = self.world.now;
        let seen = self.world.seen(1);
        seen.instance.state = State::Pending;
        seen.instance.launched = now;
        seen.state_reason = None;
        self.stopped_by = None;
        self.unsure = false;
        self.started_by_us = false;
    }

    fn round(&mut self, call: Call) {
        let decision = self.world.look_at_points();
        if !decision.commands.iter().any(is_snapshots) {
            self.world.take(&decision);
        }
        let mut world = self.world.clone();
        let (mut stopped_by, mut unsure) = (self.stopped_by, self.unsure);
        let mut started_by_us = self.started_by_us;
        world.round_with(|world, command| {
            let before = world.seen(1).instance.state;
            let refuse = match call {
                Call::Throttled => Some(Outcome::Throttled(answer("RequestLimitExceeded"))),
                Call::Refused => Some(Outcome::Failed(answer("UnauthorizedOperation"))),
                Call::LostBefore => Some(Outcome::Unknown(answer("no-answer"))),
                Call::Answered | Call::LostAfter => None,
            };
            unsure |= matches!(call, Call::LostBefore | Call::LostAfter);
            if let Some(refused) = refuse {
                return refused;
            }
            let outcome = world.call(command);
            let Command::Call(intent) = command else { return outcome };
            match &intent.call {
                afterimage_core::call::Call::StopInstance(_) if before == State::Running => {
                    stopped_by = Some(By::Us)
                }
                afterimage_core::call::Call::StartInstance(_) if before == State::Stopped => {
                    assert!(
                        stopped_by != Some(By::Somebody) || unsure,
                        "what somebody else stopped was started"
                    );
                    (stopped_by, unsure, started_by_us) = (None, false, true);
                }
                _ => {}
            }
            if let Call::LostAfter = call { Outcome::Unknown(answer("no-answer")) } else { outcome }
        });
        self.world = world;
        (self.stopped_by, self.unsure) = (stopped_by, unsure);
        self.started_by_us = started_by_us;
    }
}

proptest! {
    #[test]
    fn whatever_happens(story in vec(happens(), 1..60), is_shared in proptest::bool::ANY) {
        let mut world = World::of(&["gold"]);
        if is_shared {
            // A point of another policy wants the same machine stopped.
            let silver = point("silver", 1);
            world.points.insert(silver.id.clone(), silver);
        }
        let mut checker = Checker { world, stopped_by: None, unsure: false, started_by_us: false };
        for what in story {
            checker.happen(what);
        }
        // Nothing goes wrong any more.
        for _ in 0..200 {
            checker.round(Call::Answered);
            checker.world.pass(60);
            checker.settle();
        }
        let state = checker.world.seen(1).instance.state;
        let expected = match checker.stopped_by {
            None => State::Running,
            Some(By::Somebody) if !checker.unsure => State::Stopped,
            Some(By::Somebody) => state,
            Some(By::Us) => panic!("a machine that we stopped is left {state:?}"),
        };
        assert_eq!(state, expected);
        assert!(checker.world.roster.places.is_empty(), "its place is free");
    }
}
