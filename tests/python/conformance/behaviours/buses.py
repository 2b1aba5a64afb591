"""EventBridge as a service: buses, rules, patterns, targets, PutEvents, and its limits."""

import json

from ..registry import behaviour
from ..tap import Tap, queue
from ..world import AWAY, HOME, THIRD, among, one, refused, same, true

PATTERN = json.dumps({"source": ["my.app"]})
TARGETS_MAX = 5
RULES_MAX = 300
PATTERN_LENGTH_MAX = 2048


def _entry(source="my.app", detail=None, **more):
    return {"Source": source, "DetailType": "Done",
            "Detail": json.dumps(detail or {"n": 1})} | more


def _bus_arn(w, region, bus="default"):
    return f"arn:aws:events:{region}:{w.account}:event-bus/{bus}"


@behaviour("1.0", "every account has a default bus in every region")
def default_bus(w):
    for region in (HOME, AWAY):
        shown = w.client("events", region).describe_event_bus()
        same(region, (shown["Name"], shown["Arn"]), ("default", _bus_arn(w, region)))


@behaviour("6.4", "a bus is made once, listed, and deleted")
def bus(w):
    answer = w.events.create_event_bus(Name="orders")
    same("the ARN", answer["EventBusArn"], _bus_arn(w, HOME, "orders"))
    refused("ResourceAlreadyExistsException", w.events.create_event_bus, Name="orders")
    names = {b["Name"] for b in w.events.list_event_buses()["EventBuses"]}
    same("buses", names, {"default", "orders"})
    w.events.delete_event_bus(Name="orders")
    refused("ResourceNotFoundException", w.events.describe_event_bus, Name="orders")


@behaviour("6.4", "a rule's ARN names its bus unless that is the default one")
def rule_arn(w):
    w.events.create_event_bus(Name="orders")
    base = f"arn:aws:events:{HOME}:{w.account}:rule"
    answer = w.events.put_rule(Name="plain", EventPattern=PATTERN)
    same("on the default bus", answer["RuleArn"], f"{base}/plain")
    answer = w.events.put_rule(Name="plain", EventPattern=PATTERN, EventBusName="orders")
    same("on another", answer["RuleArn"], f"{base}/orders/plain")


@behaviour("6.4", "a rule is described as it was put, enabled unless told otherwise")
def rule_described(w):
    w.events.put_rule(Name="plain", EventPattern=PATTERN, Description="words")
    shown = w.events.describe_rule(Name="plain")
    same("the rule", (json.loads(shown["EventPattern"]), shown["State"], shown["Description"]),
         (json.loads(PATTERN), "ENABLED", "words"))
    w.events.disable_rule(Name="plain")
    same("disabled", w.events.describe_rule(Name="plain")["State"], "DISABLED")
    w.events.enable_rule(Name="plain")
    same("enabled", w.events.describe_rule(Name="plain")["State"], "ENABLED")


@behaviour("6.4", "ListRules lists the rules of one bus by prefix")
def list_rules(w):
    w.events.create_event_bus(Name="orders")
    for name, where in (("ab-1", "default"), ("ab-2", "default"), ("cd", "default"),
                        ("ab-3", "orders")):
        w.events.put_rule(Name=name, EventPattern=PATTERN, EventBusName=where)
    found = w.events.list_rules(NamePrefix="ab")["Rules"]
    same("rules", sorted(r["Name"] for r in found), ["ab-1", "ab-2"])


@behaviour("6.4", "a pattern that is none is InvalidEventPatternException")
def invalid_pattern(w):
    for pattern in ('{"source": "my.app"}', '{"source": [{"no-such-operator": 1}]}', "{", "[]"):
        refused("InvalidEventPatternException", w.events.put_rule, Name="bad",
                EventPattern=pattern)


@behaviour("4", "a pattern of more than 2048 characters is refused")
def long_pattern(w):
    fits = json.dumps({"source": ["x" * (PATTERN_LENGTH_MAX - 16)]})
    same("a length that fits", len(fits), PATTERN_LENGTH_MAX)
    w.events.put_rule(Name="long", EventPattern=fits)
    refused(None, w.events.put_rule, Name="long", EventPattern=fits.replace("x", "xx", 1))


