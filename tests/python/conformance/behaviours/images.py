"""CreateImage: from which states, with which names, which volumes, and what the image knows."""

import re

from ..registry import behaviour
from ..world import (
    FIREWALL, RHEL, SUSE, WINDOWS, WINDOWS_TPM, data_volumes, image, instance, one, refused,
    root_volume, same, snapshot, snapshots_of, tag_spec, tags_of, true, volume,
)

EVERY_CHARACTER = "aZ09 ()[].-/'@_"
NAME_LENGTH_MAX = 128


def _wrong_state(instance_id):
    return (f"Invalid value '{instance_id}' for instanceId. Instance is not in state "
            "'running' or 'stopping' or 'stopped'")


def _image(w, machine, **more):
    request = {"InstanceId": machine["InstanceId"], "Name": w.name("made"), "NoReboot": True}
    return w.ec2.create_image(**(request | more))["ImageId"]


@behaviour("2.1", "an image of a running machine is pending at once and available later")
def of_running(w):
    made = _image(w, w.launch())
    same("the state at once", image(w.ec2, made)["State"], "pending")
    same("the state later", w.wait_image(made)["State"], "available")


@behaviour("2.1", "a stopped machine can be imaged, and stays stopped")
def of_stopped(w):
    machine = w.stopped_machine()
    w.wait_image(_image(w, machine, NoReboot=False))
    same("the machine", instance(w.ec2, machine["InstanceId"])["State"]["Name"], "stopped")


@behaviour("2.1", "a stopping machine can be imaged")
def of_stopping(w):
    machine = w.launch()
    w.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    same("the machine", instance(w.ec2, machine["InstanceId"])["State"]["Name"], "stopping")
    w.wait_image(_image(w, machine))


@behaviour("2.1", "a pending machine is InvalidParameterValue with the sentence of the states")
def of_pending(w):
    machine = w.launch(wait=False)
    refused("InvalidParameterValue", w.ec2.create_image, InstanceId=machine["InstanceId"],
            Name="too-early", says=_wrong_state(machine["InstanceId"]))


@behaviour("2.1", "a terminated machine is InvalidParameterValue with the sentence of the states")
def of_terminated(w):
    machine = w.launch()["InstanceId"]
    w.ec2.terminate_instances(InstanceIds=[machine])
    w.wait_instance(machine, "terminated")
    refused("InvalidParameterValue", w.ec2.create_image, InstanceId=machine, Name="too-late",
            says=_wrong_state(machine))


@behaviour("2.1", "a name in use is InvalidAMIName.Duplicate and the message names the owner image")
def duplicate(w):
    machine = w.launch()
    first = _image(w, machine, Name="taken")
    w.rest()
    refused("InvalidAMIName.Duplicate", w.ec2.create_image, InstanceId=machine["InstanceId"],
            Name="taken", says=f"AMI name taken is already in use by AMI {first}")


@behaviour("2.1", "the same name is free in another account and in another region")
def duplicate_elsewhere(w):
    source = w.completed_snapshot()["SnapshotId"]
    w.registered(source, Name="shared-name")
    w.registered(ec2=w.away, Name="shared-name")
    w.registered(ec2=w.client("ec2", account=w.neighbour()), Name="shared-name")


@behaviour("2.1", "the name of a deregistered image may be used again")
def name_again(w):
    """UNVERIFIED in the specification; freed at once is the likely default."""
    source = w.completed_snapshot()["SnapshotId"]
    first = w.registered(source, Name="again")["ImageId"]
    w.ec2.deregister_image(ImageId=first)
    w.advance(600)
    true("the same image", w.registered(source, Name="again")["ImageId"] != first)


@behaviour("2.1", "a name of 128 characters with every allowed sign is kept as it is")
def longest_name(w):
    name = (EVERY_CHARACTER * 9)[:NAME_LENGTH_MAX]
    made = _image(w, w.launch(), Name=name)
    same("the name", image(w.ec2, made)["Name"], name)


