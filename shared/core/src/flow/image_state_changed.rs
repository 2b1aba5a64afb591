//! An image is available, or failed: the worker that confirms images is woken.

use jiff::Timestamp;

use super::{ImageStateChanged, InFlight, awaited, held};
use crate::change::Record;
use crate::command::{Command, Decision, Wake};
use crate::observed::ImageState;
use crate::reason::{Code, Reason};
use crate::work::{Kind, Queue};

#[derive(Clone, Debug)]
pub struct Input {
    pub now: Timestamp,
    pub event: ImageStateChanged,
    /// The images in flight in the region of the event.
    pub in_flight: Vec<InFlight>,
    /// The records that call the image good, if the event says that it is not.
    pub suspects: Vec<Record>,
}

pub fn decide(input: &Input) -> Decision {
    let mut decision = Decision::default();
    let ImageStateChanged { region, image, state } = &input.event;
    match state {
        // On its way, or in a way that we know nothing of.
        ImageState::Pending | ImageState::Other => return decision,
        ImageState::Available
        | ImageState::Failed
        | ImageState::Disabled
        | ImageState::Deregistered => {}
    }
    if awaited(&input.in_flight, &image.clone().into()) {
        let queue = Queue { region: region.clone(), kind: Kind::Confirm };
        decision.command(Command::Wake(Wake { queue, hop: 0 }));
    } else if !input.suspects.is_empty() {
        decision.add(held::look_at(&input.suspects, input.now));
    } else {
        let text = format!("no point or replica in {region} waits for this image");
        decision.say(image, Reason::new(Code::NotInFlight, text));
    }
    decision
}
