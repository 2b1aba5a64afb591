//! The services that are modelled: one row for each, with its protocol, its refusals and the
//! function that answers its calls.
//!
//! Everything that differs between services on the way of a call is in its row. Lambda has no row:
//! functions are declared and invoked from within, and its API is not modelled.

use serde_json::Value;

use crate::kernel::access::Call;
use crate::kernel::error::ApiError;
use crate::kernel::query::Fields;
use crate::kernel::service::{Denial, Service, Throttled};
use crate::kernel::wire::{ErrorHeader, FormStyle, JsonStyle, Style};
use crate::kernel::xml::Xml;
use crate::model::Model;
use crate::{autoscaling, dynamodb, ec2, eventbridge, kms, sqs, ssm, sts};

/// Answers a call whose request is a form.
pub type FormAnswer = fn(&mut Model, &Call, &Fields) -> Result<Xml, ApiError>;

/// Answers a call whose request is JSON.
pub type JsonAnswer = fn(&mut Model, &Call, &Value) -> Result<Value, ApiError>;

/// A service and how it is spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub service: Service,
    pub protocol: Protocol,
}

/// The protocol of a service, together with the function that answers in it: an answer in another
/// protocol cannot be written down.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Form(FormStyle, FormAnswer),
    Json(JsonStyle, JsonAnswer),
}

impl Protocol {
    /// The format of errors.
    pub const fn style(self) -> Style {
        match self {
            Protocol::Form(style, _) => Style::Form(style),
            Protocol::Json(style, _) => Style::Json(style),
        }
    }
}

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

const AUTOSCALING_NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

static SERVICES: [Row; 8] = [
    Row {
        service: Service {
            name: "ec2",
            unknown: "InvalidAction",
            denial: Denial::Encoded,
            throttled: Throttled(503, "RequestLimitExceeded", "Request limit exceeded."),
        },
        protocol: Protocol::Form(FormStyle::Ec2, ec2::answer::answer),
    },
    Row {
        service: Service {
            name: "sts",
            unknown: "InvalidAction",
            denial: Denial::Plain(403, "AccessDenied"),
            throttled: Throttled(400, "Throttling", "Rate exceeded"),
        },
        protocol: Protocol::Form(FormStyle::Query(STS_NAMESPACE), sts::answer),
    },
    Row {
        service: Service {
            name: "autoscaling",
            unknown: "InvalidAction",
            denial: Denial::Plain(403, "AccessDenied"),
            throttled: Throttled(400, "Throttling", "Rate exceeded"),
        },
        protocol: Protocol::Form(FormStyle::Query(AUTOSCALING_NAMESPACE), autoscaling::answer),
    },
    Row {
        service: Service::json("events"),
        protocol: Protocol::Json(JsonStyle::new("AWSEvents.", "1.1"), eventbridge::answer::answer),
    },
    Row {
        service: Service {
            throttled: Throttled(
                400,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            ..Service::json("dynamodb")
        },
        protocol: Protocol::Json(
            JsonStyle {
                error_prefix: "com.amazonaws.dynamodb.v20120810#",
                ..JsonStyle::new("DynamoDB_20120810.", "1.0")
            },
            dynamodb::answer::answer,
        ),
    },
    Row {
        service: Service::json("kms"),
        protocol: Protocol::Json(JsonStyle::new("TrentService.", "1.1"), kms::answer::answer),
    },
    Row {
        service: Service::json("ssm"),
        protocol: Protocol::Json(JsonStyle::new("AmazonSSM.", "1.1"), ssm::answer::answer),
    },
    Row {
        service: Service::json("sqs"),
        protocol: Protocol::Json(
            JsonStyle {
                error_prefix: "com.amazonaws.sqs#",
                error_header: ErrorHeader::QueryCode(sqs::query_code),
                ..JsonStyle::new("AmazonSQS.", "1.0")
            },
            sqs::answer::answer,
        ),
    },
];

/// The names of the services that are modelled.
pub fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|row| row.service.name)
}

/// The service of that name in signatures.
pub fn find(name: &str) -> Option<&'static Row> {
    SERVICES.iter().find(|row| row.service.name == name)
}

/// Puts fault rules in force instead of those that were; see [`crate::kernel::faults::Faults`]. A
/// rule may name any service of the table.
pub fn replace_faults(model: &mut Model, rules: &Value) -> Result<usize, String> {
    let names: Vec<&str> = names().collect();
    model.faults.replace(rules, &names)
}
