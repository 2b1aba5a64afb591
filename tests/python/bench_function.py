"""A function for machines that stopped, as one would write it in Python with boto3.

It makes the calls of `instance-state-changed`, in the same order, and is run by the benchmark
`functions` in its place. Lambda's own runtime for Python does more before the first event than this
loop does.
"""

import http.client
import json
import os
import time
import urllib.parse

import boto3

ACCOUNT = os.environ["AFTERIMAGE_ACCOUNT"]
TABLE = os.environ["AFTERIMAGE_TABLE"]
BUS = os.environ["AFTERIMAGE_BUS"]
FUNCTION = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
HOUR_MS = 3_600_000

dynamodb = boto3.client("dynamodb")
events = boto3.client("events")
beaten_at = 0


def query(**arguments):
    pages = dynamodb.get_paginator("query").paginate(TableName=TABLE, **arguments)
    return [item for page in pages for item in page["Items"]]


def heartbeat(now):
    """At the first event of a process, and then once an hour."""
    global beaten_at
    if now - beaten_at < HOUR_MS:
        return
    beaten_at = now
    dynamodb.put_item(TableName=TABLE, Item={
        "pk": {"S": "functions"}, "sk": {"S": f"function#{FUNCTION}"},
        "version": {"S": "0.1.0"}, "bus": {"S": BUS}, "at": {"N": str(now)}})


def covers(item, region):
    """Whether a policy has the machines of the region imaged when they stop."""
    if not item["sk"]["S"].startswith("policy#"):
        return False
    policy = plain(item["policy"])
    return (region in policy["select"]["regions"]
            and any("stopped" in trigger for trigger in policy["triggers"]))


def plain(value):
    """An attribute of DynamoDB as what it stands for."""
    (kind, inner), = value.items()
    if kind == "M":
        return {name: plain(member) for name, member in inner.items()}
    if kind == "L":
        return [plain(member) for member in inner]
    return inner


def handle(event):
    detail, region = event["detail"], event["region"]
    ours = (event["source"] == "aws.ec2" and event["account"] == ACCOUNT
            and event["detail-type"] == "EC2 Instance State-change Notification")
    if not ours:
        return {"ignored": "event-not-ours"}
    now = int(time.time() * 1000)
    heartbeat(now)
    if detail["state"] != "stopped":
        return {}
    in_force = query(
        ConsistentRead=True, KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "policies"}})
    in_flight = query(
        IndexName="due", KeyConditionExpression="queue = :queue",
        ExpressionAttributeValues={":queue": {"S": f"snapshot#{region}"}})
    instance = detail["instance-id"]
    awaited = any(item.get("awaits") == {"S": instance} for item in in_flight)
    if not awaited and not any(covers(item, region) for item in in_force):
        return {"ignored": "not-covered"}
    dynamodb.put_item(
        TableName=TABLE,
        Item={"pk": {"S": f"hints#{region}"}, "sk": {"S": f"stopped#{instance}"},
              "at": {"N": str(now)}},
        ConditionExpression="NOT (#at > :at)", ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":at": {"N": str(now)}})
    detail = {"region": region, "kind": "snapshot", "hop": 0}
    answer = events.put_events(Entries=[{
        "EventBusName": BUS, "Source": "afterimage", "DetailType": "Work Requested",
        "Detail": json.dumps(detail)}])
    if answer["FailedEntryCount"]:
        raise RuntimeError(answer["Entries"])
    return {"woken": 1}


def main():
    api = urllib.parse.urlsplit(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = f"{api.path}/2018-06-01/runtime/invocation"
    connection = http.client.HTTPConnection(api.netloc)
    while True:
        connection.request("GET", f"{base}/next")
        answer = connection.getresponse()
        event = json.loads(answer.read())
        request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        connection.request("POST", f"{base}/{request}/response", json.dumps(handle(event)))
        connection.getresponse().read()


if __name__ == "__main__":
    main()
