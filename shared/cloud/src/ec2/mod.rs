//! EC2: instances, volumes, snapshots and images, with the state machines, errors, quotas and
//! events that they have at AWS.

pub mod catalogue;
pub mod filter;
pub mod furniture;
pub mod images;
pub mod lookup;
pub mod merge;
pub mod page;
pub mod snapshots;
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
pub enum Step {
    Snapshot(snapshots::Step),
    Image(images::Step),
}

/// Lets a planned step happen.
pub fn happen(model: &mut Model, scope: &Scope, step: Step) {
    match step {
        Step::Snapshot(step) => snapshots::happen(model, scope, step),
        Step::Image(step) => images::happen(model, scope, step),
    }
}

/// Answers a call: what goes between `<requestId>` and the end of the response.
pub fn answer(model: &mut Model, call: &Call, fields: &Fields) -> Result<Xml, ApiError> {
    match call.action.as_str() {
        "CreateTags" => tags::create(model, call, fields),
        "DeleteTags" => tags::delete(model, call, fields),
        "DescribeTags" => tags::describe(model, call, fields),
        "CreateSnapshot" => snapshots::create::one(model, call, fields),
        "CreateSnapshots" => snapshots::create::set(model, call, fields),
        "CopySnapshot" => snapshots::copy::copy(model, call, fields),
        "DeleteSnapshot" => snapshots::delete::delete(model, call, fields),
        "DescribeSnapshots" => snapshots::describe::describe(model, call, fields),
        "DescribeSnapshotAttribute" => snapshots::attributes::describe(model, call, fields),
        "ModifySnapshotAttribute" => snapshots::attributes::modify(model, call, fields),
        "ResetSnapshotAttribute" => snapshots::attributes::reset(model, call, fields),
        "LockSnapshot" => snapshots::lock::lock(model, call, fields),
        "UnlockSnapshot" => snapshots::lock::unlock(model, call, fields),
        "DescribeLockedSnapshots" => snapshots::lock::describe(model, call, fields),
        "CreateImage" => images::create::create(model, call, fields),
        "RegisterImage" => images::register::register(model, call, fields),
        "CopyImage" => images::copy::copy(model, call, fields),
        "DeregisterImage" => images::deregister::deregister(model, call, fields),
        "DescribeImages" => images::describe::describe(model, call, fields),
        "DescribeImageAttribute" => images::attributes::read_one(model, call, fields),
        "ModifyImageAttribute" => images::attributes::modify(model, call, fields),
        "ResetImageAttribute" => images::attributes::reset(model, call, fields),
        "DisableImage" => images::lifecycle::disable(model, call, fields),
        "EnableImage" => images::lifecycle::enable(model, call, fields),
        "EnableImageDeprecation" => images::lifecycle::deprecate(model, call, fields),
        "DisableImageDeprecation" => images::lifecycle::undeprecate(model, call, fields),
        "EnableImageDeregistrationProtection" => images::lifecycle::protect(model, call, fields),
        "DisableImageDeregistrationProtection" => images::lifecycle::unprotect(model, call, fields),
        "DescribeImageReferences" => images::references::describe(model, call, fields),
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
