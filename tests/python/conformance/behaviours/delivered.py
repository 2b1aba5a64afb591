"""The events that EC2 and EBS send, with their odd field names and forms of ARN."""

import re

from ..registry import behaviour
from ..tap import Tap, envelope
from ..world import (
    AWAY, HOME, among, one, root_volume, same, snapshots_of, tag_list, true,
)

INSTANCE = "EC2 Instance State-change Notification"
SNAPSHOT = "EBS Snapshot Notification"
SNAPSHOTS = "EBS Multi-Volume Snapshots Completion Status"
IMAGE = "EC2 AMI State Change"
VOLUME = "EBS Volume Notification"
TAGS = "Tag Change on Resource"
UNKNOWN_KEY = "11112222-3333-4444-5555-666677778888"
# Events lag behind what they tell of; a tap that is opened later than this misses the old ones.
QUIET_SECONDS = 3600
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _odd_arn(text, kind, ident):
    """EBS writes the region where the account belongs, and leaves the region empty."""
    wanted = rf"arn:aws:ec2::[a-z]+-[a-z-]+-\d:{kind}/{ident}"
    true(f"{text!r} is not {wanted}", re.fullmatch(wanted, text))


def _plain_arn(ident, region=HOME, account="", kind="image"):
    return f"arn:aws:ec2:{region}:{account}:{kind}/{ident}"


def _states(events, machine):
    return [e["detail"]["state"] for e in events
            if e["detail-type"] == INSTANCE and e["detail"]["instance-id"] == machine]


def _settled_machine(w):
    """A machine of whose launch nothing more will be heard."""
    machine = w.launch()
    w.advance(QUIET_SECONDS)
    return machine


def _one_volume_snapshot(w, size=1, **more):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=size, **more)["VolumeId"]
    w.wait_volume(made)
    return made, w.ec2.create_snapshot(VolumeId=made)["SnapshotId"]


@behaviour("1.1", "a launch sends pending and running, with the bare id and the full ARN")
def launched(w):
    tap = Tap(w)
    machine = w.launch()["InstanceId"]
    event = tap.wait(INSTANCE, state="running")
    envelope(w, event)
    same("source", event["source"], "aws.ec2")
    same("resources", event["resources"],
         [_plain_arn(machine, account=w.account, kind="instance")])
    same("detail", event["detail"], {"instance-id": machine, "state": "running"})
    same("states", sorted(_states(tap.settle(), machine)), ["pending", "running"])


@behaviour("1.1", "a stop sends stopping and stopped, a start pending and running")
def stopped(w):
    machine = _settled_machine(w)["InstanceId"]
    tap = Tap(w)
    w.ec2.stop_instances(InstanceIds=[machine])
    tap.wait(INSTANCE, state="stopped")
    same("the stop", sorted(_states(tap.settle(), machine)), ["stopped", "stopping"])
    w.ec2.start_instances(InstanceIds=[machine])
    tap.wait(INSTANCE, state="running")
    same("the start", sorted(_states(tap.settle(), machine)[2:]), ["pending", "running"])


@behaviour("1.1", "a termination sends shutting-down and terminated")
def terminated(w):
    machine = _settled_machine(w)["InstanceId"]
    tap = Tap(w)
    w.ec2.terminate_instances(InstanceIds=[machine])
    tap.wait(INSTANCE, state="terminated")
    same("states", sorted(_states(tap.settle(), machine)), ["shutting-down", "terminated"])


@behaviour("1.1", "a reboot sends nothing")
def rebooted(w):
    machine = _settled_machine(w)["InstanceId"]
    tap = Tap(w, pattern={"detail-type": [INSTANCE]})
    w.ec2.reboot_instances(InstanceIds=[machine])
    same("events", tap.settle(), [])


@behaviour("1.1", "the reboot that CreateImage does sends no state change")
def rebooted_for_image(w):
    """UNVERIFIED in the specification; none is its expectation."""
    machine = _settled_machine(w)["InstanceId"]
    tap = Tap(w, pattern={"detail-type": [INSTANCE]})
    w.wait_image(w.ec2.create_image(InstanceId=machine, Name="quiet")["ImageId"])
    same("events", tap.settle(), [])