@behaviour("2.1", "names of 2 and of 129 characters are refused by the service")
def name_length(w):
    careless = w.client("ec2", validate=False)
    machine = w.launch()["InstanceId"]
    codes = ("InvalidAMIName.Malformed", "InvalidParameterValue")
    refused(codes, careless.create_image, InstanceId=machine, Name="ab")
    refused(codes, careless.create_image, InstanceId=machine, Name="a" * (NAME_LENGTH_MAX + 1))
    same("images", w.ec2.describe_images(Owners=["self"])["Images"], [])


@behaviour("2.1", "a name with a sign outside the list is InvalidAMIName.Malformed")
def name_signs(w):
    machine = w.launch()["InstanceId"]
    for sign in "*:#$é":
        refused("InvalidAMIName.Malformed", w.ec2.create_image, InstanceId=machine,
                Name=f"name{sign}name")


@behaviour("2.1", "a description of 256 characters is refused, of 255 kept")
def description(w):
    machine = w.launch()
    refused(None, w.ec2.create_image, InstanceId=machine["InstanceId"], Name="long-words",
            Description="d" * 256)
    made = _image(w, machine, Description="d" * 255)
    same("the description", image(w.ec2, made)["Description"], "d" * 255)


@behaviour("2.1", "NoReboot leaves the machine running, with its LaunchTime")
def no_reboot(w):
    machine = w.launch()
    made = _image(w, machine, NoReboot=True)
    during = instance(w.ec2, machine["InstanceId"])
    same("the machine during", during["State"]["Name"], "running")
    w.wait_image(made)
    same("LaunchTime", instance(w.ec2, machine["InstanceId"])["LaunchTime"],
         machine["LaunchTime"])


@behaviour("2.1", "without NoReboot the machine is running again in the end")
def reboot(w):
    machine = w.launch()
    w.wait_image(w.ec2.create_image(InstanceId=machine["InstanceId"], Name="quiet")["ImageId"])
    w.wait_instance(machine["InstanceId"], "running")


@behaviour("2.1", "every attached volume is in the mapping, with device, size and snapshot")
def every_volume(w):
    machine = w.launch(volumes=[2, 3])
    made = w.wait_image(_image(w, machine))
    wanted = {machine["RootDeviceName"]: volume(w.ec2, root_volume(machine))["Size"],
              "/dev/sdf": 2, "/dev/sdg": 3}
    mappings = made["BlockDeviceMappings"]
    same("sizes", {m["DeviceName"]: m["Ebs"]["VolumeSize"] for m in mappings}, wanted)
    sources = {root_volume(machine), *data_volumes(machine)}
    taken = [snapshot(w.ec2, m["Ebs"]["SnapshotId"]) for m in mappings]
    same("volumes behind the snapshots", {s["VolumeId"] for s in taken}, sources)


@behaviour("2.1", "a mapping with NoDevice leaves the volume out")
def no_device(w):
    machine = w.launch(volumes=[2, 3])
    mapping = [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    made = w.wait_image(_image(w, machine, BlockDeviceMappings=mapping))
    same("devices", {m["DeviceName"] for m in made["BlockDeviceMappings"]},
         {machine["RootDeviceName"], "/dev/sdg"})


@behaviour("2.1", "a mapping may change DeleteOnTermination of an attached volume")
def delete_flag(w):
    machine = w.launch(volumes=[2])
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}}]
    made = w.wait_image(_image(w, machine, BlockDeviceMappings=mapping))
    flags = {m["DeviceName"]: m["Ebs"]["DeleteOnTermination"] for m in made["BlockDeviceMappings"]}
    same("flags", flags, {machine["RootDeviceName"]: True, "/dev/sdf": False})


@behaviour("2.1", "a mapping may not change the size of an attached volume")
def resize(w):
    machine = w.launch(volumes=[2])
    refused(None, w.ec2.create_image, InstanceId=machine["InstanceId"], Name="bigger",
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9}}])


@behaviour("2.3", "a mapping may not encrypt an attached unencrypted volume")
def encrypt_existing(w):
    machine = w.launch(volumes=[2])
    refused(None, w.ec2.create_image, InstanceId=machine["InstanceId"], Name="secret",
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True}}])


