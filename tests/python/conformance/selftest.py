"""Does the checker catch what it is there to catch?

Each row is an answer and the words that a violation of it must contain; a row with no words is
a right answer, which must pass, since a checker that complains of everything proves nothing.
"""

import botocore.session

from . import errors
from .checker import EC2_NAMESPACE, check

XML = {"content-type": "text/xml;charset=UTF-8"}
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def _json_headers(version):
    return {"content-type": f"application/x-amz-json-{version}"}


def _ec2(name, inner, namespace=EC2_NAMESPACE, request_id="<requestId>r-1</requestId>"):
    return f'<{name} xmlns="{namespace}">{request_id}{inner}</{name}>'


def _images(item, **more):
    inner = f"<imagesSet><item>{item}</item></imagesSet>"
    return _ec2("DescribeImagesResponse", inner, **more)


def _error(code, request_id="<RequestID>r-1</RequestID>"):
    body = f"<Errors><Error><Code>{code}</Code><Message>m</Message></Error></Errors>"
    return f"<Response>{body}{request_id}</Response>"


def _identity(account_element):
    return (
        f'<GetCallerIdentityResponse xmlns="{STS_NAMESPACE}"><GetCallerIdentityResult>'
        f"{account_element}</GetCallerIdentityResult><ResponseMetadata>"
        "<RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )


GOOD_IMAGE = (
    "<imageId>ami-1</imageId><imageState>available</imageState><isPublic>false</isPublic>"
    "<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeSize>8</volumeSize>"
    "<volumeType>gp3</volumeType></ebs></item></blockDeviceMapping><tagSet/>"
)

# What is wrong, operation, status, headers, body, the words of the violation.
CASES = [
    ("a right list of images", "ec2.DescribeImages", 200, XML, _images(GOOD_IMAGE), None),
    ("an unknown member", "ec2.DescribeImages", 200, XML, _images("<imageColour/>"),
     "/imagesSet/item[1]/imageColour: unknown member"),
    ("an unknown member at the top", "ec2.DescribeImages", 200, XML,
     _ec2("DescribeImagesResponse", "<images/>"), "/images: unknown member"),
    ("a member under its API name", "ec2.DescribeImages", 200, XML,
     _images("<state>available</state>"), "/state: unknown member"),
    ("a boolean in capitals", "ec2.DescribeImages", 200, XML,
     _images("<isPublic>False</isPublic>"), "'False' is not a boolean"),
    ("an integer with words", "ec2.DescribeVolumes", 200, XML,
     _ec2("DescribeVolumesResponse", "<volumeSet><item><size>8 GiB</size></item></volumeSet>"),
     "'8 GiB' is not a integer"),
    ("a timestamp without a zone", "ec2.DescribeVolumes", 200, XML,
     _ec2("DescribeVolumesResponse",
          "<volumeSet><item><createTime>2026-01-01 00:00</createTime></item></volumeSet>"),
     "is not a timestamp"),
    ("a state outside the enum", "ec2.DescribeImages", 200, XML,
     _images("<imageState>creating</imageState>"), "'creating' is not in the enum ImageState"),
    ("windows in small letters", "ec2.DescribeImages", 200, XML,
     _images("<platform>windows</platform>"), None),
    ("a platform of its own", "ec2.DescribeImages", 200, XML,
     _images("<platform>Linux/UNIX</platform>"), "is not in the enum PlatformValues"),
    ("the status of a snapshot in a set", "ec2.CreateSnapshots", 200, XML,
     _ec2("CreateSnapshotsResponse",
          "<snapshotSet><item><status>pending</status></item></snapshotSet>"),
     "/status: unknown member of SnapshotInfo"),
    ("another namespace", "ec2.DescribeImages", 200, XML,
     _images(GOOD_IMAGE, namespace="http://ec2.amazonaws.com/doc/2014-10-01/"), "the root is"),
    ("the root of another operation", "ec2.DescribeImages", 200, XML,
     _ec2("DescribeSnapshotsResponse", ""), "the root is"),
    ("no request id", "ec2.DescribeImages", 200, XML, _images("", request_id=""), "requestId"),
    ("a list of members, not items", "ec2.DescribeImages", 200, XML,
     _ec2("DescribeImagesResponse", "<imagesSet><member/></imagesSet>"), "has only <item>"),
    ("a member twice", "ec2.DescribeImages", 200, XML,
     _images("<imageId>ami-1</imageId><imageId>ami-2</imageId>"), "repeated"),
    ("text in a structure", "ec2.DescribeImages", 200, XML,
     _ec2("DescribeImagesResponse", "<imagesSet>none</imagesSet>"), "text 'none'"),
    ("elements in a scalar", "ec2.DescribeImages", 200, XML,
     _images("<imageId><a/></imageId>"), "elements where a string belongs"),
    ("not XML", "ec2.DescribeImages", 200, XML, "<DescribeImages", "not XML"),
    ("XML that says it is JSON", "ec2.DescribeImages", 200, _json_headers("1.1"),
     _images(GOOD_IMAGE), "the content type"),
    ("a void answer", "ec2.DeleteSnapshot", 200, XML,
     _ec2("DeleteSnapshotResponse", "<return>true</return>"), None),
    ("a void answer with more", "ec2.DeleteSnapshot", 200, XML,
     _ec2("DeleteSnapshotResponse", "<snapshotId>snap-1</snapshotId>"), "no output"),
    ("a redirect", "ec2.DescribeImages", 302, XML, _images(GOOD_IMAGE), "HTTP status 302"),
    ("a right error", "ec2.DeleteSnapshot", 400, XML, _error("InvalidSnapshot.InUse"), None),
    ("a wrong status", "ec2.DeleteSnapshot", 404, XML, _error("InvalidSnapshot.NotFound"),
     "came with HTTP 404"),
    ("a dry run with 400", "ec2.DeleteSnapshot", 400, XML, _error("DryRunOperation"),
     "came with HTTP 400"),
    ("throttled with 400", "ec2.CopyImage", 400, XML, _error("RequestLimitExceeded"),
     "came with HTTP 400"),
    ("an invented code", "ec2.DeleteSnapshot", 400, XML, _error("SnapshotIsBusy"),
     "SnapshotIsBusy is not one of this service's"),
    ("a code with its side", "ec2.DeleteSnapshot", 400, XML,
     _error("Client.InvalidSnapshot.InUse"), "is not one of this service's"),
    ("an error without an id", "ec2.DeleteSnapshot", 400, XML,
     _error("InvalidSnapshot.InUse", ""), "/RequestID: missing"),
    ("an error in another shape", "ec2.DeleteSnapshot", 400, XML,
     "<ErrorResponse><Error><Code>InvalidSnapshot.InUse</Code></Error></ErrorResponse>",
     "not <Response>"),
    ("a right identity", "sts.GetCallerIdentity", 200, XML,
     _identity("<Account>111122223333</Account>"), None),
    ("an unknown member of an identity", "sts.GetCallerIdentity", 200, XML,
     _identity("<AccountId>111122223333</AccountId>"), "/AccountId: unknown member"),
    ("a right answer to PutEvents", "events.PutEvents", 200, _json_headers("1.1"),
     '{"FailedEntryCount":0,"Entries":[{"EventId":"e-1"}]}', None),
    ("a count in quotes", "events.PutEvents", 200, _json_headers("1.1"),
     '{"FailedEntryCount":"0"}', "'0' is not a integer"),
    ("an unknown key", "events.PutEvents", 200, _json_headers("1.1"),
     '{"FailedEntries":[]}', "/FailedEntries: unknown member"),
    ("a boolean as an integer", "events.PutEvents", 200, _json_headers("1.1"),
     '{"FailedEntryCount":true}', "True is not a integer"),
    ("the other JSON version", "events.PutEvents", 200, _json_headers("1.0"), "{}",
     "the content type"),
    ("a rule state outside the enum", "events.DescribeRule", 200, _json_headers("1.1"),
     '{"State":"ON"}', "'ON' is not in the enum RuleState"),
    ("a required member is missing", "kms.DescribeKey", 200, _json_headers("1.1"),
     '{"KeyMetadata":{}}', "/KeyMetadata/KeyId: a required member is missing"),
    ("a date as text", "kms.DescribeKey", 200, _json_headers("1.1"),
     '{"KeyMetadata":{"KeyId":"k","CreationDate":"2026-01-01"}}', "is not a timestamp"),
    ("a value of two types", "dynamodb.GetItem", 200, _json_headers("1.0"),
     '{"Item":{"pk":{"S":"a","N":"1"}}}', "a union of 2 members"),
    ("a number as a number", "dynamodb.GetItem", 200, _json_headers("1.0"),
     '{"Item":{"pk":{"N":1}}}', "1 is not a string"),
    ("a right JSON error", "dynamodb.PutItem", 400, _json_headers("1.0"),
     '{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
     '"message":"The conditional request failed","Item":{"pk":{"S":"a"}}}', None),
    ("a JSON error without its type", "dynamodb.PutItem", 400, _json_headers("1.0"),
     '{"message":"no"}', "/__type: missing"),
    ("a JSON error of another service", "dynamodb.PutItem", 400, _json_headers("1.0"),
     '{"__type":"InvalidEventPatternException"}', "is not one of this service's"),
    ("a JSON error with 404", "dynamodb.PutItem", 404, _json_headers("1.0"),
     '{"__type":"ResourceNotFoundException"}', "came with HTTP 404"),
    ("an unknown key of a JSON error", "dynamodb.PutItem", 400, _json_headers("1.0"),
     '{"__type":"ConditionalCheckFailedException","Reason":"x"}', "/Reason: unknown member"),
    ("a JSON answer that is a list", "dynamodb.PutItem", 200, _json_headers("1.0"), "[]",
     "not a JSON object"),
]


def run():
    """Yields (name, ok, message) for each case."""
    session = botocore.session.Session()
    for name, target, status, headers, body, words in CASES:
        service, operation = target.split(".")
        model = session.get_service_model(service).operation_model(operation)
        found = check(model, status, headers, body.encode())
        if words is None:
            yield name, not found, "; ".join(found)
        else:
            caught = any(words in violation for violation in found)
            yield name, caught, "" if caught else f"wanted {words!r} among {found}"
    for code, allowed in errors.EC2.items():
        if not all(400 <= status < 600 for status in allowed):
            yield f"the statuses of {code}", False, str(sorted(allowed))