@behaviour("1.2", "CreateSnapshot sends createSnapshot: ARNs in the odd form, mixed names")
def create_snapshot(w):
    tap = Tap(w)
    made, taken = _one_volume_snapshot(w)
    event = tap.wait(SNAPSHOT, event="createSnapshot")
    envelope(w, event)
    detail = event["detail"]
    same("fields", set(detail), {"event", "result", "cause", "request-id", "snapshot_id",
                                 "source", "startTime", "endTime"})
    same("outcome", (detail["result"], detail["cause"], detail["request-id"]),
         ("succeeded", "", ""))
    _odd_arn(detail["snapshot_id"], "snapshot", taken)
    _odd_arn(detail["source"], "volume", made)
    same("resources", event["resources"], [detail["snapshot_id"]])
    true("times", SECOND.fullmatch(detail["startTime"]) and SECOND.fullmatch(detail["endTime"]))
    true("ends before it starts", detail["startTime"] <= detail["endTime"])


@behaviour("1.3", "CreateSnapshots sends one event of another detail-type for the whole set")
def create_snapshots(w):
    machine = w.launch(volumes=[2])
    tap = Tap(w)
    taken = w.ec2.create_snapshots(
        InstanceSpecification={"InstanceId": machine["InstanceId"]})["Snapshots"]
    event = tap.wait(SNAPSHOTS)
    envelope(w, event)
    detail = event["detail"]
    same("outcome", (detail["event"], detail["result"], detail["cause"], detail["request-id"]),
         ("createSnapshots", "succeeded", "", ""))
    members = {m["snapshot_id"].rsplit("/", 1)[1]: m for m in detail["snapshots"]}
    same("members", set(members), {s["SnapshotId"] for s in taken})
    for member in taken:
        told = members[member["SnapshotId"]]
        same("its fields", set(told), {"snapshot_id", "source", "status"})
        same("its status", told["status"], "completed")
        _odd_arn(told["snapshot_id"], "snapshot", member["SnapshotId"])
        _odd_arn(told["source"], "volume", member["VolumeId"])
    same("resources", set(event["resources"]), {m["snapshot_id"] for m in detail["snapshots"]})
    same("how many", len([e for e in tap.settle() if e["detail-type"] == SNAPSHOTS]), 1)


@behaviour("1.2", "copySnapshot is sent in the destination and not in the source region")
def copy_snapshot(w):
    source = w.completed_snapshot()["SnapshotId"]
    w.advance(QUIET_SECONDS)
    here, there = Tap(w), Tap(w, AWAY)
    made = w.away.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source)["SnapshotId"]
    event = there.wait(SNAPSHOT, event="copySnapshot")
    envelope(w, event, AWAY)
    detail = event["detail"]
    same("outcome", (detail["result"], detail["cause"], detail["transferType"]),
         ("succeeded", "", "standard"))
    true(f"incremental is {detail['incremental']!r}", detail["incremental"] in ("true", "false"))
    _odd_arn(detail["snapshot_id"], "snapshot", made)
    _odd_arn(detail["source"], "snapshot", source)
    same("here", [e for e in here.settle() if e["detail-type"] == SNAPSHOT], [])


@behaviour("2.4", "the first copy of a lineage is full, the second incremental")
def incremental(w):
    made, first = _one_volume_snapshot(w)
    w.wait_snapshot(first)
    w.rest()
    second = w.ec2.create_snapshot(VolumeId=made)["SnapshotId"]
    w.wait_snapshot(second)
    tap = Tap(w, AWAY)
    told = []
    for source in (first, second):
        copy = w.away.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source)["SnapshotId"]
        w.wait_snapshot(copy, ec2=w.away)
        event = w.until("the event", lambda: [
            e for e in tap.look() if e["resources"][0].endswith(copy)], bool)[0]
        told.append(event["detail"]["incremental"])
    same("incremental", told, ["false", "true"])


@behaviour("1.2", "a failed copySnapshot says failed and a cause, and nothing of increments")
def copy_snapshot_failed(w):
    source = w.completed_snapshot()["SnapshotId"]
    tap = Tap(w, AWAY)
    w.away.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source, Encrypted=True,
                         KmsKeyId=UNKNOWN_KEY)
    detail = tap.wait(SNAPSHOT, event="copySnapshot")["detail"]
    same("the result", detail["result"], "failed")
    true("no cause", detail["cause"])
    true(f"{detail}", "incremental" not in detail and "transferType" not in detail)


@behaviour("1.2", "shareSnapshot is sent to the account that the snapshot was shared with")
def share_snapshot(w):
    neighbour = w.neighbour()
    taken = w.completed_snapshot()["SnapshotId"]
    theirs, own = Tap(w, account=neighbour), Tap(w)
    w.ec2.modify_snapshot_attribute(SnapshotId=taken, Attribute="createVolumePermission",
                                    OperationType="add", UserIds=[neighbour])
    event = theirs.wait(SNAPSHOT, event="shareSnapshot")
    # The published sample has one number for both, and does not say whose.
    envelope(w, event, account=event["account"])
    same("the result", event["detail"]["result"], "succeeded")
    among("from whom", str(event["detail"]["source"]).zfill(12), (w.account, neighbour))
    _odd_arn(event["detail"]["snapshot_id"], "snapshot", taken)
    same("to oneself", [e for e in own.settle() if e["detail"].get("event") == "shareSnapshot"],
         [])


