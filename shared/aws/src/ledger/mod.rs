//! Soon.
use aws_types::SdkConfig;
#[derive(Clone, Debug)]
pub struct Ledger {
    pub client: aws_sdk_dynamodb::Client,
    pub table: String,
}
impl Ledger {
    pub fn new(config: &SdkConfig, table: &str) -> Ledger {
        Ledger { client: aws_sdk_dynamodb::Client::new(config), table: table.into() }
    }
}
