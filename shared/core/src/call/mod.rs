//! The calls that change something in EC2, one module each: the request, the intent that is written
//! before it, the outcome, and the search for what a call without an outcome has made.
//!
//! | after the call | then |
//! |---|---|
//! | made | the record holds what was made, and waits until EC2 has finished it |
//! | throttled | the same try is made later |
//! | failed | the next try, under another name, after a wait that doubles |
//! | refused | the same, unless a machine is down for the call: then the point is given up |
//! | gone | the point is given up, unless its module says otherwise |
//! | name taken, unknown | the intent stands; the worker looks for what the call made |

pub mod around;
mod at_home;
pub mod conclusion;
pub mod copy_image;
pub mod create_image;
pub mod create_snapshots;
pub mod create_tags;
mod named;
pub mod of_copies;
pub mod outcome;
mod point_outcome;
pub mod register_image;
pub mod start_instance;
pub mod stop_instance;

use jiff::Timestamp;

use crate::change::Change;
use crate::finding::Explanation;
use crate::ids::{AmiId, Region};
use crate::illegal::Illegal;
use crate::machine::State;
use crate::work::{Kind, Queue};

pub use around::Around;
pub use conclusion::{Conclusion, Learnt};
pub use copy_image::CopyImage;
pub use create_image::CreateImage;
pub use create_snapshots::CreateSnapshots;
pub use create_tags::CreateTags;
pub use outcome::{Answer, Outcome, Pressure, SnapshotSet};
pub use register_image::RegisterImage;
pub use start_instance::StartInstance;
pub use stop_instance::StopInstance;

/// A call that is made only after its intent is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    CreateSnapshots(CreateSnapshots),
    CreateImage(CreateImage),
    RegisterImage(RegisterImage),
    CopyImage(CopyImage),
    /// A stop that is never forced.
    StopInstance(StopInstance),
    StartInstance(StartInstance),
}

/// A call, and the change that is written first. Writing the change is the right to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub change: Change,
    pub queue: Queue,
    pub call: Call,
    /// The facts around the record that the conclusion needs; none if the record is enough.
    pub around: Option<Box<Around>>,
    /// The change that keeps what was read for the call, at a cost of calls. It is written if time
    /// runs out before the call is begun, so that the next worker does not read it again.
    pub read: Option<Box<Change>>,
}

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    CreateSnapshots(Outcome<SnapshotSet>),
    CreateImage(Outcome<AmiId>),
    RegisterImage(Outcome<AmiId>),
    CopyImage(Outcome<AmiId>),
    /// The state of the machine before the call.
    StopInstance(Outcome<State>),
    /// The state of the machine before the call.
    StartInstance(Outcome<State>),
}

/// Returns the changes that follow from the outcome of a call: for its record, for the queue of the
/// call, and for the summary of the machine. `begun` is the intent as it was written.
pub fn conclude(
    around: Option<&Around>,
    begun: &Change,
    reply: Reply,
    now: Timestamp,
) -> Conclusion {
    match around {
        None => of_record(begun, reply, now),
        Some(Around::Copy { obstacles, point }) => {
            let seen = match &reply {
                Reply::CopyImage(outcome) => of_copies::seen(point, begun, outcome),
                _ => None,
            };
            let concluded = of_record(begun, reply, now);
            of_copies::add_to(concluded, (obstacles, point), begun, seen, now)
        }
        Some(Around::AtHome(obstacles)) => {
            let seen = match &reply {
                Reply::CreateSnapshots(outcome) => at_home::seen(outcome),
                Reply::CreateImage(outcome) | Reply::RegisterImage(outcome) => {
                    at_home::seen(outcome)
                }
                Reply::CopyImage(_) | Reply::StopInstance(_) | Reply::StartInstance(_) => None,
            };
            at_home::add_to(of_record(begun, reply, now), obstacles, begun, seen, now)
        }
    }
}

