"""Volumes: made, from snapshots, attached, encrypted, deleted."""

from ..registry import behaviour
from ..world import HOME, data_volumes, instance, one, refused, same, snapshot, tag_spec, tags_of
from ..world import true, volume

ZONE = HOME + "a"
UNKNOWN = "vol-0123456789abcdef0"


def _new(w, **request):
    made = w.ec2.create_volume(**({"AvailabilityZone": ZONE, "Size": 1} | request))
    return w.wait_volume(made["VolumeId"])


@behaviour("2.8", "a new volume answers creating and becomes available as it was asked for")
def created(w):
    made = w.ec2.create_volume(AvailabilityZone=ZONE, Size=12, VolumeType="gp3", Iops=4000,
                               Throughput=200)
    same("the state in the answer", made["State"], "creating")
    described = w.wait_volume(made["VolumeId"])
    same("what was asked for",
         [described[k] for k in ("Size", "VolumeType", "Iops", "Throughput", "AvailabilityZone")],
         [12, "gp3", 4000, 200, ZONE])
    same("encrypted", described["Encrypted"], False)


@behaviour("2.2", "a volume of a snapshot has its size and names it")
def restored(w):
    taken = w.completed_snapshot(size=7)
    made = w.ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=taken["SnapshotId"])
    described = w.wait_volume(made["VolumeId"])
    same("the snapshot", described["SnapshotId"], taken["SnapshotId"])
    same("the size", described["Size"], 7)


@behaviour("2.3", "a volume of a pending snapshot is IncorrectState and says so")
def from_pending(w):
    source = _new(w, Size=100)["VolumeId"]
    taken = w.ec2.create_snapshot(VolumeId=source)["SnapshotId"]
    refused("IncorrectState", w.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=taken,
            says="Snapshot is in invalid state - pending")


@behaviour("3", "a volume of an unknown snapshot is InvalidSnapshot.NotFound")
def from_unknown(w):
    refused("InvalidSnapshot.NotFound", w.ec2.create_volume, AvailabilityZone=ZONE,
            SnapshotId="snap-0123456789abcdef0")


@behaviour("2.3", "a volume smaller than its snapshot is refused")
def too_small(w):
    taken = w.completed_snapshot(size=7)["SnapshotId"]
    refused(None, w.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=taken, Size=6)


@behaviour("6.3", "an attached volume is in-use, and both sides show the attachment")
def attached(w):
    machine = w.launch()
    made = _new(w, AvailabilityZone=machine["Placement"]["AvailabilityZone"])["VolumeId"]
    w.ec2.attach_volume(VolumeId=made, InstanceId=machine["InstanceId"], Device="/dev/sdg")
    described = w.wait_volume(made, "in-use")
    attachment = one(described["Attachments"])
    same("the attachment", [attachment[k] for k in ("VolumeId", "InstanceId", "Device")],
         [made, machine["InstanceId"], "/dev/sdg"])
    same("the delete flag", attachment["DeleteOnTermination"], False)
    mappings = instance(w.ec2, machine["InstanceId"])["BlockDeviceMappings"]
    same("the mapping", [m["Ebs"]["VolumeId"] for m in mappings if m["DeviceName"] == "/dev/sdg"],
         [made])


@behaviour("3", "a volume of another zone cannot be attached: InvalidVolume.ZoneMismatch")
def zone_mismatch(w):
    machine = w.launch()
    other = "b" if machine["Placement"]["AvailabilityZone"].endswith("a") else "a"
    made = _new(w, AvailabilityZone=HOME + other)["VolumeId"]
    refused("InvalidVolume.ZoneMismatch", w.ec2.attach_volume, VolumeId=made,
            InstanceId=machine["InstanceId"], Device="/dev/sdg")


@behaviour("6.3", "a detached volume is available again and gone from its machine")
def detached(w):
    machine = w.launch(volumes=[2])
    data = data_volumes(machine)[0]
    w.ec2.detach_volume(VolumeId=data)
    same("attachments", w.wait_volume(data)["Attachments"], [])
    same("what the machine has left", data_volumes(instance(w.ec2, machine["InstanceId"])), [])


@behaviour("3", "a deleted volume is InvalidVolume.NotFound")
def deleted(w):
    made = _new(w)["VolumeId"]
    w.ec2.delete_volume(VolumeId=made)
    w.advance(300)
    refused("InvalidVolume.NotFound", w.ec2.describe_volumes, VolumeIds=[made])
    refused("InvalidVolume.NotFound", w.ec2.create_snapshot, VolumeId=made)


@behaviour("3", "an unknown volume is InvalidVolume.NotFound")
def unknown(w):
    refused("InvalidVolume.NotFound", w.ec2.describe_volumes, VolumeIds=[UNKNOWN], says=UNKNOWN)
    refused("InvalidVolume.NotFound", w.ec2.delete_volume, VolumeId=UNKNOWN)


@behaviour("2.8", "a volume in use cannot be deleted and stays as it is")
def delete_in_use(w):
    machine = w.launch(volumes=[2])
    data = data_volumes(machine)[0]
    refused(None, w.ec2.delete_volume, VolumeId=data)
    same("the state", volume(w.ec2, data)["State"], "in-use")


@behaviour("2.4", "an encrypted volume names its key, and its snapshot has the same key")
def encrypted(w):
    key = w.key()
    made = _new(w, Encrypted=True, KmsKeyId=key)
    same("the key of the volume", (made["Encrypted"], made["KmsKeyId"]), (True, key))
    taken = w.ec2.create_snapshot(VolumeId=made["VolumeId"])["SnapshotId"]
    described = w.wait_snapshot(taken)
    same("the key of the snapshot", (described["Encrypted"], described["KmsKeyId"]), (True, key))


@behaviour("2.4", "a volume of an encrypted snapshot is encrypted without being asked")
def stays_encrypted(w):
    taken = w.completed_snapshot(Encrypted=True, KmsKeyId=w.key())
    made = w.ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=taken["SnapshotId"])
    described = w.wait_volume(made["VolumeId"])
    same("encrypted", described["Encrypted"], True)
    same("the key", described["KmsKeyId"], taken["KmsKeyId"])


@behaviour("2.9", "CreateVolume with the same token makes one volume")
def token(w):
    request = {"AvailabilityZone": ZONE, "Size": 3, "ClientToken": "volume-once"}
    first = w.ec2.create_volume(**request)["VolumeId"]
    same("the second answer", w.ec2.create_volume(**request)["VolumeId"], first)
    same("volumes", [v["VolumeId"] for v in w.ec2.describe_volumes()["Volumes"]], [first])
    refused("IdempotentParameterMismatch", w.ec2.create_volume, **(request | {"Size": 4}))


@behaviour("6.2", "a volume may be tagged as it is made")
def tagged(w):
    made = w.ec2.create_volume(AvailabilityZone=ZONE, Size=1,
                               TagSpecifications=tag_spec("volume", {"a": "1", "b": ""}))
    same("tags in the answer", tags_of(made), {"a": "1", "b": ""})
    same("tags described", tags_of(w.wait_volume(made["VolumeId"])), {"a": "1", "b": ""})


@behaviour("2.2", "a snapshot outlives its volume")
def outlives(w):
    taken = w.completed_snapshot(size=2)
    w.ec2.delete_volume(VolumeId=taken["VolumeId"])
    w.advance(300)
    described = snapshot(w.ec2, taken["SnapshotId"])
    same("the volume it names", described["VolumeId"], taken["VolumeId"])
    true("not completed", described["State"] == "completed")
