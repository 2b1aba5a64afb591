"""Which HTTP status goes with which error code.

EC2 has no error shapes in its service model, so the table is ours: section 3 of the
specification. A code that is in no table is a violation, so a server cannot invent one.
"""

BAD_REQUEST = {400}

# Codes whose status is not plainly 400.
_SPECIAL = {
    "RequestLimitExceeded": {503},
    "Unavailable": {503},
    "ServiceUnavailable": {503},
    "InternalError": {500},
    "InternalFailure": {500},
    "ServerInternal": {500},
    "UnauthorizedOperation": {403},
    # Whether a disabled region answers 401 or 403 is not published.
    "AuthFailure": {401, 403},
    "OptInRequired": {400, 401, 403},
    "Blocked": {400, 401, 403},
    "PendingVerification": {400, 401, 403},
    "DryRunOperation": {412},
    "RequestExpired": {400, 403},
    "SignatureDoesNotMatch": {400, 403},
    "InsufficientInstanceCapacity": {500, 503},
    "InsufficientVolumeCapacity": {500, 503},
}

_PLAIN = """
    MissingParameter InvalidParameter InvalidParameterValue InvalidParameterCombination
    InvalidParameterDependency ValidationError UnsupportedOperation
    InvalidInstanceID.NotFound InvalidInstanceID.Malformed IncorrectInstanceState IncorrectState
    InvalidAMIID.NotFound InvalidAMIID.Malformed InvalidAMIID.Unavailable
    InvalidAMIName.Duplicate InvalidAMIName.Malformed
    InvalidSnapshot.NotFound InvalidSnapshotID.Malformed InvalidSnapshot.InUse
    SnapshotCreationPerVolumeRateExceeded ConcurrentSnapshotLimitExceeded
    PendingSnapshotLimitExceeded SnapshotLimitExceeded ConcurrentCreateImageNoRebootLimitExceeded
    ResourceLimitExceeded ResourceCountExceeded InstanceLimitExceeded VcpuLimitExceeded
    VolumeLimitExceeded MaxIOPSLimitExceeded SnapshotCopyUnsupported.InterRegion InvalidRequest
    IdempotentParameterMismatch InvalidBlockDeviceMapping InvalidVolume.NotFound
    InvalidVolume.ZoneMismatch OperationNotPermitted TagLimitExceeded TagPolicyViolation
    InvalidTagKey.Malformed ConcurrentTagAccess InvalidNextToken InvalidPaginationToken
    InvalidMaxResults FilterLimitExceeded CustomerKeyHasBeenRevoked InvalidUserID.Malformed
    InvalidAMIAttributeItemValue
""".split()

# Codes of EC2's own public list for things that section 3 does not speak of: an action or a
# parameter that does not exist, and the furniture around images and snapshots.
_FURNITURE = """
    InvalidAction UnknownParameter InvalidID VolumeInUse InvalidVolumeID.Malformed
    InvalidSnapshot.NotLocked InvalidSubnetID.NotFound InvalidVpcID.NotFound InvalidGroup.NotFound
    InvalidGroupId.Malformed InvalidAttachment.NotFound InvalidAvailabilityZone
    InvalidLaunchTemplateId.NotFound InvalidLaunchTemplateId.Malformed
    InvalidLaunchTemplateName.AlreadyExistsException
    InvalidLaunchTemplateName.NotFoundException InvalidLaunchTemplateId.VersionNotFound
    InvalidLaunchTemplateName.MalformedException InvalidKeyPair.NotFound
""".split()

EC2 = {code: BAD_REQUEST for code in _PLAIN + _FURNITURE} | _SPECIAL

# Codes that every JSON or query service may answer without modelling them.
COMMON = {
    "ValidationException": BAD_REQUEST,
    "ValidationError": BAD_REQUEST,
    "SerializationException": BAD_REQUEST,
    "UnknownOperationException": {400, 404},
    "InvalidAction": BAD_REQUEST,
    "MissingParameter": BAD_REQUEST,
    "InvalidParameterValue": BAD_REQUEST,
    "AccessDeniedException": {400, 403},
    "AccessDenied": {403},
    "ThrottlingException": BAD_REQUEST,
    "Throttling": BAD_REQUEST,
    "InternalFailure": {500},
    "InternalServerError": {500},
    "ServiceUnavailable": {503},
    "ServiceUnavailableException": {503},
}
