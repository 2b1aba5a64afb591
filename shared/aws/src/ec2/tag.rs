//! The two tags of a machine that Afterimage changes: the request, which is removed, and the
//! answer. Both calls may be repeated without harm, and a machine that is gone needs neither.

use afterimage_core::ids::{InstanceId, Region};
use afterimage_core::names::{TAG_ANSWER, TAG_ASK};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;

use super::{Ec2, errors};
use crate::error::Failure;

impl Ec2 {
    /// Takes a request off a machine, if it still has this value.
    ///
    /// # Errors
    /// EC2 did not remove the tag.
    pub async fn take_off(
        &self,
        region: &Region,
        instance: &InstanceId,
        value: &str,
    ) -> Result<(), Failure> {
        self.turn(region, "DeleteTags").await;
        let tag = Tag::builder().key(TAG_ASK).value(value).build();
        let call = self.client(region).delete_tags().resources(instance.as_str()).tags(tag);
        done("DeleteTags", region, call.send().await)
    }

    /// Sets the answer to its request on a machine. Returns the code with which EC2 refused the
    /// tag; none if it is set. A policy of the organization may deny it for good.
    ///
    /// # Errors
    /// EC2 did not answer, or asked to wait.
    pub async fn answer(
        &self,
        region: &Region,
        instance: &InstanceId,
        text: &str,
    ) -> Result<Option<String>, Failure> {
        self.turn(region, "CreateTags").await;
        let tag = Tag::builder().key(TAG_ANSWER).value(text).build();
        let call = self.client(region).create_tags().resources(instance.as_str()).tags(tag);
        let answer = call.send().await;
        let refused = answer.as_ref().err().and_then(errors::final_code);
        match refused.filter(|code| !errors::is_instance_gone(code)) {
            Some(code) => Ok(Some(code.to_string())),
            None => done("CreateTags", region, answer).map(|()| None),
        }
    }
}

fn done<T, E>(
    operation: &'static str,
    region: &Region,
    answer: Result<T, SdkError<E>>,
) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(()),
        Err(error) if error.code().is_some_and(errors::is_instance_gone) => Ok(()),
        Err(error) => {
            Err(Failure::Ec2 { operation, region: region.to_string(), source: Box::new(error) })
        }
    }
}