@behaviour("5.3", "a rule needs a pattern or a schedule, and a schedule that can be read")
def no_trigger(w):
    refused("ValidationException", w.events.put_rule, Name="empty")
    for schedule in ("every minute", "rate(0 minutes)", "rate(1 fortnight)", "cron(* *)"):
        refused("ValidationException", w.events.put_rule, Name="bad",
                ScheduleExpression=schedule)


@behaviour("6.4", "targets are listed as they were put, and removed")
def targets(w):
    w.events.put_rule(Name="plain", EventPattern=PATTERN)
    first, second = queue(w)[1], queue(w)[1]
    w.events.put_targets(Rule="plain", Targets=[
        {"Id": "a", "Arn": first, "Input": '{"x": 1}'}, {"Id": "b", "Arn": second}])
    shown = w.events.list_targets_by_rule(Rule="plain")["Targets"]
    same("targets", {t["Id"]: (t["Arn"], t.get("Input")) for t in shown},
         {"a": (first, '{"x": 1}'), "b": (second, None)})
    same("failures", w.events.remove_targets(Rule="plain", Ids=["a"])["FailedEntryCount"], 0)
    shown = w.events.list_targets_by_rule(Rule="plain")["Targets"]
    same("the rest", [t["Id"] for t in shown], ["b"])


@behaviour("4", "a rule has at most 5 targets")
def too_many_targets(w):
    w.events.put_rule(Name="plain", EventPattern=PATTERN)
    arn = queue(w)[1]
    five = [{"Id": str(n), "Arn": arn} for n in range(TARGETS_MAX)]
    w.events.put_targets(Rule="plain", Targets=five)
    refused("LimitExceededException", w.events.put_targets, Rule="plain",
            Targets=[{"Id": "one-more", "Arn": arn}])
    same("targets", len(w.events.list_targets_by_rule(Rule="plain")["Targets"]), TARGETS_MAX)


@behaviour("4", "a bus has at most 300 rules, and an existing one may still be changed")
def too_many_rules(w):
    w.events.create_event_bus(Name="orders")
    for number in range(RULES_MAX):
        w.events.put_rule(Name=f"rule-{number}", EventPattern=PATTERN, EventBusName="orders")
    refused("LimitExceededException", w.events.put_rule, Name="one-more",
            EventPattern=PATTERN, EventBusName="orders")
    w.events.put_rule(Name="rule-0", EventPattern=PATTERN, EventBusName="orders",
                      State="DISABLED")


@behaviour("6.4", "a rule that has targets cannot be deleted; one without them can")
def delete_rule(w):
    w.events.put_rule(Name="plain", EventPattern=PATTERN)
    w.events.put_targets(Rule="plain", Targets=[{"Id": "a", "Arn": queue(w)[1]}])
    refused("ValidationException", w.events.delete_rule, Name="plain")
    w.events.remove_targets(Rule="plain", Ids=["a"])
    w.events.delete_rule(Name="plain")
    refused("ResourceNotFoundException", w.events.describe_rule, Name="plain")


@behaviour("6.4", "targets of an unknown rule are ResourceNotFoundException")
def unknown_rule(w):
    refused("ResourceNotFoundException", w.events.put_targets, Rule="nothing",
            Targets=[{"Id": "a", "Arn": queue(w)[1]}])
    refused("ResourceNotFoundException", w.events.list_targets_by_rule, Rule="nothing")
    refused("ResourceNotFoundException", w.events.put_rule, Name="lost", EventPattern=PATTERN,
            EventBusName="nothing")


@behaviour("6.4", "PutEvents answers an id for each entry")
def put_events(w):
    answer = w.events.put_events(Entries=[_entry(), _entry()])
    same("failures", answer["FailedEntryCount"], 0)
    same("different ids", len({e["EventId"] for e in answer["Entries"]}), 2)


