"""RegisterImage: dangerous defaults, what a mapping may say, and what is carried."""

from ..registry import behaviour
from ..world import (
    FIREWALL, image, one, refused, root_volume, same, snapshot, snapshots_of, tag_spec, tags_of,
    true,
)


def _request(snapshot_id, **more):
    request = {
        "Name": "image-of-disks",
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}],
    }
    return request | more


def _mapping(snapshot_id, **ebs):
    return [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id} | ebs}]


@behaviour("2.3", "without parameters an image is i386 and paravirtual")
def defaults(w):
    taken = w.completed_snapshot()["SnapshotId"]
    made = w.ec2.register_image(Name="defaults", RootDeviceName="/dev/sda1", BlockDeviceMappings=[
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": taken}}])["ImageId"]
    described = image(w.ec2, made)
    same("the defaults", (described["Architecture"], described["VirtualizationType"]),
         ("i386", "paravirtual"))


@behaviour("2.3", "what is said is carried: ENA, SR-IOV, boot mode, IMDS, volume type and speed")
def carried(w):
    taken = w.completed_snapshot(size=3)["SnapshotId"]
    ebs = {"VolumeSize": 6, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250,
           "DeleteOnTermination": False}
    request = _request(taken, BlockDeviceMappings=_mapping(taken, **ebs), EnaSupport=True,
                       SriovNetSupport="simple", BootMode="uefi-preferred", ImdsSupport="v2.0",
                       Description="carried")
    described = w.wait_image(w.ec2.register_image(**request)["ImageId"])
    wanted = {"EnaSupport": True, "SriovNetSupport": "simple", "BootMode": "uefi-preferred",
              "ImdsSupport": "v2.0", "Description": "carried", "Architecture": "x86_64",
              "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda"}
    same("the image", {k: described.get(k) for k in wanted}, wanted)
    mapped = one(described["BlockDeviceMappings"])["Ebs"]
    same("the mapping", {k: mapped.get(k) for k in ebs}, ebs)


@behaviour("2.3", "Encrypted in a mapping with a snapshot is refused, whatever its value")
def encrypted(w):
    taken = w.completed_snapshot()["SnapshotId"]
    for value in (True, False):
        refused(None, w.ec2.register_image,
                **_request(taken, BlockDeviceMappings=_mapping(taken, Encrypted=value)))


@behaviour("2.3", "KmsKeyId in a mapping is refused")
def key(w):
    taken = w.completed_snapshot()["SnapshotId"]
    mapping = _mapping(taken, KmsKeyId=w.key())
    refused(None, w.ec2.register_image, **_request(taken, BlockDeviceMappings=mapping))


@behaviour("2.3", "a mapping smaller than its snapshot is refused")
def too_small(w):
    taken = w.completed_snapshot(size=7)["SnapshotId"]
    mapping = _mapping(taken, VolumeSize=6)
    refused(("InvalidBlockDeviceMapping", "InvalidParameterValue"), w.ec2.register_image,
            **_request(taken, BlockDeviceMappings=mapping))


@behaviour("2.3", "a volume larger than its snapshot is accepted")
def larger(w):
    described = w.registered(w.completed_snapshot(size=7)["SnapshotId"],
                             mapping={"VolumeSize": 20})
    same("the size", one(described["BlockDeviceMappings"])["Ebs"]["VolumeSize"], 20)


@behaviour("2.3", "the size defaults to that of the snapshot")
def default_size(w):
    described = w.registered(w.completed_snapshot(size=7)["SnapshotId"])
    same("the size", one(described["BlockDeviceMappings"])["Ebs"]["VolumeSize"], 7)


@behaviour("2.3", "the root device must be one of the devices mapped")
def root_not_mapped(w):
    taken = w.completed_snapshot()["SnapshotId"]
    refused(None, w.ec2.register_image, **_request(taken, RootDeviceName="/dev/sda1"))


@behaviour("2.3", "an unknown snapshot is InvalidSnapshot.NotFound")
def unknown(w):
    refused("InvalidSnapshot.NotFound", w.ec2.register_image, **_request("snap-0123456789abcdef0"))


@behaviour("2.3", "a snapshot of another region is not found")
def other_region(w):
    taken = w.completed_snapshot(ec2=w.away)["SnapshotId"]
    refused("InvalidSnapshot.NotFound", w.ec2.register_image, **_request(taken))


@behaviour("2.3", "a TPM requires uefi, and does not go with uefi-preferred")
def tpm(w):
    taken = w.completed_snapshot()["SnapshotId"]
    for mode in ({}, {"BootMode": "legacy-bios"}, {"BootMode": "uefi-preferred"}):
        refused(None, w.ec2.register_image, **_request(taken, TpmSupport="v2.0", **mode))
    described = w.registered(taken, TpmSupport="v2.0", BootMode="uefi")
    same("the TPM", described["TpmSupport"], "v2.0")


@behaviour("2.3", "ENA can only be set for hvm")
def ena(w):
    taken = w.completed_snapshot()["SnapshotId"]
    refused(None, w.ec2.register_image,
            **_request(taken, VirtualizationType="paravirtual", EnaSupport=True))


@behaviour("2.3", "UEFI data is kept and read back with DescribeImageAttribute")
def uefi_data(w):
    data = "QU1aTlVFRkkAAAAA"
    made = w.registered(BootMode="uefi", UefiData=data)["ImageId"]
    answer = w.ec2.describe_image_attribute(ImageId=made, Attribute="uefiData")
    same("the data", answer["UefiData"]["Value"], data)


@behaviour("2.3", "an Arm image is registered as arm64")
def arm(w):
    same("the architecture", w.registered(Architecture="arm64")["Architecture"], "arm64")


@behaviour("2.3", "a registered image has no source instance and no source image")
def no_source(w):
    made = w.imaged(w.launch()["InstanceId"])
    described = w.registered(one(snapshots_of(made)))
    true("it names a source", not described.get("SourceInstanceId")
         and not described.get("SourceImageId"))


@behaviour("2.3", "the image may be tagged, its snapshots may not")
def tags(w):
    taken = w.completed_snapshot()["SnapshotId"]
    refused(None, w.ec2.register_image,
            **_request(taken, TagSpecifications=tag_spec("snapshot", {"a": "1"})))
    described = w.registered(taken, TagSpecifications=tag_spec("image", {"a": "1"}))
    same("the tags", tags_of(described), {"a": "1"})
    same("tags of the snapshot", tags_of(snapshot(w.ec2, taken)), {})


@behaviour("3", "RegisterImage with a name in use is InvalidAMIName.Duplicate")
def duplicate(w):
    taken = w.completed_snapshot()["SnapshotId"]
    first = w.registered(taken, Name="taken")["ImageId"]
    refused("InvalidAMIName.Duplicate", w.ec2.register_image, **_request(taken, Name="taken"),
            says=first)


@behaviour("2.6", "the snapshot of a registered image is in use by it")
def in_use(w):
    taken = w.completed_snapshot()["SnapshotId"]
    made = w.registered(taken)["ImageId"]
    refused("InvalidSnapshot.InUse", w.ec2.delete_snapshot, SnapshotId=taken, says=made)


@behaviour("2.3", "two images may stand on one snapshot")
def shared(w):
    taken = w.completed_snapshot()["SnapshotId"]
    first, second = w.registered(taken), w.registered(taken)
    same("snapshots", snapshots_of(first), snapshots_of(second))


@behaviour("2.3", "an image of an encrypted snapshot shows its mapping encrypted")
def encryption_of_snapshot(w):
    taken = w.completed_snapshot(Encrypted=True, KmsKeyId=w.key())["SnapshotId"]
    described = w.registered(taken)
    same("encrypted", one(described["BlockDeviceMappings"])["Ebs"]["Encrypted"], True)


@behaviour("2.3", "the Marketplace product code of a snapshot is on the image registered from it")
def product_code(w):
    source = w.public_image(FIREWALL, "aws-marketplace")
    machine = w.launch(image_id=source["ImageId"], InstanceType="m5.large")
    taken = w.ec2.create_snapshot(VolumeId=root_volume(machine))["SnapshotId"]
    w.wait_snapshot(taken)
    same("codes", w.registered(taken)["ProductCodes"], source["ProductCodes"])


@behaviour("2.3", "another account's snapshot needs its create-volume permission")
def permission(w):
    other = w.client("ec2", account=w.neighbour())
    taken = w.completed_snapshot(ec2=other)["SnapshotId"]
    refused(None, w.ec2.register_image, **_request(taken))
    other.modify_snapshot_attribute(SnapshotId=taken, Attribute="createVolumePermission",
                                    OperationType="add", UserIds=[w.account])
    made = w.registered(taken)
    same("the owner", made["OwnerId"], w.account)


@behaviour("2.3", "a machine launched from a registered image has its volume from the snapshot")
def launched(w):
    taken = w.completed_snapshot(size=9)["SnapshotId"]
    machine = w.launch(image_id=w.registered(taken)["ImageId"])
    found = w.ec2.describe_volumes(Filters=[
        {"Name": "attachment.instance-id", "Values": [machine["InstanceId"]]}])["Volumes"]
    same("the volume", (one(found)["SnapshotId"], one(found)["Size"]), (taken, 9))