def _image_event(w, event, image_id, region=HOME):
    envelope(w, event, region)
    same("resources", event["resources"], [_plain_arn(image_id, region)])
    same("fields", set(event["detail"]), {"RequestId", "ImageId", "State", "ErrorMessage"})


@behaviour("1.7", "CreateImage sends available once, with the request id of the call, no pending")
def image_created(w):
    machine = w.launch()["InstanceId"]
    tap = Tap(w, pattern={"detail-type": [IMAGE]})
    answer = w.ec2.create_image(InstanceId=machine, Name="told", NoReboot=True)
    event = tap.wait(IMAGE, ImageId=answer["ImageId"])
    _image_event(w, event, answer["ImageId"])
    same("detail", (event["detail"]["State"], event["detail"]["ErrorMessage"]), ("available", ""))
    same("the request", event["detail"]["RequestId"], answer["ResponseMetadata"]["RequestId"])
    same("how many", len(tap.settle()), 1)


@behaviour("1.7", "a failed image sends failed with the reason as ErrorMessage")
def image_failed(w):
    machine = w.launch()
    tap = Tap(w, pattern={"detail-type": [IMAGE]})
    w.ec2.create_snapshot(VolumeId=root_volume(machine))
    made = w.ec2.create_image(InstanceId=machine["InstanceId"], Name="doomed",
                              NoReboot=True)["ImageId"]
    event = tap.wait(IMAGE, ImageId=made)
    _image_event(w, event, made)
    same("the state", event["detail"]["State"], "failed")
    true("no reason", event["detail"]["ErrorMessage"])


@behaviour("1.7", "CopyImage sends available in the destination and nothing in the source region")
def image_copied(w):
    source = w.registered()["ImageId"]
    w.advance(QUIET_SECONDS)
    here, there = Tap(w), Tap(w, AWAY)
    made = w.away.copy_image(SourceRegion=HOME, SourceImageId=source, Name="told")["ImageId"]
    event = there.wait(IMAGE, ImageId=made)
    _image_event(w, event, made, AWAY)
    same("the state", event["detail"]["State"], "available")
    same("here", [e for e in here.settle() if e["detail-type"] == IMAGE], [])


@behaviour("1.7", "a copy that fails for its key sends failed with the reason")
def image_copy_failed(w):
    source = w.registered()["ImageId"]
    tap = Tap(w, AWAY)
    made = w.away.copy_image(SourceRegion=HOME, SourceImageId=source, Name="doomed",
                             Encrypted=True, KmsKeyId=UNKNOWN_KEY)["ImageId"]
    detail = tap.wait(IMAGE, ImageId=made)["detail"]
    same("the state", detail["State"], "failed")
    true(f"{detail}", "AMI snapshot copy failed with error" in detail["ErrorMessage"])


@behaviour("1.7", "RegisterImage, disable, enable and deregister each send their state")
def image_states(w):
    tap = Tap(w, pattern={"detail-type": [IMAGE]})
    made = w.registered()["ImageId"]
    tap.settle(600)
    w.ec2.disable_image(ImageId=made)
    tap.settle(600)
    w.ec2.enable_image(ImageId=made)
    tap.settle(600)
    answer = w.ec2.deregister_image(ImageId=made)
    events = tap.settle(600)
    for event in events:
        _image_event(w, event, made)
    same("states", [e["detail"]["State"] for e in events],
         ["available", "disabled", "available", "deregistered"])
    same("the last request", events[-1]["detail"]["RequestId"],
         answer["ResponseMetadata"]["RequestId"])


@behaviour("1.7", "deprecation, protection, permissions and tags send no state change of the image")
def image_silent(w):
    made = w.registered()["ImageId"]
    w.advance(QUIET_SECONDS)
    tap = Tap(w, pattern={"detail-type": [IMAGE]})
    w.ec2.enable_image_deprecation(ImageId=made, DeprecateAt="2035-01-01T00:00:00Z")
    w.ec2.enable_image_deregistration_protection(ImageId=made)
    w.ec2.modify_image_attribute(ImageId=made,
                                 LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"a": "1"}))
    same("events", tap.settle(), [])