@behaviour("1.0", "an event whose source starts with aws. is refused, the others are taken")
def forged(w):
    answer = w.events.put_events(Entries=[_entry(), _entry("aws.ec2"), _entry()])
    same("failures", answer["FailedEntryCount"], 1)
    good, bad, other = answer["Entries"]
    true("a good one was refused", "EventId" in good and "EventId" in other)
    true(f"{bad}", "EventId" not in bad and bad["ErrorCode"] and bad["ErrorMessage"])


@behaviour("6.4", "an entry whose detail is no JSON fails alone, with HTTP 200")
def bad_detail(w):
    answer = w.events.put_events(Entries=[_entry(Detail="no json"), _entry()])
    same("the status", answer["ResponseMetadata"]["HTTPStatusCode"], 200)
    same("failures", answer["FailedEntryCount"], 1)
    true(f"{answer['Entries']}", answer["Entries"][0]["ErrorCode"])
    true(f"{answer['Entries']}", answer["Entries"][1]["EventId"])


@behaviour("4", "PutEvents takes 10 entries and refuses 11")
def eleven(w):
    same("ten", w.events.put_events(Entries=[_entry()] * 10)["FailedEntryCount"], 0)
    refused("ValidationException", w.client("events", validate=False).put_events,
            Entries=[_entry()] * 11)


@behaviour("1.0", "TestEventPattern answers what a rule would do")
def test_pattern(w):
    event = json.dumps({
        "id": "1", "detail-type": "Done", "source": "my.app", "account": w.account,
        "time": "2026-01-01T00:00:00Z", "region": HOME, "resources": [],
        "detail": {"size": 7, "state": "ready"}})
    for pattern, wanted in [
        ({"source": ["my.app"]}, True),
        ({"source": ["my.other"]}, False),
        ({"detail": {"state": [{"prefix": "re"}]}}, True),
        ({"detail": {"state": [{"anything-but": ["ready"]}]}}, False),
        ({"detail": {"size": [{"numeric": [">", 5, "<=", 7]}]}}, True),
        ({"detail": {"size": [{"numeric": ["<", 7]}]}}, False),
        ({"detail": {"nothing": [{"exists": False}]}}, True),
        ({"detail": {"state": ["Ready"]}}, False),
    ]:
        answer = w.events.test_event_pattern(EventPattern=json.dumps(pattern), Event=event)
        same(f"{pattern}", answer["Result"], wanted)
    refused("InvalidEventPatternException", w.events.test_event_pattern,
            EventPattern='{"a": 1}', Event=event)


@behaviour("1.0", "an event reaches the rules of its own bus only")
def own_bus(w):
    w.events.create_event_bus(Name="orders")
    pattern = {"source": ["my.app"]}
    here, there = Tap(w, pattern=pattern), Tap(w, pattern=pattern, bus="orders")
    w.events.put_events(Entries=[_entry(EventBusName="orders", detail={"n": 5},
                                        Resources=["r-1"])])
    got = there.wait("Done")
    same("the event", (got["source"], got["detail"], got["resources"], got["region"]),
         ("my.app", {"n": 5}, ["r-1"], HOME))
    same("on the default bus", here.settle(), [])


@behaviour("1.0", "a disabled rule lets nothing through")
def disabled(w):
    tap = Tap(w, pattern={"source": ["my.app"]})
    w.events.disable_rule(Name=tap.rule)
    w.events.put_events(Entries=[_entry()])
    same("events", tap.settle(), [])


@behaviour("1.9", "a target's Input replaces the whole event")
def custom_input(w):
    tap = Tap(w, pattern={"source": ["my.app"]}, Input='{"only": "this"}')
    w.events.put_events(Entries=[_entry()])
    same("the message", w.until("the message", tap.messages, bool), [{"only": "this"}])


