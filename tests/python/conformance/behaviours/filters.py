"""Filters of DescribeImages and DescribeSnapshots: each by itself, then how they combine."""

from ..registry import behaviour
from ..world import AWAY, HOME, WINDOWS, one, refused, same, snapshots_of, tag_spec, true

VALUES_MAX = 200


def _found(w, owner="self", ec2=None, **filters):
    wanted = [{"Name": name.replace("_", "-"), "Values": values}
              for name, values in filters.items()]
    return _by(w, wanted, owner, ec2)


def _by(w, wanted, owner="self", ec2=None):
    images = (ec2 or w.ec2).describe_images(Owners=[owner], Filters=wanted)["Images"]
    return {i["ImageId"] for i in images}


def _pair(w):
    """Two images that differ in every field that RegisterImage can set, in one account."""
    plain = w.completed_snapshot(size=2)["SnapshotId"]
    secret = w.completed_snapshot(size=5, Encrypted=True, KmsKeyId=w.key())["SnapshotId"]
    first = w.registered(
        plain, Name="alpha", Description="the first", BootMode="legacy-bios",
        TagSpecifications=tag_spec("image", {"team": "red"}),
        mapping={"VolumeType": "gp3", "DeleteOnTermination": True})
    w.advance(24 * 3600)
    second = w.registered(
        secret, Name="beta", Description="the second", BootMode="uefi", Architecture="arm64",
        TagSpecifications=tag_spec("image", {"crew": "blue"}), RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {
            "SnapshotId": secret, "VolumeType": "io1", "Iops": 200,
            "DeleteOnTermination": False}}])
    return first, second


# The filter, and its value for the first image (text, or a function of its description).
IMAGE_FILTERS = [
    ("architecture", "x86_64"),
    ("block-device-mapping.snapshot-id", lambda i: one(snapshots_of(i))),
    ("block-device-mapping.encrypted", "false"),
    ("block-device-mapping.device-name", "/dev/xvda"),
    ("block-device-mapping.volume-size", "2"),
    ("block-device-mapping.volume-type", "gp3"),
    ("block-device-mapping.delete-on-termination", "true"),
    ("boot-mode", "legacy-bios"),
    ("creation-date", lambda i: i["CreationDate"][:10] + "*"),
    ("description", "the first"),
    ("image-id", lambda i: i["ImageId"]),
    ("name", "alpha"),
    ("root-device-name", "/dev/xvda"),
    ("tag:team", "red"),
    ("tag-key", "team"),
]


def _declare_image_filter(name, value):
    @behaviour("2.8", f"DescribeImages filters by {name}")
    def ask(w):
        first, _ = _pair(w)
        text = value if isinstance(value, str) else value(first)
        same("found", _by(w, [{"Name": name, "Values": [text]}]), {first["ImageId"]})


for _name, _value in IMAGE_FILTERS:
    _declare_image_filter(_name, _value)


@behaviour("2.8", "DescribeImages filters by owner-id")
def owner_id(w):
    mine = w.registered()["ImageId"]
    found = w.ec2.describe_images(Filters=[{"Name": "owner-id", "Values": [w.account]}])["Images"]
    same("found", [i["ImageId"] for i in found], [mine])


@behaviour("2.8", "DescribeImages filters by platform windows")
def platform(w):
    w.registered()
    machine = w.launch(image_id=w.public_image(WINDOWS)["ImageId"])
    made = w.imaged(machine["InstanceId"])["ImageId"]
    same("found", _found(w, platform=["windows"]), {made})


@behaviour("2.8", "DescribeImages filters by product-code")
def product_code(w):
    found = w.ec2.describe_images(Owners=["aws-marketplace"])["Images"]
    code = one(i for i in found if i.get("ProductCodes"))["ProductCodes"][0]["ProductCodeId"]
    same("found", len(_found(w, "aws-marketplace", product_code=[code])), 1)
    same("another code", _found(w, "aws-marketplace", product_code=["x" + code]), set())


