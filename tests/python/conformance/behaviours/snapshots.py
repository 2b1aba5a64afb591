"""CreateSnapshot, CreateSnapshots and DeleteSnapshot."""

from ..registry import behaviour
from ..world import (
    HOME, data_volumes, image, one, refused, root_volume, same, snapshot, snapshots_of, tag_list,
    tag_spec, tags_of, true,
)

UNKNOWN = "snap-0123456789abcdef0"
RATE = "SnapshotCreationPerVolumeRateExceeded"


def _volume(w, size=1, **more):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=size, **more)["VolumeId"]
    w.wait_volume(made)
    return made


def _set(w, machine, **specification):
    more = {k: specification.pop(k) for k in list(specification)
            if k in ("CopyTagsFromSource", "TagSpecifications", "Description")}
    spec = {"InstanceId": machine["InstanceId"]} | specification
    return w.ec2.create_snapshots(InstanceSpecification=spec, **more)["Snapshots"]


@behaviour("2.2", "CreateSnapshot answers pending, ends completed at 100%, and knows its volume")
def single(w):
    made = _volume(w, size=4)
    taken = w.ec2.create_snapshot(VolumeId=made, Description="by hand")
    same("the state in the answer", taken["State"], "pending")
    true(f"progress {taken['Progress']!r}", taken["Progress"] in ("", "0%"))
    done = w.wait_snapshot(taken["SnapshotId"])
    same("the end", [done[k] for k in ("Progress", "VolumeId", "VolumeSize", "OwnerId",
                                       "Description", "Encrypted")],
         ["100%", made, 4, w.account, "by hand", False])
    same("its start", done["StartTime"], taken["StartTime"])


@behaviour("2.2", "a second snapshot of a volume within 15 s is refused with the rate's sentence")
def rate(w):
    made = _volume(w)
    w.ec2.create_snapshot(VolumeId=made)
    w.advance(5)
    refused(RATE, w.ec2.create_snapshot, VolumeId=made,
            says="The maximum per volume CreateSnapshot request rate has been exceeded. "
                 "Use an increasing or variable sleep interval between requests.")


@behaviour("2.2", "16 s after the first a volume may be snapshotted again")
def rate_over(w):
    made = _volume(w)
    first = w.ec2.create_snapshot(VolumeId=made)["SnapshotId"]
    w.rest()
    second = w.ec2.create_snapshot(VolumeId=made)["SnapshotId"]
    true("the same snapshot twice", first != second)


@behaviour("2.2", "the rate is of a volume, not of the account")
def rate_per_volume(w):
    for _ in range(3):
        w.ec2.create_snapshot(VolumeId=_volume(w))


@behaviour("2.2", "the rate holds for CreateSnapshots too")
def rate_of_set(w):
    machine = w.launch()
    w.ec2.create_snapshot(VolumeId=root_volume(machine))
    refused(RATE, w.ec2.create_snapshots,
            InstanceSpecification={"InstanceId": machine["InstanceId"]})


@behaviour("2.2", "CreateSnapshots takes every volume at one start time, all pending")
def whole_set(w):
    machine = w.launch(volumes=[2, 3])
    taken = _set(w, machine, Description="together")
    same("the volumes", {s["VolumeId"] for s in taken},
         {root_volume(machine), *data_volumes(machine)})
    same("the states", {s["State"] for s in taken}, {"pending"})
    same("how many start times", len({s["StartTime"] for s in taken}), 1)
    for member in taken:
        done = w.wait_snapshot(member["SnapshotId"])
        same("the description", done["Description"], "together")
        same("the start time", done["StartTime"], taken[0]["StartTime"])


@behaviour("2.2", "ExcludeBootVolume leaves out the root volume")
def exclude_boot(w):
    machine = w.launch(volumes=[2])
    taken = _set(w, machine, ExcludeBootVolume=True)
    same("the volumes", [s["VolumeId"] for s in taken], data_volumes(machine))


@behaviour("2.2", "ExcludeDataVolumeIds leaves out the volumes it names")
def exclude_data(w):
    machine = w.launch(volumes=[2, 3])
    first, second = data_volumes(machine)
    taken = _set(w, machine, ExcludeDataVolumeIds=[first])
    same("the volumes", {s["VolumeId"] for s in taken}, {root_volume(machine), second})


