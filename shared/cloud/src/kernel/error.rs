//! The errors that the services answer with: a code, a status, a sentence.

/// An error as a service reports it. Rendered in the service's own format by [`crate::dispatch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Members beside the message in the body of a JSON error, such as `Item`.
    pub extra: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl ApiError {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> ApiError {
        ApiError { status, code: code.to_string(), message: message.into(), extra: None }
    }

    /// A client's mistake: HTTP 400.
    pub fn bad(code: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(400, code, message)
    }

    pub fn missing_parameter(name: &str) -> ApiError {
        let text = format!("The request must contain the parameter {name}");
        ApiError::bad("MissingParameter", text)
    }

    pub fn invalid_value(name: &str, value: &str, why: &str) -> ApiError {
        let text = format!("Value ({value}) for parameter {name} is invalid. {why}");
        ApiError::bad("InvalidParameterValue", text)
    }

    pub fn combination(message: impl Into<String>) -> ApiError {
        ApiError::bad("InvalidParameterCombination", message)
    }

    /// Ids that are well formed and name nothing.
    pub fn not_found(kind: Kind, ids: &[&str]) -> ApiError {
        let list = ids.join(", ");
        let plural = ids.len() > 1;
        let text = match (kind, plural) {
            (Kind::Snapshot, _) => format!("The snapshot '{list}' does not exist."),
            (Kind::Image, false) => format!("The image id '[{list}]' does not exist"),
            (Kind::Image, true) => format!("The image ids '[{list}]' do not exist"),
            (_, false) => format!("The {} ID '{list}' does not exist", kind.noun()),
            (_, true) => format!("The {} IDs '{list}' do not exist", kind.noun()),
        };
        ApiError::bad(kind.not_found_code(), text)
    }

    pub fn malformed(kind: Kind, id: &str) -> ApiError {
        let text = format!("Invalid id: \"{id}\" (expecting \"{}-...\")", kind.prefix());
        ApiError::bad(kind.malformed_code(), text)
    }
}

/// The kinds of EC2 resource that have an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Instance,
    Volume,
    Snapshot,
    Image,
    Vpc,
    Subnet,
    SecurityGroup,
    LaunchTemplate,
    NetworkInterface,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Instance,
        Kind::Volume,
        Kind::Snapshot,
        Kind::Image,
        Kind::Vpc,
        Kind::Subnet,
        Kind::SecurityGroup,
        Kind::LaunchTemplate,
        Kind::NetworkInterface,
    ];

    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Instance => "i",
            Kind::Volume => "vol",
            Kind::Snapshot => "snap",
            Kind::Image => "ami",
            Kind::Vpc => "vpc",
            Kind::Subnet => "subnet",
            Kind::SecurityGroup => "sg",
            Kind::LaunchTemplate => "lt",
            Kind::NetworkInterface => "eni",
        }
    }

    /// The resource type of tags, filters and ARNs.
    pub const fn resource_type(self) -> &'static str {
        match self {
            Kind::Instance => "instance",
            Kind::Volume => "volume",
            Kind::Snapshot => "snapshot",
            Kind::Image => "image",
            Kind::Vpc => "vpc",
            Kind::Subnet => "subnet",
            Kind::SecurityGroup => "security-group",
            Kind::LaunchTemplate => "launch-template",
            Kind::NetworkInterface => "network-interface",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Kind::SecurityGroup => "security group",
            Kind::LaunchTemplate => "launch template",
            Kind::NetworkInterface => "networkInterface",
            other => other.resource_type(),
        }
    }

    const fn not_found_code(self) -> &'static str {
        match self {
            Kind::Instance => "InvalidInstanceID.NotFound",
            Kind::Volume => "InvalidVolume.NotFound",
            Kind::Snapshot => "InvalidSnapshot.NotFound",
            Kind::Image => "InvalidAMIID.NotFound",
            Kind::Vpc => "InvalidVpcID.NotFound",
            Kind::Subnet => "InvalidSubnetID.NotFound",
            Kind::SecurityGroup => "InvalidGroup.NotFound",
            Kind::LaunchTemplate => "InvalidLaunchTemplateId.NotFound",
            Kind::NetworkInterface => "InvalidNetworkInterfaceID.NotFound",
        }
    }

    const fn malformed_code(self) -> &'static str {
        match self {
            Kind::Instance => "InvalidInstanceID.Malformed",
            Kind::Volume => "InvalidVolumeID.Malformed",
            Kind::Snapshot => "InvalidSnapshotID.Malformed",
            Kind::Image => "InvalidAMIID.Malformed",
            Kind::Vpc => "InvalidVpcID.Malformed",
            Kind::Subnet => "InvalidSubnetID.Malformed",
            Kind::SecurityGroup => "InvalidGroupId.Malformed",
            Kind::LaunchTemplate => "InvalidLaunchTemplateId.Malformed",
            Kind::NetworkInterface => "InvalidNetworkInterfaceID.Malformed",
        }
    }

    /// Tells whether a text has the shape of an id of this kind: the prefix and 8 or 17 hex digits.
    pub fn is_well_formed(self, id: &str) -> bool {
        let digits = id.strip_prefix(self.prefix()).and_then(|rest| rest.strip_prefix('-'));
        digits.is_some_and(|digits| {
            matches!(digits.len(), 8 | 17)
                && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    }

    /// The kind that an id claims to be of.
    pub fn of_id(id: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.is_well_formed(id))
    }
}