@behaviour("2.8", "DescribeImages filters by source-image-id and source-image-region")
def source_image(w):
    source = w.registered()["ImageId"]
    request = {"SourceRegion": HOME, "SourceImageId": source}
    made = w.away.copy_image(Name="filtered", **request)["ImageId"]
    w.registered(ec2=w.away)
    same("by id", _found(w, ec2=w.away, source_image_id=[source]), {made})
    same("by region", _found(w, ec2=w.away, source_image_region=[HOME]), {made})
    same("by another region", _found(w, ec2=w.away, source_image_region=[AWAY]), set())


@behaviour("2.8", "DescribeImages filters by state")
def state(w):
    machine = w.launch()["InstanceId"]
    pending = w.ec2.create_image(InstanceId=machine, Name="pending", NoReboot=True)["ImageId"]
    same("pending", _found(w, state=["pending"]), {pending})
    same("available", _found(w, state=["available"]), set())
    w.wait_image(pending)
    same("pending later", _found(w, state=["pending"]), set())
    same("available later", _found(w, state=["available"]), {pending})


@behaviour("2.8", "DescribeImages filters by state-reason-code")
def state_reason(w):
    source = w.registered()["ImageId"]
    made = w.ec2.copy_image(SourceRegion=HOME, SourceImageId=source, Name="doomed",
                            Encrypted=True, KmsKeyId="11112222-3333-4444-5555-666677778888")
    failed = w.wait_image(made["ImageId"], "failed")
    code = failed["StateReason"]["Code"]
    same("found", _found(w, state_reason_code=[code]), {made["ImageId"]})


@behaviour("2.8", "DescribeImages filters by virtualization-type")
def virtualization(w):
    made = w.registered()["ImageId"]
    same("hvm", _found(w, virtualization_type=["hvm"]), {made})
    same("paravirtual", _found(w, virtualization_type=["paravirtual"]), set())


@behaviour("2.8", "values of one filter are alternatives, filters narrow each other")
def combined(w):
    first, second = _pair(w)
    ids = {first["ImageId"], second["ImageId"]}
    same("or", _found(w, name=["alpha", "beta", "gamma"]), ids)
    same("and", _found(w, name=["alpha", "beta"], architecture=["arm64"]), {second["ImageId"]})
    same("none", _found(w, name=["alpha"], architecture=["arm64"]), set())


@behaviour("2.8", "in a value * stands for any text and ? for one character")
def wildcards(w):
    first, second = _pair(w)
    ids = {first["ImageId"], second["ImageId"]}
    same("*a", _found(w, name=["*a"]), ids)
    same("al*", _found(w, name=["al*"]), {first["ImageId"]})
    same("????", _found(w, name=["????"]), {second["ImageId"]})
    same("b?ta", _found(w, name=["b?ta"]), {second["ImageId"]})
    same("b?a", _found(w, name=["b?a"]), set())
    same("part of a name", _found(w, name=["alph"]), set())


@behaviour("2.8", "values are told apart by case")
def case(w):
    w.registered(Name="Alpha")
    same("alpha", _found(w, name=["alpha"]), set())
    same("Alpha", len(_found(w, name=["Alpha"])), 1)


@behaviour("2.8", "200 values are accepted, 201 are FilterLimitExceeded")
def too_many(w):
    made = w.registered(Name="alpha")["ImageId"]
    values = [f"name-{number}" for number in range(VALUES_MAX - 1)]
    same("200", _found(w, name=values + ["alpha"]), {made})
    refused("FilterLimitExceeded", w.ec2.describe_images, Owners=["self"],
            Filters=[{"Name": "name", "Values": values + ["alpha", "omega"]}])


