//! The calls that change something, one module each. Each returns its outcome, and has no other
//! errors.

mod copy_image;
mod create_image;
mod create_snapshots;
mod create_tags;
mod register_image;
pub(in crate::ec2) mod sending;
mod start_instance;
mod stop_instance;
mod wire;

use afterimage_core::call::{Call, Reply};

use super::Ec2;

impl Ec2 {
    /// Makes a call, at most once.
    pub async fn call(&self, call: &Call) -> Reply {
        match call {
            Call::CreateSnapshots(call) => {
                Reply::CreateSnapshots(self.create_snapshots(call).await)
            }
            Call::CreateImage(call) => Reply::CreateImage(self.create_image(call).await),
            Call::RegisterImage(call) => Reply::RegisterImage(self.register_image(call).await),
            Call::CopyImage(call) => Reply::CopyImage(self.copy_image(call).await),
            Call::StopInstance(call) => Reply::StopInstance(self.stop_instance(call).await),
            Call::StartInstance(call) => Reply::StartInstance(self.start_instance(call).await),
        }
    }
}
