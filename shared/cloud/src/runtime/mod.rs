//! The runtime of functions: it starts execution environments, in process or as real programs, and
//! brings them their invocations.
//!
//! [`crate::lambda`] is the model and knows no task or process. What it wants to be started or
//! killed it leaves as an [`Effect`]; the world hands each of them over to
//! [`Cloud::carry_out`] once it is done with the model.

mod in_process;
mod work;

pub use work::next;

use std::path::PathBuf;

use tokio::sync::mpsc::unbounded_channel;

use crate::cloud::Cloud;
use crate::kernel::error::ApiError;
use crate::kernel::scope::EnvironmentId;
use crate::lambda::{
    Code, Ending, Environment, Exit, FunctionError, FunctionSpec, Launch, ProcessKeeper, Processes,
    Start, add_function, end,
};
use crate::model::Effect;

impl Cloud {
    /// Declares a function; the result is its ARN.
    pub fn add_function(&self, spec: FunctionSpec) -> Result<String, ApiError> {
        self.with(|model| add_function(model, spec))
    }

    /// Tells whether the clock must go as the machine's does, because real programs are attached.
    pub fn clock_is_bound(&self) -> bool {
        self.with(|model| model.lambda.has_binaries())
    }

    /// Makes it possible to run real programs. `endpoint` is the URL of the port without a slash at
    /// its end; the keeper is to be run on a runtime whose time is the machine's.
    pub fn attach_processes(&self, endpoint: &str) -> ProcessKeeper {
        let (commands, inbox) = unbounded_channel();
        let (exits, mut ended) = unbounded_channel::<Exit>();
        self.set_processes(Processes::new(commands, endpoint));
        let cloud = self.clone();
        self.spawn(async move {
            while let Some(exit) = ended.recv().await {
                cloud.with(|model| end(model, exit.environment, Ending::Exited(exit.how)));
            }
        });
        ProcessKeeper::new(inbox, exits)
    }

    /// Does what the model wants to be done outside of it.
    pub(crate) fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Start(start) => begin(self, start),
            Effect::Kill(environment) => {
                self.abort(environment);
                if let Some(processes) = self.processes() {
                    processes.kill(environment);
                }
                self.with(|model| end(model, environment, Ending::Killed));
            }
        }
    }
}

/// Starts an execution environment.
fn begin(cloud: &Cloud, start: Start) {
    let environment = start.environment;
    match start.code {
        Code::InProcess(factory) => {
            let config = cloud.sdk_config_of(&start.caller);
            let life =
                in_process::live(cloud.clone(), environment, factory, start.variables, config);
            cloud.spawn_in(environment, life);
        }
        Code::Binary(program) => {
            launch(cloud, environment, program, start.variables, start.log_stream)
        }
    }
}

fn launch(
    cloud: &Cloud,
    environment: EnvironmentId,
    program: PathBuf,
    variables: Environment,
    log_stream: String,
) {
    let variables = variables.variables;
    let launch = Launch { environment, program, variables, log_stream };
    let sent = cloud.processes().is_some_and(|processes| processes.launch(launch));
    if !sent {
        let text = "cannot start a real program: this world is not served on a port";
        let error = FunctionError::new("Runtime.InvalidEntrypoint", text);
        cloud.with(|model| end(model, environment, Ending::Failed(error)));
    }
}