@behaviour("1.8", "a tag change tells the keys changed and the whole map after it")
def tag_change(w):
    machine = w.launch()["InstanceId"]
    w.ec2.create_tags(Resources=[machine], Tags=tag_list({"a": "1"}))
    w.advance(QUIET_SECONDS)
    tap = Tap(w, pattern={"source": ["aws.tag"]})
    w.ec2.create_tags(Resources=[machine], Tags=tag_list({"b": "2"}))
    event = tap.wait(TAGS)
    envelope(w, event)
    same("resources", event["resources"],
         [_plain_arn(machine, account=w.account, kind="instance")])
    detail = event["detail"]
    same("keys", detail["changed-tag-keys"], ["b"])
    same("tags", detail["tags"], {"a": "1", "b": "2"})
    same("what", (detail["service"], detail["resource-type"]), ("ec2", "instance"))
    true("version is no number", isinstance(detail["version"], (int, float)))


@behaviour("1.8", "a removed tag is among the keys changed and not in the map; versions rise")
def tag_removed(w):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=1)["VolumeId"]
    tap = Tap(w, pattern={"source": ["aws.tag"]})
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"a": "1", "b": "2"}))
    first = one(tap.settle(600))
    w.ec2.delete_tags(Resources=[made], Tags=[{"Key": "a"}])
    second = tap.settle(600)[1]
    same("keys", second["detail"]["changed-tag-keys"], ["a"])
    same("tags", second["detail"]["tags"], {"b": "2"})
    true("the version does not rise", first["detail"]["version"] < second["detail"]["version"])


@behaviour("1.8", "one CreateTags of two resources sends one event for each")
def tag_several(w):
    machine = w.launch()
    disk = root_volume(machine)
    tap = Tap(w, pattern={"source": ["aws.tag"]})
    w.ec2.create_tags(Resources=[machine["InstanceId"], disk], Tags=tag_list({"a": "1"}))
    events = tap.settle()
    same("resources", sorted(one(e["resources"]).rsplit("/", 1)[1] for e in events),
         sorted([machine["InstanceId"], disk]))


@behaviour("1.6", "a volume sends createVolume available, and deleteVolume deleted")
def volumes(w):
    tap = Tap(w)
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=1)["VolumeId"]
    event = tap.wait(VOLUME, event="createVolume")
    envelope(w, event)
    same("resources", event["resources"],
         [_plain_arn(made, account=w.account, kind="volume")])
    same("the result", event["detail"]["result"], "available")
    same("fields", set(event["detail"]), {"event", "result", "cause", "request-id"})
    w.ec2.delete_volume(VolumeId=made)
    same("deleted", tap.wait(VOLUME, event="deleteVolume")["detail"]["result"], "deleted")


@behaviour("1.2", "a lock sends lockSnapshot with its state")
def lock(w):
    taken = w.completed_snapshot()["SnapshotId"]
    tap = Tap(w)
    w.ec2.lock_snapshot(SnapshotId=taken, LockMode="governance", LockDuration=1)
    detail = tap.wait(SNAPSHOT, event="lockSnapshot")["detail"]
    same("outcome", (detail["result"], detail["lockState"]), ("succeeded", "governance"))
    true(f"{detail['snapshot_id']}", detail["snapshot_id"].endswith("/" + taken))


@behaviour("1.11", "an aws:ec2:image parameter sends a Parameter Store Change when it is right")
def parameter(w):
    made = w.registered()["ImageId"]
    tap = Tap(w)
    w.client("ssm").put_parameter(Name="golden", Value=made, Type="String",
                                  DataType="aws:ec2:image")
    event = tap.wait("Parameter Store Change", name="golden")
    same("source", event["source"], "aws.ssm")
    same("what", (event["detail"]["operation"], event["detail"]["type"]), ("Create", "String"))
    true(f"{event['detail']}", "exception" not in event["detail"])


@behaviour("1.11", "an aws:ec2:image parameter that names no image sends an exception")
def parameter_wrong(w):
    tap = Tap(w)
    w.client("ssm").put_parameter(Name="golden", Value="ami-0123456789abcdef0", Type="String",
                                  DataType="aws:ec2:image")
    detail = tap.wait("Parameter Store Change", name="golden")["detail"]
    same("detail", detail, {"exception": "Unable to Describe Resource", "name": "golden",
                            "dataType": "aws:ec2:image", "type": "String",
                            "operation": "Create"})


@behaviour("1.0", "events of one account and region reach no other")
def apart(w):
    away, stranger = Tap(w, AWAY), Tap(w, account=w.neighbour())
    made = w.imaged(w.launch()["InstanceId"])
    true("no snapshot", snapshots_of(made))
    same("in another region", away.settle(), [])
    same("in another account", stranger.settle(), [])
