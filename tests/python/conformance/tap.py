"""Watching events: a queue, and a rule that sends to it what its pattern lets through."""

import json
import uuid

from .world import HOME, iso, true

EVERYTHING_OF_AWS = {"source": [{"prefix": "aws."}]}
# ReceiveMessage hands out ten at a time.
BATCH = 10
ROUNDS_MAX = 500


def queue(w, region=HOME, account=None):
    """A queue that EventBridge may send to: its URL and ARN."""
    account = account or w.account
    name = w.name("queue")
    arn = f"arn:aws:sqs:{region}:{account}:{name}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }],
    }
    url = w.client("sqs", region, account).create_queue(
        QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    return url, arn


class Tap:
    """Every event that a rule on a bus has let through since the tap was opened."""

    def __init__(self, w, region=HOME, account=None, pattern=None, bus="default",
                 schedule=None, **target):
        self.w = w
        self.events = w.client("events", region, account)
        self.sqs = w.client("sqs", region, account)
        self.url, self.arn = queue(w, region, account)
        self.rule = w.name("tap")
        self.bus = bus
        self.seen = []
        trigger = {"ScheduleExpression": schedule} if schedule else {
            "EventPattern": json.dumps(pattern or EVERYTHING_OF_AWS)}
        self.rule_arn = self.events.put_rule(
            Name=self.rule, EventBusName=bus, **trigger)["RuleArn"]
        answer = self.events.put_targets(
            Rule=self.rule, EventBusName=bus,
            Targets=[{"Id": "tap", "Arn": self.arn} | target])
        true(f"{answer['FailedEntries']}", answer["FailedEntryCount"] == 0)
        w.at_close(self.close)

    def close(self):
        """A rule left behind would go on firing through all later behaviours."""
        self.events.remove_targets(Rule=self.rule, EventBusName=self.bus, Ids=["tap"])
        self.events.delete_rule(Name=self.rule, EventBusName=self.bus)

    def messages(self):
        """The bodies that have arrived since the last look, taken from the queue."""
        bodies = []
        for _ in range(ROUNDS_MAX):
            batch = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=BATCH).get("Messages", [])
            if not batch:
                return bodies
            for message in batch:
                bodies.append(json.loads(message["Body"]))
                self.sqs.delete_message(
                    QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        raise AssertionError("a queue that is never empty")

    def look(self):
        """All events so far, the new ones included."""
        self.seen += self.messages()
        return self.seen

    def wait(self, detail_type=None, **detail):
        """The first event of the type whose detail has these values, once it has come."""

        def fits(event):
            return (detail_type in (None, event["detail-type"])
                    and all(event["detail"].get(k) == v for k, v in detail.items()))

        found = self.w.until(
            f"the event {detail_type} {detail}",
            lambda: [event for event in self.look() if fits(event)], bool)
        return found[0]

    def settle(self, seconds=3600):
        """All events that come within a time, for saying that one does not."""
        self.w.advance(seconds)
        return self.look()


def envelope(w, event, region=HOME, account=None):
    """Holds an event to what every event has in common."""
    true(f"{sorted(event)}", set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources",
        "detail"})
    true(f"version {event['version']!r}", event["version"] == "0")
    uuid.UUID(event["id"])
    true(f"account {event['account']}", event["account"] == (account or w.account))
    true(f"region {event['region']}", event["region"] == region)
    true(f"time {event['time']} is not near {w.now()}", event["time"] <= iso(w.now()))
    true(f"time {event['time']}", len(event["time"]) == len("2026-01-01T00:00:00Z"))
