//! EC2: instances, volumes, snapshots and images, with the state machines, errors, quotas and
//! events that they have at AWS.

pub mod catalogue;
pub mod filter;
pub mod furniture;
pub mod lookup;
pub mod page;
pub mod state;
pub mod tags;

pub use state::Region;

use crate::access::Call;
use crate::error::{ApiError, Kind};
use crate::model::{Model, Scope};
use crate::query::Fields;
use crate::xml::Xml;

/// What EC2 has on the agenda.
#[derive(Clone, Debug)]
pub enum Step {}

/// Lets a planned step happen.
pub fn happen(_model: &mut Model, _scope: &Scope, step: Step) {
    match step {}
}

/// Answers a call: what goes between `<requestId>` and the end of the response.
pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "CreateTags" => tags::create(model, call, fields),
        "DeleteTags" => tags::delete(model, call, fields),
        "DescribeTags" => tags::describe(model, call, fields),
        other => Err(ApiError::bad(
            "InvalidAction",
            format!("The action {other} is not valid for this web service (or not modelled here)"),
        )),
    }
}

/// `<return>true</return>`, the answer of calls that have nothing to say.
pub fn done() -> Xml {
    let mut xml = Xml::new();
    xml.flag("return", true);
    xml
}

/// The ARN of a resource; images and snapshots carry no account in theirs.
pub fn arn(scope: &Scope, kind: Kind, id: &str) -> String {
    let account = match kind {
        Kind::Image | Kind::Snapshot => "",
        _ => &scope.account,
    };
    format!("arn:aws:ec2:{}:{account}:{}/{id}", scope.region, kind.resource_type())
}

/// Checks the shape of an id before it is looked up.
pub fn well_formed<'a>(kind: Kind, id: &'a str) -> Result<&'a str, ApiError> {
    if kind.is_well_formed(id) { Ok(id) } else { Err(ApiError::malformed(kind, id)) }
}
