//! The thread on which a served world lives.
//!
//! Requests come to it as messages. While it waits for one, its clock stands still, which takes a
//! trick: Tokio moves a paused clock as soon as every task waits, except while a blocking task is
//! under way. So one is kept parked, and let go whenever time is to pass.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use crate::cloud::Cloud;
use crate::dispatch::Answer;
use crate::kernel::http::Request;
use crate::kernel::time::Time;

/// A request of the port to the world.
pub enum Message {
    Call(Request, oneshot::Sender<Answer>),
    /// Lets time pass; answered when everything due by then has happened.
    Advance(Duration, oneshot::Sender<Time>),
    /// Does something at the present moment.
    Act(Box<dyn FnOnce(&Cloud) + Send>),
    /// Ends the world, whoever can still send.
    End,
}

/// A span that is to pass, and who waits for its end.
type Passage = (Duration, oneshot::Sender<Time>);

/// Holds the clock for as long as it lives.
struct Hold {
    _parked: mpsc::Sender<()>,
}

impl Hold {
    fn take() -> Hold {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || {
            // Ends, with an error, when the sender is dropped.
            receiver.recv().ok();
        });
        Hold { _parked: sender }
    }
}

/// The state of the world after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// Serves messages until it is told to end, or nobody can send any more. Whoever waits for time to
/// pass by then hears that the world has ended.
pub async fn serve(cloud: Cloud, mut inbox: UnboundedReceiver<Message>) {
    let mut waiting: VecDeque<Passage> = VecDeque::new();
    let mut hold = Hold::take();
    loop {
        let message = inbox.recv().await;
        if handle(&cloud, message, &mut waiting) == Next::End {
            return;
        }
        while let Some((span, reply)) = waiting.pop_front() {
            drop(hold);
            if pass(&cloud, span, &mut inbox, &mut waiting).await == Next::End {
                return;
            }
            hold = Hold::take();
            reply.send(cloud.now()).ok();
        }
    }
}

fn handle(cloud: &Cloud, message: Option<Message>, waiting: &mut VecDeque<Passage>) -> Next {
    match message {
        // Whoever asked may be gone by now, which is no concern of the world's.
        Some(Message::Call(request, reply)) => {
            reply.send(cloud.answer(&request)).ok();
        }
        Some(Message::Act(act)) => act(cloud),
        Some(Message::Advance(span, reply)) => waiting.push_back((span, reply)),
        Some(Message::End) | None => return Next::End,
    }
    Next::GoOn
}

/// Lets a span pass. Calls that come in meanwhile are answered at the instant they meet.
async fn pass(
    cloud: &Cloud,
    span: Duration,
    inbox: &mut UnboundedReceiver<Message>,
    waiting: &mut VecDeque<Passage>,
) -> Next {
    let mut passing = pin!(cloud.advance(span));
    loop {
        tokio::select! {
            biased;
            message = inbox.recv() => {
                if handle(cloud, message, waiting) == Next::End {
                    return Next::End;
                }
            }
            () = passing.as_mut() => return Next::GoOn,
        }
    }
}
