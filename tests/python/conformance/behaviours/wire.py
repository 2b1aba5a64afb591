"""What goes over the wire: errors in their services' formats, request ids, retries, the trace."""

import json
import xml.etree.ElementTree as ElementTree

import requests
from botocore.exceptions import BotoCoreError, ClientError

from ..registry import behaviour
from ..world import AWAY, HOME, among, refused, root_volume, same, true

# A hang is a failure too.
TIMEOUT_SECONDS = 30


def _scope(w, service, region=HOME):
    return (f"AWS4-HMAC-SHA256 Credential={w.access_key()}/20260101/{region}/{service}/"
            "aws4_request, SignedHeaders=host;x-amz-date, Signature=0")


def _post(w, service, body, **headers):
    http = requests.Session()
    http.trust_env = False
    sent = {"Authorization": _scope(w, service), "X-Amz-Date": "20260101T000000Z"} | headers
    return http.post(w.endpoint, data=body, headers=sent, timeout=TIMEOUT_SECONDS)


def _query(w, body):
    return _post(w, "ec2", body,
                 **{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})


def _ec2_error(answer):
    root = ElementTree.fromstring(answer.content)
    same("the root", root.tag, "Response")
    true("no request id", root.findtext("RequestID"))
    return root.findtext("Errors/Error/Code"), root.findtext("Errors/Error/Message")


def _target(w, service, target, body, version="1.1"):
    return _post(w, service, body, **{"X-Amz-Target": target,
                                      "Content-Type": f"application/x-amz-json-{version}"})


@behaviour("3", "an action that does not exist is a 400 that names it")
def unknown_action(w):
    answer = _query(w, "Action=MakeCoffee&Version=2016-11-15")
    code, message = _ec2_error(answer)
    same("status and code", (answer.status_code, code), (400, "InvalidAction"))
    true(f"{message!r}", "MakeCoffee" in message)


@behaviour("3", "an action of EC2 that is not modelled is a clear error that names it")
def unmodelled(w):
    answer = _query(w, "Action=CreateTransitGateway&Version=2016-11-15")
    code, message = _ec2_error(answer)
    true(f"status {answer.status_code}", 400 <= answer.status_code < 500)
    true(f"{code}: {message!r}", "CreateTransitGateway" in message)


@behaviour("3", "a required parameter that is missing is MissingParameter")
def missing(w):
    for body, name in [
        ("Action=CreateImage&Name=nothing", "InstanceId"),
        ("Action=DeregisterImage", "ImageId"),
        ("Action=CopyImage&SourceImageId=ami-0123456789abcdef0&Name=copy", "SourceRegion"),
        ("Action=DeleteSnapshot", "SnapshotId"),
    ]:
        answer = _query(w, body + "&Version=2016-11-15")
        code, message = _ec2_error(answer)
        same(f"{body}", (answer.status_code, code), (400, "MissingParameter"))
        true(f"{message!r}", name in message)


@behaviour("3", "a parameter that the action does not have is refused, and named")
def unknown_parameter(w):
    answer = _query(w, "Action=DescribeImages&Version=2016-11-15&Colour=red")
    code, message = _ec2_error(answer)
    same("the status", answer.status_code, 400)
    among("the code", code, ("UnknownParameter", "InvalidParameter", "InvalidParameterValue"))
    true(f"{message!r}", "Colour" in message)


@behaviour("3", "a boolean or a number that is none is a 400")
def bad_scalars(w):
    for body in ("Action=DescribeImages&DryRun=maybe", "Action=DescribeImages&MaxResults=many"):
        answer = _query(w, body + "&Version=2016-11-15")
        code, _ = _ec2_error(answer)
        same(body, answer.status_code, 400)
        among("the code", code, ("InvalidParameterValue", "InvalidParameter",
                                 "InvalidMaxResults", "ValidationError"))


@behaviour("6.2", "blanks may come as + and as %20, parameters in any order")
def blanks(w):
    made = w.registered(Name="two words")["ImageId"]
    for blank in ("+", "%20"):
        answer = _query(w, f"Filter.1.Value.1=two{blank}words&Filter.1.Name=name&Owner.1=self"
                           "&Version=2016-11-15&Action=DescribeImages")
        same(f"with {blank}", (answer.status_code, made in answer.text), (200, True))