@behaviour("3", "a filter that does not exist is refused, not ignored")
def unknown(w):
    for call in (w.ec2.describe_images, w.ec2.describe_snapshots, w.ec2.describe_instances):
        refused(("InvalidParameterValue", "InvalidParameter"), call,
                Filters=[{"Name": "colour", "Values": ["red"]}])


def _snapshot_pair(w):
    """A small plain snapshot, and a larger encrypted one, still pending, of another day."""
    first = w.completed_snapshot(size=2, tags={"team": "red"})
    w.advance(24 * 3600)
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=300, Encrypted=True,
                               KmsKeyId=w.key())["VolumeId"]
    w.wait_volume(made)
    w.ec2.create_snapshot(VolumeId=made, Description="the second",
                          TagSpecifications=tag_spec("snapshot", {"crew": "blue"}))
    return first


SNAPSHOT_FILTERS = [
    ("encrypted", "false"),
    ("progress", "100%"),
    ("snapshot-id", lambda s: s["SnapshotId"]),
    ("start-time", lambda s: s["StartTime"].strftime("%Y-%m-%dT*")),
    ("status", "completed"),
    ("tag:team", "red"),
    ("tag-key", "team"),
    ("volume-id", lambda s: s["VolumeId"]),
    ("volume-size", "2"),
]


def _declare_snapshot_filter(name, value):
    @behaviour("2.8", f"DescribeSnapshots filters by {name}")
    def ask(w):
        first = _snapshot_pair(w)
        text = value if isinstance(value, str) else value(first)
        found = w.ec2.describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": name, "Values": [text]}])["Snapshots"]
        same("found", [s["SnapshotId"] for s in found], [first["SnapshotId"]])


for _name, _value in SNAPSHOT_FILTERS:
    _declare_snapshot_filter(_name, _value)


@behaviour("2.8", "DescribeSnapshots filters by description with wildcards")
def snapshot_description(w):
    machine = w.launch()["InstanceId"]
    made = w.imaged(machine)
    w.completed_snapshot()
    found = w.ec2.describe_snapshots(OwnerIds=["self"], Filters=[
        {"Name": "description", "Values": [f"Created by CreateImage({machine}) for *"]}])
    same("found", [s["SnapshotId"] for s in found["Snapshots"]], snapshots_of(made))


@behaviour("2.8", "DescribeSnapshots filters by owner-id and storage-tier")
def snapshot_owner(w):
    mine = w.completed_snapshot()["SnapshotId"]
    for name, value in [("owner-id", w.account), ("storage-tier", "standard")]:
        found = w.ec2.describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": name, "Values": [value]}])["Snapshots"]
        same(f"by {name}", [s["SnapshotId"] for s in found], [mine])
    found = w.ec2.describe_snapshots(
        OwnerIds=["self"], Filters=[{"Name": "storage-tier", "Values": ["archive"]}])["Snapshots"]
    same("archived", found, [])


@behaviour("2.8", "DescribeInstances filters by state name, tag, image and id")
def instances(w):
    halted = w.stopped_machine(TagSpecifications=tag_spec("instance", {"role": "web"}))
    running = w.launch()["InstanceId"]
    for name, value, wanted in [
        ("instance-state-name", "running", {running}),
        ("instance-state-name", "stopped", {halted["InstanceId"]}),
        ("tag:role", "web", {halted["InstanceId"]}),
        ("tag-key", "role", {halted["InstanceId"]}),
        ("instance-id", running, {running}),
        ("image-id", halted["ImageId"], {running, halted["InstanceId"]}),
    ]:
        found = w.ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])
        same(f"{name}={value}",
             {i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]}, wanted)


@behaviour("2.8", "a tag filter matches the value of its own key only")
def tag_value(w):
    w.registered(TagSpecifications=tag_spec("image", {"team": "red", "crew": "blue"}))
    same("found", _by(w, [{"Name": "tag:team", "Values": ["blue"]}]), set())
    true("not found", _by(w, [{"Name": "tag:crew", "Values": ["bl*"]}]))