@behaviour("2.2", "the root volume in ExcludeDataVolumeIds is refused")
def exclude_root_as_data(w):
    machine = w.launch(volumes=[2])
    spec = {"InstanceId": machine["InstanceId"], "ExcludeDataVolumeIds": [root_volume(machine)]}
    refused(None, w.ec2.create_snapshots, InstanceSpecification=spec)


@behaviour("2.2", "CopyTagsFromSource=volume gives each snapshot the tags of its own volume")
def copy_tags(w):
    machine = w.launch(volumes=[2])
    root, data = root_volume(machine), data_volumes(machine)[0]
    w.ec2.create_tags(Resources=[root], Tags=tag_list({"of": "root"}))
    w.ec2.create_tags(Resources=[data], Tags=tag_list({"of": "data"}))
    taken = _set(w, machine, CopyTagsFromSource="volume")
    same("the tags", {s["VolumeId"]: tags_of(s) for s in taken},
         {root: {"of": "root"}, data: {"of": "data"}})


@behaviour("2.2", "without CopyTagsFromSource the tags of volumes are not inherited")
def no_tags(w):
    machine = w.launch(TagSpecifications=tag_spec("volume", {"of": "volume"}))
    taken = one(_set(w, machine))
    same("the tags", tags_of(w.wait_snapshot(taken["SnapshotId"])), {})


@behaviour("2.2", "a tag specification tags every snapshot of a set, beside the copied tags")
def tagged_set(w):
    machine = w.launch(volumes=[2], TagSpecifications=tag_spec("volume", {"of": "volume"}))
    taken = _set(w, machine, CopyTagsFromSource="volume",
                 TagSpecifications=tag_spec("snapshot", {"plan": "daily"}))
    same("how many", len(taken), 2)
    for member in taken:
        same("the tags", tags_of(member), {"of": "volume", "plan": "daily"})
        described = snapshot(w.ec2, member["SnapshotId"])
        same("the tags described", tags_of(described), {"of": "volume", "plan": "daily"})


@behaviour("2.2", "CreateSnapshot tags on create")
def tagged_single(w):
    taken = w.ec2.create_snapshot(VolumeId=_volume(w),
                                  TagSpecifications=tag_spec("snapshot", {"plan": "daily"}))
    same("the answer", tags_of(taken), {"plan": "daily"})
    same("described", tags_of(snapshot(w.ec2, taken["SnapshotId"])), {"plan": "daily"})


@behaviour("2.2", "a machine without attached volumes cannot be snapshotted, and AWS says why")
def no_volumes(w):
    machine = w.stopped_machine()
    w.ec2.detach_volume(VolumeId=root_volume(machine))
    w.wait_volume(root_volume(machine))
    ident = machine["InstanceId"]
    refused("InvalidParameterValue", w.ec2.create_snapshots,
            InstanceSpecification={"InstanceId": ident},
            says=f"There are no attached EBS-backed volumes on the instance id ({ident})")


@behaviour("2.2", "two calls make two sets: snapshots have no client token")
def no_token(w):
    machine = w.launch()
    first = one(_set(w, machine))["SnapshotId"]
    w.rest()
    second = one(_set(w, machine))["SnapshotId"]
    true("the same snapshot twice", first != second)
    found = w.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    same("the snapshots", {s["SnapshotId"] for s in found}, {first, second})


@behaviour("4", "a volume of type st1 has one snapshot at a time")
def concurrent(w):
    made = _volume(w, size=500, VolumeType="st1")
    w.ec2.create_snapshot(VolumeId=made)
    w.rest()
    refused("ConcurrentSnapshotLimitExceeded", w.ec2.create_snapshot, VolumeId=made)


@behaviour("2.2", "one pending member of a set may be deleted; only that one goes")
def delete_member(w):
    machine = w.launch(volumes=[2])
    first, second = (s["SnapshotId"] for s in _set(w, machine))
    w.ec2.delete_snapshot(SnapshotId=first)
    same("the other", w.wait_snapshot(second)["State"], "completed")


@behaviour("2.2", "a pending snapshot that was deleted is gone after its completion")
def delete_pending(w):
    taken = w.ec2.create_snapshot(VolumeId=_volume(w))["SnapshotId"]
    w.ec2.delete_snapshot(SnapshotId=taken)
    w.until("the end of the snapshot",
            lambda: w.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
            lambda found: found == [])