@behaviour("1.9", "a scheduled rule fires once a minute, with an empty detail")
def scheduled(w):
    tap = Tap(w, schedule="rate(1 minute)")
    w.advance(600)
    fired = tap.look()
    true(f"{len(fired)} in ten minutes", 9 <= len(fired) <= 11)
    for event in fired:
        same("the event", (event["source"], event["detail-type"], event["detail"],
                           event["resources"]),
             ("aws.events", "Scheduled Event", {}, [tap.rule_arn]))
    same("distinct minutes", len({e["time"][:16] for e in fired}), len(fired))


def _forward(w, source_region, target_region):
    """A rule that sends my.app to the default bus of another region."""
    events = w.client("events", source_region)
    name = w.name("forward")
    target = _bus_arn(w, target_region)
    role = f"arn:aws:iam::{w.account}:role/{name}"
    w.control.role(role, [{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "events:PutEvents", "Resource": target}]}])
    events.put_rule(Name=name, EventPattern=PATTERN)
    answer = events.put_targets(
        Rule=name, Targets=[{"Id": "bus", "Arn": target, "RoleArn": role}])
    same("failures", answer["FailedEntryCount"], 0)


@behaviour("5.3", "an event is forwarded to a bus of another region as it was")
def cross_region(w):
    pattern = {"source": ["my.app"]}
    here, there = Tap(w, pattern=pattern), Tap(w, AWAY, pattern=pattern)
    _forward(w, HOME, AWAY)
    w.events.put_events(Entries=[_entry()])
    same("the event", there.wait("Done"), here.wait("Done"))
    same("its region", there.seen[0]["region"], HOME)


@behaviour("5.3", "a forwarded event is not forwarded again")
def one_hop(w):
    pattern = {"source": ["my.app"]}
    second, third = Tap(w, AWAY, pattern=pattern), Tap(w, THIRD, pattern=pattern)
    _forward(w, HOME, AWAY)
    _forward(w, AWAY, THIRD)
    w.events.put_events(Entries=[_entry()])
    second.wait("Done")
    same("after two hops", third.settle(), [])
    w.client("events", AWAY).put_events(Entries=[_entry()])
    same("after one hop", third.wait("Done")["region"], AWAY)


@behaviour("5.3", "without the permission of its role a rule forwards nothing to another region")
def no_permission(w):
    there = Tap(w, AWAY, pattern={"source": ["my.app"]})
    url, arn = queue(w)
    role = f"arn:aws:iam::{w.account}:role/powerless"
    w.control.role(role, [{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "events:PutRule", "Resource": "*"}]}])
    w.events.put_rule(Name="powerless", EventPattern=PATTERN)
    w.events.put_targets(Rule="powerless", Targets=[{
        "Id": "bus", "Arn": _bus_arn(w, AWAY), "RoleArn": role,
        "DeadLetterConfig": {"Arn": arn}}])
    w.events.put_events(Entries=[_entry()])
    same("in the other region", there.settle(), [])
    letter = one(w.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"])["Messages"])
    same("the code", letter["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_PERMISSIONS")


@behaviour("1.0", "an event for a target that is gone goes to the dead letter queue, with reasons")
def dead_letter(w):
    url, arn = queue(w)
    gone = f"arn:aws:sqs:{HOME}:{w.account}:never-made"
    rule = w.events.put_rule(Name="lost", EventPattern=PATTERN)["RuleArn"]
    w.events.put_targets(Rule="lost", Targets=[
        {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": arn}}])
    w.events.put_events(Entries=[_entry()])

    def ask():
        answer = w.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"],
                                                 MaxNumberOfMessages=10)
        return answer.get("Messages", [])

    letter = one(w.until("the letter", ask, bool))
    same("the event", json.loads(letter["Body"])["source"], "my.app")
    told = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    same("rule and target", (told["RULE_ARN"], told["TARGET_ARN"]), (rule, gone))
    among("the code", told["ERROR_CODE"], ("NO_RESOURCE", "NO_PERMISSIONS"))
    true("no words", told["ERROR_MESSAGE"])
    true("the control API does not show it", "my.app" in json.dumps(w.control.dead_letters()))
