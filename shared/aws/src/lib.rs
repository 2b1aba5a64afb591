//! The acting part of Afterimage: the only code that calls AWS.
//!
//! A function is `decode` (EventBridge JSON to a typed event), `load` (what the decision needs to
//! know), `decide` (in `afterimage-core`) and `apply` (carry out each command, record each
//! outcome). Execution makes no choices.

pub mod apply;
mod beats;
pub mod bus;
pub mod clock;
pub mod decode;
pub mod ec2;
pub mod environment;
pub mod error;
mod http;
pub mod invocation;
pub mod kms;
pub mod ledger;
pub mod load;
pub mod log;
pub mod response;
pub mod rules;
pub mod start;

use std::sync::Arc;

use afterimage_core::part::Work;
use aws_types::SdkConfig;

pub use beats::Beats;
pub use bus::Bus;
pub use clock::Clock;
pub use ec2::Ec2;
pub use environment::Environment;
pub use error::Failure;
pub use invocation::Context;
pub use kms::Kms;
pub use ledger::Ledger;
pub use rules::Rules;

/// The clients of a started function.
#[derive(Clone, Debug)]
pub struct Aws {
    pub environment: Arc<Environment>,
    pub clock: Clock,
    pub ledger: Ledger,
    pub ec2: Ec2,
    pub bus: Bus,
    pub kms: Kms,
    /// The heartbeats of this execution environment.
    pub beats: Arc<Beats>,
}

impl Aws {
    /// Makes the clients, once for each execution environment. A function that reads EC2 says what
    /// its work is ([`Aws::doing`]).
    pub fn start(environment: Environment, config: &SdkConfig) -> Aws {
        let config = http::shared(config);
        Aws {
            clock: Clock::of(&config),
            ledger: Ledger::new(&config, &environment.table, &environment.stream),
            ec2: Ec2::new(&config, &environment.stream),
            bus: Bus::new(&config, &environment.bus, &environment.stream),
            kms: Kms::new(&config, Some(&environment.account)),
            beats: Arc::default(),
            environment: Arc::new(environment),
        }
    }

    /// Returns the clients of one kind of work, which keeps to its part of what EC2 allows.
    #[must_use]
    pub fn doing(&self, work: Work) -> Aws {
        Aws { ec2: self.ec2.doing(work), ..self.clone() }
    }
}