@behaviour("2.6", "a deleted snapshot is InvalidSnapshot.NotFound with AWS's sentence")
def gone(w):
    taken = w.completed_snapshot()["SnapshotId"]
    w.ec2.delete_snapshot(SnapshotId=taken)
    says = f"The snapshot '{taken}' does not exist."
    refused("InvalidSnapshot.NotFound", w.ec2.delete_snapshot, SnapshotId=taken, says=says)
    refused("InvalidSnapshot.NotFound", w.ec2.describe_snapshots, SnapshotIds=[taken], says=says)


@behaviour("3", "an unknown snapshot is NotFound, and an id that is none is Malformed")
def unknown(w):
    refused("InvalidSnapshot.NotFound", w.ec2.delete_snapshot, SnapshotId=UNKNOWN)
    refused("InvalidSnapshotID.Malformed", w.ec2.delete_snapshot, SnapshotId="disk-1")
    refused("InvalidSnapshotID.Malformed", w.ec2.describe_snapshots, SnapshotIds=["disk-1"])


@behaviour("2.6", "a snapshot behind an image is InvalidSnapshot.InUse, naming snapshot and image")
def in_use(w):
    made = w.imaged(w.launch()["InstanceId"])
    backing = one(snapshots_of(made))
    refused("InvalidSnapshot.InUse", w.ec2.delete_snapshot, SnapshotId=backing,
            says=f"The snapshot {backing} is currently in use by {made['ImageId']}")
    same("it is still there", snapshot(w.ec2, backing)["SnapshotId"], backing)


@behaviour("2.6", "a snapshot behind a disabled or deprecated image is in use as well")
def in_use_disabled(w):
    made = w.imaged(w.launch()["InstanceId"])
    w.ec2.disable_image(ImageId=made["ImageId"])
    same("the state", image(w.ec2, made["ImageId"])["State"], "disabled")
    refused("InvalidSnapshot.InUse", w.ec2.delete_snapshot, SnapshotId=one(snapshots_of(made)))


@behaviour("2.6", "after deregistration the snapshot can be deleted, at the latest some time later")
def freed(w):
    made = w.imaged(w.launch()["InstanceId"])
    w.ec2.deregister_image(ImageId=made["ImageId"])
    w.advance(1800)
    w.ec2.delete_snapshot(SnapshotId=one(snapshots_of(made)))
    same("what is left", w.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"], [])


@behaviour("2.8", "Owner self lists an account's own snapshots only")
def own(w):
    mine = w.completed_snapshot()["SnapshotId"]
    other = w.client("ec2", account=w.neighbour())
    theirs = w.completed_snapshot(ec2=other)["SnapshotId"]
    for client, wanted in [(w.ec2, mine), (other, theirs)]:
        found = client.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        same("own snapshots", [s["SnapshotId"] for s in found], [wanted])


@behaviour("2.8", "RestorableBy self shows what others shared, and not what they keep")
def restorable(w):
    neighbour = w.neighbour()
    other = w.client("ec2", account=neighbour)
    shared = w.completed_snapshot(ec2=other)["SnapshotId"]
    kept = w.completed_snapshot(ec2=other)["SnapshotId"]
    other.modify_snapshot_attribute(SnapshotId=shared, Attribute="createVolumePermission",
                                    OperationType="add", UserIds=[w.account])
    found = w.ec2.describe_snapshots(RestorableByUserIds=["self"], OwnerIds=[neighbour])
    same("restorable", [s["SnapshotId"] for s in found["Snapshots"]], [shared])
    true("kept is listed", kept not in [s["SnapshotId"] for s in found["Snapshots"]])


@behaviour("2.8", "another account's private snapshot is silently left out of a description by id")
def inaccessible(w):
    mine = w.completed_snapshot()["SnapshotId"]
    theirs = w.completed_snapshot(ec2=w.client("ec2", account=w.neighbour()))["SnapshotId"]
    found = w.ec2.describe_snapshots(SnapshotIds=[mine, theirs])["Snapshots"]
    same("described", [s["SnapshotId"] for s in found], [mine])


@behaviour("3", "CreateSnapshots of an unknown machine is InvalidInstanceID.NotFound")
def unknown_machine(w):
    refused("InvalidInstanceID.NotFound", w.ec2.create_snapshots,
            InstanceSpecification={"InstanceId": "i-0123456789abcdef0"})
