//! The handle by which other threads reach a served world.

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::runtime_api;
use super::world::Message;
use crate::cloud::Cloud;
use crate::dispatch::Answer;
use crate::kernel::http::{Request, Response};
use crate::kernel::scope::EnvironmentId;
use crate::kernel::time::Time;
use crate::model::Model;

/// A way to the world from other threads.
#[derive(Clone)]
pub struct World {
    pub(super) sender: UnboundedSender<Message>,
    /// As in [`super::port::Options`].
    pub speed: u32,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("speed", &self.speed).finish_non_exhaustive()
    }
}

/// The world has ended.
#[derive(Debug, thiserror::Error)]
#[error("the world has ended")]
pub struct Ended;

impl World {
    /// A call, answered at the present instant.
    pub async fn call(&self, request: Request) -> Result<Answer, Ended> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(Message::Call(request, reply)).map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Moves the clock; answers what it shows then.
    pub async fn advance(&self, span: Duration) -> Result<Time, Ended> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(Message::Advance(span, reply)).map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Looks at the model or changes it.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Model) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        self.act(move |cloud| cloud.with(act)).await
    }

    /// Does something in the world, at the present moment.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Cloud) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        let act = move |cloud: &Cloud| {
            reply.send(act(cloud)).ok();
        };
        self.sender.send(Message::Act(Box::new(act))).map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

impl World {
    /// A request of a real program that is an execution environment: answered when there is
    /// something for it, and forgotten when it breaks off.
    pub(super) async fn serve_environment(
        &self,
        environment: EnvironmentId,
        request: Request,
    ) -> Result<Response, Ended> {
        let (reply, answer) = oneshot::channel();
        self.act(move |cloud| runtime_api::answer_to(cloud, environment, request, reply)).await?;
        answer.await.map_err(|_| Ended)
    }
}