fn of_record(begun: &Change, reply: Reply, now: Timestamp) -> Conclusion {
    let (name, concluded) = match reply {
        Reply::CreateSnapshots(outcome) => {
            let point = begun.point_written();
            (CreateSnapshots::NAME, point.map(|it| create_snapshots::conclude(it, outcome, now)))
        }
        Reply::CreateImage(outcome) => {
            let point = begun.point_written();
            (CreateImage::NAME, point.map(|it| create_image::conclude(it, outcome, now)))
        }
        Reply::RegisterImage(outcome) => {
            let point = begun.point_written();
            (RegisterImage::NAME, point.map(|it| register_image::conclude(it, outcome, now)))
        }
        Reply::CopyImage(outcome) => {
            let replica = begun.replica_written();
            (CopyImage::NAME, replica.map(|it| copy_image::conclude(it, outcome, now)))
        }
        Reply::StopInstance(outcome) => {
            (StopInstance::NAME, stop_instance::conclude(begun, outcome, now))
        }
        Reply::StartInstance(outcome) => {
            let downtime = begun.downtime_written();
            (StartInstance::NAME, downtime.map(|it| Ok(start_instance::conclude(it, outcome, now))))
        }
    };
    let concluded = concluded.unwrap_or(Err(Illegal::NoRecord { call: name }));
    concluded.unwrap_or_else(|illegal| {
        let explanation = Explanation { about: begun.about(), reason: illegal.reason() };
        Conclusion { explanations: vec![explanation], ..Conclusion::default() }
    })
}

impl Call {
    /// Returns the name of the EC2 operation.
    pub const fn name(&self) -> &'static str {
        match self {
            Call::CreateSnapshots(_) => CreateSnapshots::NAME,
            Call::CreateImage(_) => CreateImage::NAME,
            Call::RegisterImage(_) => RegisterImage::NAME,
            Call::CopyImage(_) => CopyImage::NAME,
            Call::StopInstance(_) => StopInstance::NAME,
            Call::StartInstance(_) => StartInstance::NAME,
        }
    }

    /// Returns the queue whose worker makes the call, at its pace.
    pub fn queue(&self) -> Queue {
        let (region, kind): (&Region, Kind) = match self {
            Call::CreateSnapshots(call) => (&call.region, Kind::Snapshot),
            Call::CreateImage(call) => (&call.region, Kind::Snapshot),
            Call::RegisterImage(call) => (&call.region, Kind::Register),
            Call::CopyImage(call) => (&call.region, Kind::Copy),
            Call::StopInstance(call) => (&call.region, Kind::Power),
            Call::StartInstance(call) => (&call.region, Kind::Power),
        };
        Queue { region: region.clone(), kind }
    }
}

impl Intent {
    pub fn new(change: Change, call: Call) -> Intent {
        Intent { change, queue: call.queue(), call, around: None, read: None }
    }
}

impl Reply {
    /// Returns the pressure that the outcome puts on the calls that follow in the same queue.
    pub fn pressure(&self) -> Pressure {
        match self {
            Reply::CreateSnapshots(outcome) => outcome.pressure(),
            Reply::CreateImage(outcome)
            | Reply::RegisterImage(outcome)
            | Reply::CopyImage(outcome) => outcome.pressure(),
            Reply::StopInstance(outcome) | Reply::StartInstance(outcome) => outcome.pressure(),
        }
    }
}

impl From<CreateSnapshots> for Call {
    fn from(call: CreateSnapshots) -> Call {
        Call::CreateSnapshots(call)
    }
}

impl From<CreateImage> for Call {
    fn from(call: CreateImage) -> Call {
        Call::CreateImage(call)
    }
}

impl From<RegisterImage> for Call {
    fn from(call: RegisterImage) -> Call {
        Call::RegisterImage(call)
    }
}

impl From<CopyImage> for Call {
    fn from(call: CopyImage) -> Call {
        Call::CopyImage(call)
    }
}

impl From<StopInstance> for Call {
    fn from(call: StopInstance) -> Call {
        Call::StopInstance(call)
    }
}

impl From<StartInstance> for Call {
    fn from(call: StartInstance) -> Call {
        Call::StartInstance(call)
    }
}