@behaviour("2.1", "a mapping may add a new empty volume, which has no snapshot")
def add_empty(w):
    machine = w.launch()
    mapping = [{"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3"}}]
    made = w.wait_image(_image(w, machine, BlockDeviceMappings=mapping))
    added = one(m for m in made["BlockDeviceMappings"] if m["DeviceName"] == "/dev/sdh")
    same("its size", added["Ebs"]["VolumeSize"], 5)
    true("it has a snapshot", not added["Ebs"].get("SnapshotId"))


@behaviour("2.3", "a new empty volume of an image may be encrypted or not")
def empty_encrypted(w):
    machine = w.launch()
    mapping = [{"DeviceName": f"/dev/sd{letter}", "Ebs": {
        "VolumeSize": 5, "VolumeType": "gp3", "Encrypted": secret}}
        for letter, secret in (("h", True), ("i", False))]
    made = w.wait_image(_image(w, machine, BlockDeviceMappings=mapping))
    shown = {m["DeviceName"]: m["Ebs"]["Encrypted"] for m in made["BlockDeviceMappings"]}
    same("encrypted", (shown["/dev/sdh"], shown["/dev/sdi"]), (True, False))


@behaviour("2.3", "an encrypted volume stays encrypted in the image, whatever the mapping says")
def ignores_false(w):
    machine = w.launch(BlockDeviceMappings=[
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2, "Encrypted": True}}])
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": False}}]
    made = w.wait_image(_image(w, machine, BlockDeviceMappings=mapping))
    shown = one(m for m in made["BlockDeviceMappings"] if m["DeviceName"] == "/dev/sdf")
    same("encrypted", shown["Ebs"]["Encrypted"], True)
    same("the snapshot", snapshot(w.ec2, shown["Ebs"]["SnapshotId"])["Encrypted"], True)


@behaviour("2.1", "a machine that is shutting down cannot be imaged")
def of_shutting_down(w):
    machine = w.launch()["InstanceId"]
    w.ec2.terminate_instances(InstanceIds=[machine])
    refused("InvalidParameterValue", w.ec2.create_image, InstanceId=machine, Name="closing",
            says=_wrong_state(machine))


@behaviour("2.1", "tag specifications tag the image, and all its snapshots alike")
def tagged(w):
    specs = tag_spec("image", {"kind": "image"}) + tag_spec("snapshot", {"kind": "disk"})
    made = w.wait_image(_image(w, w.launch(volumes=[2]), TagSpecifications=specs))
    same("the image", tags_of(made), {"kind": "image"})
    for backing in snapshots_of(made):
        same("a snapshot", tags_of(snapshot(w.ec2, backing)), {"kind": "disk"})


@behaviour("2.1", "tags of machine and volumes are not inherited")
def no_tags(w):
    specs = tag_spec("instance", {"a": "1"}) + tag_spec("volume", {"b": "2"})
    made = w.wait_image(_image(w, w.launch(TagSpecifications=specs)))
    same("the image", tags_of(made), {})
    same("the snapshot", tags_of(snapshot(w.ec2, one(snapshots_of(made)))), {})


@behaviour("2.1", "the image names its machine, and source-instance-id finds it")
def source_instance(w):
    machine = w.launch()
    made = w.wait_image(_image(w, machine))
    same("the machine", made["SourceInstanceId"], machine["InstanceId"])
    found = w.ec2.describe_images(
        Filters=[{"Name": "source-instance-id", "Values": [machine["InstanceId"]]}])["Images"]
    same("found", [i["ImageId"] for i in found], [made["ImageId"]])


@behaviour("2.1", "a backing snapshot is described as Created by CreateImage(i-...) for ami-...")
def backing_description(w):
    machine = w.launch()
    made = w.wait_image(_image(w, machine))
    text = snapshot(w.ec2, one(snapshots_of(made)))["Description"]
    wanted = f"Created by CreateImage({machine['InstanceId']}) for {made['ImageId']}"
    true(f"the description is {text!r}", text.startswith(wanted))


