//! Sending: how often a call is sent, and how long it may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use afterimage_core::limits::EC2_CALL_MAX;
use aws_sdk_ec2::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Builder, Config, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;

/// The number of times that a call was sent, which decides the meaning of its end.
#[derive(Clone, Debug, Default)]
pub(in crate::ec2) struct Sent(Arc<AtomicU32>);

impl Sent {
    pub(in crate::ec2) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "Sent"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Returns the configuration of a call that has to end in time.
pub(super) fn in_time(sent: &Sent) -> Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(EC2_CALL_MAX.unsigned_abs());
    Config::builder().timeout_config(timeouts.build()).interceptor(sent.clone())
}

/// Returns the configuration of a call that creates something each time it is sent.
pub(in crate::ec2) fn once(sent: &Sent) -> Builder {
    in_time(sent).retry_config(RetryConfig::disabled())
}
