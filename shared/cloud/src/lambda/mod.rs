//! Lambda: functions, their execution environments and asynchronous invocation.
//!
//! An event goes into the queue of asynchronous invocations ([`invoke_async`]), which gives it to
//! an execution environment when the concurrency allows. What runs in an environment *pulls*, as
//! the Lambda Runtime API has it: it asks for the next invocation, and says how it ended. Code in
//! process and real programs differ only in who asks.
//!
//! The model knows every invocation and its deadline, and whoever dies is told apart by what the
//! model has on record, so that each try ends exactly once: what is said later is not heard.

mod code;
mod environment;
mod function;
mod process;
mod queue;
mod spec;
pub(crate) mod state;

pub use code::{BoxFuture, Code, Context, Environment, Factory, FunctionError, Instance};
pub use environment::{Ending, Job, NoJob, Take, end, finished, kill, start_failed, take};
pub use function::{
    add_function, add_permission, environments_of, exists, permissions_of, remove_function,
    set_variables, spec_of,
};
pub use process::{Command, Exit, Launch, PREFIX, ProcessKeeper, Processes};
pub use queue::{Refusal, enqueue, invoke_async};
pub use spec::FunctionSpec;
pub use state::{InvocationId, Start};

pub use crate::kernel::scope::{EnvironmentId, Invoker};