@behaviour("2.1", "the snapshots of encrypted volumes are encrypted with the volume's key")
def encrypted(w):
    key = w.key()
    made = w.wait_image(_image(w, w.launch(root={"Encrypted": True, "KmsKeyId": key})))
    backing = snapshot(w.ec2, one(snapshots_of(made)))
    same("the snapshot", (backing["Encrypted"], backing["KmsKeyId"]), (True, key))
    same("the mapping", made["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], True)


@behaviour("2.1", "what an image is: owner, private, EBS root, architecture, dates with millis")
def facts(w):
    source = w.public_image()
    made = w.wait_image(_image(w, w.launch()))
    same("owner and openness", (made["OwnerId"], made["Public"]), (w.account, False))
    same("the root", (made["RootDeviceType"], made["RootDeviceName"]),
         ("ebs", source["RootDeviceName"]))
    for field in ("Architecture", "VirtualizationType", "EnaSupport"):
        same(field, made[field], source[field])
    true("CreationDate", re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                                      made["CreationDate"]))


def _billing(w, name, owner="amazon"):
    source = w.public_image(name, owner)
    made = w.wait_image(_image(w, w.launch(image_id=source["ImageId"], InstanceType="m5.large")))
    for field in ("PlatformDetails", "UsageOperation", "Platform", "ProductCodes", "BootMode",
                  "TpmSupport", "ImdsSupport"):
        same(field, made.get(field), source.get(field))
    return made


@behaviour("2.1", "an image of a Windows machine keeps the billing of Windows")
def windows(w):
    made = _billing(w, WINDOWS)
    same("billing", (made["UsageOperation"], made["PlatformDetails"]),
         ("RunInstances:0002", "Windows"))


@behaviour("2.1", "an image of a RHEL machine keeps the billing of RHEL")
def rhel(w):
    made = _billing(w, RHEL)
    same("billing", (made["UsageOperation"], made["PlatformDetails"]),
         ("RunInstances:0010", "Red Hat Enterprise Linux"))


@behaviour("2.1", "an image of a SUSE machine keeps the billing of SUSE")
def suse(w):
    made = _billing(w, SUSE)
    same("billing", (made["UsageOperation"], made["PlatformDetails"]),
         ("RunInstances:000g", "SUSE Linux"))


@behaviour("2.1", "an image of a Marketplace machine keeps the product code")
def marketplace(w):
    made = _billing(w, FIREWALL, "aws-marketplace")
    same("the type", one(made["ProductCodes"])["ProductCodeType"], "marketplace")


@behaviour("2.1", "an image of a uefi machine with NitroTPM keeps boot mode and TPM")
def uefi(w):
    made = _billing(w, WINDOWS_TPM)
    same("boot", (made["BootMode"], made["TpmSupport"]), ("uefi", "v2.0"))


@behaviour("2.1", "BootModeOverride uefi is refused for a machine that does not run in uefi")
def boot_mode_override(w):
    machine = w.launch(image_id=w.public_image(WINDOWS)["ImageId"])
    careless = w.client("ec2", validate=False)
    refused(None, careless.create_image, InstanceId=machine["InstanceId"], Name="override",
            BootModeOverride="uefi")


@behaviour("2.1", "CreateSnapshot just before makes the image fail with Server.InternalError")
def snapshot_just_before(w):
    machine = w.launch()
    w.ec2.create_snapshot(VolumeId=root_volume(machine))
    failed = w.wait_image(_image(w, machine), "failed")
    same("the reason", failed["StateReason"]["Code"], "Server.InternalError")


@behaviour("2.1", "a failed image keeps its id until it is deregistered")
def failed_image(w):
    machine = w.launch()
    w.ec2.create_snapshot(VolumeId=root_volume(machine))
    made = _image(w, machine)
    w.wait_image(made, "failed")
    w.advance(3600)
    same("the state an hour later", image(w.ec2, made)["State"], "failed")
    w.ec2.deregister_image(ImageId=made)
    w.advance(600)
    same("own images", w.ec2.describe_images(Owners=["self"])["Images"], [])


@behaviour("2.9", "CreateImage has no token: two calls with two names make two images")
def no_token(w):
    machine = w.launch()
    first = _image(w, machine)
    w.rest()
    true("the same image twice", _image(w, machine) != first)
