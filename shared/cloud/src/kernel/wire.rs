//! The formats in which services answer: XML for those that take forms, and JSON.

use serde_json::{Map, Value, json};

use crate::kernel::error::ApiError;
use crate::kernel::http::{Request, Response};
use crate::kernel::xml::Xml;

/// The version of EC2's API that is modelled.
pub const EC2_VERSION: &str = "2016-11-15";

const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The format of a service, as far as errors need it.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    Form(FormStyle),
    Json(JsonStyle),
}

/// A protocol whose requests are forms and whose answers are XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormStyle {
    Ec2,
    /// The query protocol of the older services; the namespace of its answers.
    Query(&'static str),
}

/// A protocol whose requests and answers are JSON.
#[derive(Clone, Copy, Debug)]
pub struct JsonStyle {
    /// Prefix of the action in the header `x-amz-target`.
    pub target: &'static str,
    /// Version in the content type.
    pub version: &'static str,
    /// Prefix of the code in the body of an error.
    pub error_prefix: &'static str,
    /// Header that names the error too, if there is one.
    pub error_header: ErrorHeader,
}

/// A header that names the error beside the body.
#[derive(Clone, Copy, Debug)]
pub enum ErrorHeader {
    None,
    /// `x-amzn-errortype`, by which the newer protocols tell.
    Type,
    /// `x-amzn-query-error`: the code that clients of the service's older query protocol know.
    QueryCode(fn(&str) -> &str),
}

impl JsonStyle {
    pub const fn new(target: &'static str, version: &'static str) -> JsonStyle {
        JsonStyle { target, version, error_prefix: "", error_header: ErrorHeader::None }
    }
}

impl Style {
    /// The format for an error of a service that is not modelled, so that its client can read it.
    pub fn guess(request: &Request, service: &str) -> Style {
        let kind = request.header("content-type");
        let is_form = kind.is_some_and(|kind| kind.contains("form-urlencoded"));
        match service {
            "" if is_form || request.method == "GET" => Style::Form(FormStyle::Ec2),
            _ if is_form || service == "s3" => Style::Form(FormStyle::Query("")),
            _ => {
                let style = JsonStyle::new("", "1.1");
                Style::Json(JsonStyle { error_header: ErrorHeader::Type, ..style })
            }
        }
    }

    /// An error as the service writes it.
    pub fn error(&self, error: &ApiError, request_id: &str) -> Response {
        let response = match self {
            Style::Form(style) => style.error(error, request_id),
            Style::Json(style) => style.error(error),
        };
        response.with_header("x-amzn-requestid", request_id)
    }

    /// The error for an access key whose holder is gone.
    pub fn retired_key(&self) -> ApiError {
        let text = "The security token included in the request is invalid.";
        match self {
            Style::Form(FormStyle::Ec2) => {
                let text = "AWS was not able to validate the provided access credentials";
                ApiError::new(401, "AuthFailure", text)
            }
            Style::Form(FormStyle::Query(_)) => ApiError::new(403, "InvalidClientTokenId", text),
            Style::Json(_) => ApiError::bad("UnrecognizedClientException", text),
        }
    }

    /// The error for a signature whose date is too far off, for this reason.
    pub fn stale_signature(&self, why: String) -> ApiError {
        match self {
            Style::Form(FormStyle::Ec2) => ApiError::bad("RequestExpired", "Request has expired."),
            Style::Form(FormStyle::Query(_)) => ApiError::new(403, "SignatureDoesNotMatch", why),
            Style::Json(_) => ApiError::bad("InvalidSignatureException", why),
        }
    }
}

impl FormStyle {
    /// The answer to a call.
    pub fn answer(self, action: &str, xml: Xml, request_id: &str) -> Response {
        let body = xml.into_text();
        let response = match self {
            FormStyle::Ec2 => {
                let text = format!(
                    "{XML_HEAD}<{action}Response \
                     xmlns=\"http://ec2.amazonaws.com/doc/{EC2_VERSION}/\">\
                     <requestId>{request_id}</requestId>{body}</{action}Response>"
                );
                Response::new(200, "text/xml;charset=UTF-8", text)
            }
            FormStyle::Query(namespace) => {
                let text = format!(
                    "{XML_HEAD}<{action}Response xmlns=\"{namespace}\">\
                     <{action}Result>{body}</{action}Result>\
                     <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                     </{action}Response>"
                );
                Response::new(200, "text/xml", text)
            }
        };
        response.with_header("x-amzn-requestid", request_id)
    }

    fn error(self, error: &ApiError, request_id: &str) -> Response {
        let mut xml = Xml::new();
        match self {
            FormStyle::Ec2 => {
                xml.leaf("Code", &error.code).leaf("Message", &error.message);
                let text = format!(
                    "{XML_HEAD}<Response><Errors><Error>{}</Error></Errors>\
                     <RequestID>{request_id}</RequestID></Response>",
                    xml.into_text()
                );
                Response::new(error.status, "text/xml;charset=UTF-8", text)
            }
            FormStyle::Query(namespace) => {
                let kind = if error.status < 500 { "Sender" } else { "Receiver" };
                xml.leaf("Type", kind).leaf("Code", &error.code).leaf("Message", &error.message);
                let text = format!(
                    "{XML_HEAD}<ErrorResponse xmlns=\"{namespace}\"><Error>{}</Error>\
                     <RequestId>{request_id}</RequestId></ErrorResponse>",
                    xml.into_text()
                );
                Response::new(error.status, "text/xml", text)
            }
        }
    }
}

impl JsonStyle {
    /// The answer to a call; `null` is an empty body.
    pub fn answer(&self, body: &Value, request_id: &str) -> Response {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let response = Response::new(200, &self.content_type(), text);
        response.with_header("x-amzn-requestid", request_id)
    }

    fn error(&self, error: &ApiError) -> Response {
        let mut body = Map::new();
        body.insert("__type".into(), json!(format!("{}{}", self.error_prefix, error.code)));
        body.insert("message".into(), json!(error.message));
        if let Some(extra) = &error.extra {
            body.extend((**extra).clone());
        }
        let text = Value::Object(body).to_string();
        let response = Response::new(error.status, &self.content_type(), text);
        match self.error_header {
            ErrorHeader::None => response,
            ErrorHeader::Type => response.with_header("x-amzn-errortype", &error.code),
            ErrorHeader::QueryCode(code) => {
                let code = format!("{};Sender", code(&error.code));
                response.with_header("x-amzn-query-error", &code)
            }
        }
    }

    fn content_type(&self) -> String {
        format!("application/x-amz-json-{}", self.version)
    }
}