@behaviour("6.3", "the request id is in the header and in the body, another for each call")
def request_id(w):
    seen = set()
    for _ in range(3):
        told = w.ec2.describe_regions()["ResponseMetadata"]
        same("the header", told["HTTPHeaders"]["x-amzn-requestid"], told["RequestId"])
        seen.add(told["RequestId"])
    same("different ids", len(seen), 3)


@behaviour("6.3", "the request id of an error is in the header too")
def request_id_of_error(w):
    answer = refused("InvalidAMIID.Malformed", w.ec2.deregister_image, ImageId="image-7")
    told = answer["ResponseMetadata"]
    same("the header", told["HTTPHeaders"]["x-amzn-requestid"], told["RequestId"])


@behaviour("6.4", "an unknown operation of a JSON service is UnknownOperationException")
def unknown_operation(w):
    for service, target in [("events", "AWSEvents.MakeCoffee"), ("kms", "TrentService.MakeCoffee"),
                            ("ssm", "AmazonSSM.MakeCoffee")]:
        answer = _target(w, service, target, "{}")
        true(f"{service}: {answer.status_code}", 400 <= answer.status_code < 500)
        kind = answer.json()["__type"].rsplit("#", 1)[-1]
        same(service, kind, "UnknownOperationException")


@behaviour("6.4", "a body that is no JSON is a SerializationException")
def no_json(w):
    for service, target in [("events", "AWSEvents.PutEvents"), ("ssm", "AmazonSSM.GetParameter")]:
        for body in ("{", "[1]", '"text"'):
            answer = _target(w, service, target, body)
            same(f"{service} {body}", answer.status_code, 400)
            kind = answer.json()["__type"].rsplit("#", 1)[-1]
            same(f"{service} {body}", kind, "SerializationException")


@behaviour("6.4", "an error of DynamoDB has its name after the # of its namespace")
def dynamodb_type(w):
    answer = _target(w, "dynamodb", "DynamoDB_20120810.DescribeTable",
                     '{"TableName": "nothing"}', "1.0")
    same("the status", answer.status_code, 400)
    same("the type", answer.json()["__type"],
         "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException")


@behaviour("3", "boto3 sends a throttled request three times, with one and the same token")
def retried(w):
    source = {"SourceRegion": HOME, "SourceImageId": "ami-0123456789abcdef0"}
    for _ in range(100):
        refused("InvalidAMIID.NotFound", w.away.copy_image, Name="nothing", **source)
    patient = w.client("ec2", AWAY, attempts=3)
    tokens = []
    patient.meta.events.register(
        "before-send.ec2.CopyImage",
        lambda request, **_: tokens.extend(
            part for part in _text(request.body).split("&") if part.startswith("ClientToken=")))
    refused("RequestLimitExceeded", patient.copy_image, Name="nothing", **source)
    same("attempts", len(tokens), 3)
    same("tokens", len(set(tokens)), 1)


def _text(body):
    return body.decode() if isinstance(body, bytes) else body


@behaviour("3", "boto3 does not repeat SnapshotCreationPerVolumeRateExceeded")
def not_retried(w):
    machine = w.launch()
    w.ec2.create_snapshot(VolumeId=root_volume(machine))
    patient = w.client("ec2", attempts=3)
    before = w.checker.answers
    refused("SnapshotCreationPerVolumeRateExceeded", patient.create_snapshot,
            VolumeId=root_volume(machine))
    same("answers", w.checker.answers - before, 1)


@behaviour("6.2", "the trace of the cloud has every call with its region")
def trace(w):
    made = w.registered()["ImageId"]
    w.away.copy_image(SourceRegion=HOME, SourceImageId=made, Name="traced")
    lines = [json.dumps(entry) for entry in w.control.trace()]
    for action, region in (("RegisterImage", HOME), ("CopyImage", AWAY)):
        true(f"no {action} of {region} in the trace",
             any(action in line and region in line for line in lines))


@behaviour("6.2", "a region that is down answers no success, and works when it is up again")
def dark(w):
    region = "ap-northeast-1"
    ec2 = w.client("ec2", region)
    w.at_close(lambda: w.control.region(region, True))
    w.control.region(region, False)
    try:
        ec2.describe_images(Owners=["self"])
    except (ClientError, BotoCoreError):
        pass
    else:
        raise AssertionError("a region that is down answered")
    w.ec2.describe_images(Owners=["self"])
    w.control.region(region, True)
    same("images", ec2.describe_images(Owners=["self"])["Images"], [])
