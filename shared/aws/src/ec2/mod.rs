//! Soon.
use aws_types::SdkConfig;
#[derive(Clone, Debug)]
pub struct Ec2 {
    pub client: aws_sdk_ec2::Client,
}
impl Ec2 {
    pub fn new(config: &SdkConfig) -> Ec2 {
        Ec2 { client: aws_sdk_ec2::Client::new(config) }
    }
}
