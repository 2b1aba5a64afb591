//! CopyImage. The call carries our token, so that the SDK may send it again.

use afterimage_core::call::{CopyImage, Outcome};
use afterimage_core::ids::AmiId;
use aws_sdk_ec2::types::ResourceType;

use super::sending::{Sent, in_time};
use super::wire::{image, tags_for};
use crate::ec2::{Ec2, errors};

impl Ec2 {
    /// Copies an image into the region of the copy, where the call is made.
    pub async fn copy_image(&self, wanted: &CopyImage) -> Outcome<AmiId> {
        let kinds = [ResourceType::Image, ResourceType::Snapshot];
        let sent = Sent::default();
        let answer = self
            .client(&wanted.region)
            .copy_image()
            .client_token(&wanted.token)
            .source_region(wanted.source_region.as_str())
            .source_image_id(wanted.source.as_str())
            .name(&wanted.name)
            .description(&wanted.description)
            .set_encrypted(wanted.kms_key.as_ref().map(|_| true))
            .set_kms_key_id(wanted.kms_key.clone())
            .set_tag_specifications(tags_for(&kinds, &wanted.tags))
            .customize()
            .config_override(in_time(&sent))
            .send()
            .await;
        match answer {
            Ok(made) => image(made.image_id()),
            Err(error) => errors::of_failed(&error, sent.count()),
        }
    }
}
