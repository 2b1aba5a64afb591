//! A request and its answer, as both doors hand them over, and the SigV4 scope that says whom a
//! request is for.

/// An HTTP request, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, which is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let headers = vec![("content-type".to_string(), content_type.to_string())];
        Response { status, headers, body: body.into() }
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}

/// The scope that a request is signed for. One port serves every service and region, and tells them
/// apart by it. The signature itself is not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub access_key: String,
    pub region: String,
    pub service: String,
}

impl Signature {
    /// Reads `Credential=AKID/20260101/us-east-1/ec2/aws4_request` from the authorization header.
    pub fn of(request: &Request) -> Option<Signature> {
        let header = request.header("authorization")?;
        let (_, rest) = header.split_once("Credential=")?;
        let credential = rest.split([',', ' ']).next()?;
        let mut parts = credential.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(_date), Some(access_key)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        if service.is_empty() || region.is_empty() || access_key.is_empty() {
            return None;
        }
        Some(Signature {
            access_key: access_key.to_string(),
            region: region.to_string(),
            service: service.to_string(),
        })
    }
}
