"""Instances: their states and codes, what a start resets, how a stop tells its cause."""

import base64
import re
import xml.etree.ElementTree as ElementTree

from ..checker import EC2_NAMESPACE
from ..registry import behaviour
from ..world import (
    WINDOWS, WINDOWS_TPM, among, data_volumes, image, instance, one, refused, root_volume, same,
    tag_spec, tags_of, true, volume,
)

UNKNOWN = "i-0123456789abcdef0"


def _state(thing):
    return thing["Code"], thing["Name"]


@behaviour("2.8", "a launched machine answers pending (0) and becomes running (16)")
def launched(w):
    made = w.launch(wait=False)
    same("the state in the answer", _state(made["State"]), (0, "pending"))
    running = w.wait_instance(made["InstanceId"], "running")
    same("the state later", _state(running["State"]), (16, "running"))


@behaviour("2.8", "a stop answers stopping (64) from running (16) and ends in stopped (80)")
def stopped(w):
    machine = w.launch()["InstanceId"]
    change = one(w.ec2.stop_instances(InstanceIds=[machine])["StoppingInstances"])
    same("the state before", _state(change["PreviousState"]), (16, "running"))
    same("the state now", _state(change["CurrentState"]), (64, "stopping"))
    same("the end", _state(w.wait_instance(machine, "stopped")["State"]), (80, "stopped"))


@behaviour("2.8", "a start answers pending (0) from stopped (80) and ends in running (16)")
def started(w):
    machine = w.stopped_machine()["InstanceId"]
    change = one(w.ec2.start_instances(InstanceIds=[machine])["StartingInstances"])
    same("the state before", _state(change["PreviousState"]), (80, "stopped"))
    same("the state now", _state(change["CurrentState"]), (0, "pending"))
    same("the end", _state(w.wait_instance(machine, "running")["State"]), (16, "running"))


@behaviour("2.8", "a termination answers shutting-down (32) and ends in terminated (48)")
def terminated(w):
    machine = w.launch()["InstanceId"]
    change = one(w.ec2.terminate_instances(InstanceIds=[machine])["TerminatingInstances"])
    same("the state now", _state(change["CurrentState"]), (32, "shutting-down"))
    same("the end", _state(w.wait_instance(machine, "terminated")["State"]), (48, "terminated"))


@behaviour("3", "a terminated machine is still described for a while and NotFound hours later")
def vanishes(w):
    machine = w.launch()["InstanceId"]
    w.ec2.terminate_instances(InstanceIds=[machine])
    w.wait_instance(machine, "terminated")
    w.advance(3 * 3600)
    refused("InvalidInstanceID.NotFound", w.ec2.describe_instances, InstanceIds=[machine])


@behaviour("8", "LaunchTime is reset by a start and kept by a stop")
def launch_time(w):
    machine = w.launch()
    first = machine["LaunchTime"]
    w.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    halted = w.wait_instance(machine["InstanceId"], "stopped")
    same("LaunchTime of the stopped machine", halted["LaunchTime"], first)
    w.advance(600)
    w.ec2.start_instances(InstanceIds=[machine["InstanceId"]])
    again = w.wait_instance(machine["InstanceId"], "running")
    true("LaunchTime did not move with the start",
         (again["LaunchTime"] - first).total_seconds() >= 600)


@behaviour("1.1", "a reboot leaves the machine running with its LaunchTime")
def rebooted(w):
    machine = w.launch()
    w.ec2.reboot_instances(InstanceIds=[machine["InstanceId"]])
    same("the state", instance(w.ec2, machine["InstanceId"])["State"]["Name"], "running")
    w.advance(300)
    later = instance(w.ec2, machine["InstanceId"])
    same("the state later", later["State"]["Name"], "running")
    same("LaunchTime", later["LaunchTime"], machine["LaunchTime"])


@behaviour("8", "a user's stop leaves the state reason Client.UserInitiatedShutdown")
def stop_reason(w):
    halted = w.stopped_machine()
    same("the code", halted["StateReason"]["Code"], "Client.UserInitiatedShutdown")


@behaviour("8", "a user's stop leaves a state transition reason that says User initiated")
def transition_reason(w):
    true("no 'User initiated'",
         w.stopped_machine()["StateTransitionReason"].startswith("User initiated"))


@behaviour("8", "a hibernated machine is stopped with Client.UserInitiatedHibernate")
def hibernated(w):
    machine = w.launch(root={"Encrypted": True}, HibernationOptions={"Configured": True})
    w.ec2.stop_instances(InstanceIds=[machine["InstanceId"]], Hibernate=True)
    halted = w.wait_instance(machine["InstanceId"], "stopped")
    same("the code", halted["StateReason"]["Code"], "Client.UserInitiatedHibernate")


@behaviour("8", "a running machine has no state reason of its former stop")
def no_reason(w):
    machine = w.stopped_machine()["InstanceId"]
    w.ec2.start_instances(InstanceIds=[machine])
    code = w.wait_instance(machine, "running").get("StateReason", {}).get("Code", "")
    same("the code", code, "")


@behaviour("2.9", "starting a running and stopping a stopped machine change nothing")
def idempotent(w):
    machine = w.launch()
    change = one(w.ec2.start_instances(InstanceIds=[machine["InstanceId"]])["StartingInstances"])
    same("the start", change["CurrentState"]["Name"], "running")
    w.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    w.wait_instance(machine["InstanceId"], "stopped")
    change = one(w.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])["StoppingInstances"])
    same("the stop", change["CurrentState"]["Name"], "stopped")


@behaviour("3", "a terminated machine cannot be started: IncorrectInstanceState")
def start_terminated(w):
    machine = w.launch()["InstanceId"]
    w.ec2.terminate_instances(InstanceIds=[machine])
    w.wait_instance(machine, "terminated")
    refused("IncorrectInstanceState", w.ec2.start_instances, InstanceIds=[machine])


@behaviour("3", "a stopping machine cannot be started: IncorrectInstanceState")
def start_stopping(w):
    machine = w.launch()["InstanceId"]
    w.ec2.stop_instances(InstanceIds=[machine])
    refused("IncorrectInstanceState", w.ec2.start_instances, InstanceIds=[machine])


@behaviour("3", "an unknown instance is InvalidInstanceID.NotFound for describe, stop and image")
def unknown(w):
    code = "InvalidInstanceID.NotFound"
    refused(code, w.ec2.describe_instances, InstanceIds=[UNKNOWN], says=UNKNOWN)
    refused(code, w.ec2.stop_instances, InstanceIds=[UNKNOWN], says=UNKNOWN)
    refused(code, w.ec2.create_image, InstanceId=UNKNOWN, Name="image", says=UNKNOWN)


@behaviour("3", "an instance id that is none is InvalidInstanceID.Malformed")
def malformed(w):
    refused("InvalidInstanceID.Malformed", w.ec2.describe_instances, InstanceIds=["machine-7"])


@behaviour("2.9", "RunInstances with the same token launches once and answers the same machine")
def token(w):
    request = {"wait": False, "ClientToken": "launch-once"}
    first = w.launch(**request)["InstanceId"]
    same("the second answer", w.launch(**request)["InstanceId"], first)
    found = w.ec2.describe_instances()["Reservations"]
    same("how many machines there are", sum(len(r["Instances"]) for r in found), 1)


@behaviour("2.9", "RunInstances with a used token and other parameters is a mismatch")
def token_mismatch(w):
    w.launch(wait=False, ClientToken="launch-once")
    refused("IdempotentParameterMismatch", w.ec2.run_instances, ClientToken="launch-once",
            ImageId=w.public_image()["ImageId"], InstanceType="t3.large", MinCount=1, MaxCount=1)


@behaviour("2.8", "a pending image cannot be launched: InvalidAMIID.Unavailable")
def pending_image(w):
    machine = w.launch()["InstanceId"]
    made = w.ec2.create_image(InstanceId=machine, Name="not-yet", NoReboot=True)["ImageId"]
    refused("InvalidAMIID.Unavailable", w.ec2.run_instances, ImageId=made, MinCount=1,
            MaxCount=1, InstanceType="t3.micro")


@behaviour("3", "an unknown image cannot be launched: InvalidAMIID.NotFound")
def unknown_image(w):
    refused("InvalidAMIID.NotFound", w.ec2.run_instances, ImageId="ami-0123456789abcdef0",
            MinCount=1, MaxCount=1, InstanceType="t3.micro")


@behaviour("6.3", "three machines of one call share one reservation")
def reservation(w):
    made = w.ec2.run_instances(ImageId=w.public_image()["ImageId"], InstanceType="t3.micro",
                               MinCount=3, MaxCount=3)
    same("machines in the answer", len(made["Instances"]), 3)
    found = one(w.ec2.describe_instances()["Reservations"])
    same("the reservation", found["ReservationId"], made["ReservationId"])
    same("the owner", found["OwnerId"], w.account)
    same("machines described", {i["InstanceId"] for i in found["Instances"]},
         {i["InstanceId"] for i in made["Instances"]})


@behaviour("6.2", "tag-on-create of a launch tags the machine and its volumes")
def tagged(w):
    specs = tag_spec("instance", {"role": "db"}) + tag_spec("volume", {"disk": "yes"})
    machine = w.launch(volumes=[2], TagSpecifications=specs)
    same("tags of the machine", tags_of(machine), {"role": "db"})
    for volume_id in [root_volume(machine)] + data_volumes(machine):
        same(f"tags of {volume_id}", tags_of(volume(w.ec2, volume_id)), {"disk": "yes"})


@behaviour("6.3", "an instance shows its mappings: device, volume, attach time, delete flag")
def mappings(w):
    machine = w.launch(volumes=[3])
    same("devices", {m["DeviceName"] for m in machine["BlockDeviceMappings"]},
         {machine["RootDeviceName"], "/dev/sdf"})
    for mapping in machine["BlockDeviceMappings"]:
        same("the status", mapping["Ebs"]["Status"], "attached")
        true("no attach time", "AttachTime" in mapping["Ebs"])
        same("the delete flag", mapping["Ebs"]["DeleteOnTermination"], True)
    same("the size of the data volume", volume(w.ec2, data_volumes(machine)[0])["Size"], 3)


@behaviour("1.1", "termination takes the volumes marked for it and leaves the others")
def delete_on_termination(w):
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2, "DeleteOnTermination": False}}]
    machine = w.launch(BlockDeviceMappings=mapping)
    root, data = root_volume(machine), data_volumes(machine)[0]
    w.ec2.terminate_instances(InstanceIds=[machine["InstanceId"]])
    w.wait_instance(machine["InstanceId"], "terminated")
    same("the kept volume", w.wait_volume(data, "available")["VolumeId"], data)
    w.advance(120)
    refused("InvalidVolume.NotFound", w.ec2.describe_volumes, VolumeIds=[root])


@behaviour("2.3", "a machine of an unencrypted image can have its root volume encrypted")
def encrypted_root(w):
    key = w.key()
    machine = w.launch(root={"Encrypted": True, "KmsKeyId": key})
    described = volume(w.ec2, root_volume(machine))
    same("encrypted", described["Encrypted"], True)
    same("the key", described["KmsKeyId"], key)


@behaviour("2.8", "an image whose key is disabled launches into pending, then terminated")
def key_disabled(w):
    key = w.key()
    machine = w.launch(root={"Encrypted": True, "KmsKeyId": key})
    made = w.imaged(machine["InstanceId"])["ImageId"]
    w.client("kms").disable_key(KeyId=key)
    failing = w.launch(image_id=made, wait=False)
    same("the state in the answer", failing["State"]["Name"], "pending")
    ended = w.wait_instance(failing["InstanceId"], "terminated")
    same("the reason", ended["StateReason"]["Code"], "Client.InternalError")


@behaviour("2.8", "DescribeInstanceStatus shows running machines only, unless asked for all")
def status_running_only(w):
    halted, running = w.stopped_machine()["InstanceId"], w.launch()["InstanceId"]
    shown = w.ec2.describe_instance_status()["InstanceStatuses"]
    same("by default", [s["InstanceId"] for s in shown], [running])
    everything = w.ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
    same("all", {s["InstanceId"]: s["InstanceState"]["Name"] for s in everything},
         {halted: "stopped", running: "running"})


@behaviour("2.8", "status checks of a running machine end in ok")
def status_ok(w):
    machine = w.launch()["InstanceId"]

    def ask():
        return one(w.ec2.describe_instance_status(InstanceIds=[machine])["InstanceStatuses"])

    def passed(status):
        words = {status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]}
        true(f"{words}", words <= {"initializing", "ok"})
        return words == {"ok"}

    status = w.until("status checks", ask, passed)
    same("the state", status["InstanceState"]["Name"], "running")


@behaviour("2.8", "console output is base64 on the wire and has a timestamp")
def console(w):
    machine = w.launch()["InstanceId"]
    w.advance(3600)
    w.ec2.get_console_output(InstanceId=machine)
    root = ElementTree.fromstring(w.checker.body)
    same("the machine", root.findtext(f"{{{EC2_NAMESPACE}}}instanceId"), machine)
    true("no timestamp", root.findtext(f"{{{EC2_NAMESPACE}}}timestamp"))
    text = root.findtext(f"{{{EC2_NAMESPACE}}}output")
    true("no output an hour after boot", text)
    true("the output is empty", base64.b64decode(text, validate=True))


@behaviour("2.3", "GetInstanceUefiData answers base64 of at most 64,000 characters")
def uefi_data(w):
    machine = w.launch(image_id=w.public_image(WINDOWS_TPM)["ImageId"], InstanceType="m5.large")
    answer = w.ec2.get_instance_uefi_data(InstanceId=machine["InstanceId"])
    same("the machine", answer["InstanceId"], machine["InstanceId"])
    true("too long", len(answer["UefiData"]) <= 64000)
    base64.b64decode(answer["UefiData"], validate=True)


@behaviour("6.3", "a machine has the platform, usage operation and devices of its image")
def inherits(w):
    source = w.public_image(WINDOWS)
    machine = w.launch(image_id=source["ImageId"])
    for field in ["PlatformDetails", "UsageOperation", "RootDeviceName", "Architecture",
                  "VirtualizationType"]:
        same(field, machine[field], source[field])
    same("Platform", machine["Platform"].lower(), "windows")


@behaviour("2.1", "a machine of a uefi image with NitroTPM runs in uefi")
def uefi(w):
    source = w.public_image(WINDOWS_TPM)
    machine = w.launch(image_id=source["ImageId"], InstanceType="m5.large")
    same("the mode it runs in", machine["CurrentInstanceBootMode"], "uefi")
    same("its TPM", machine["TpmSupport"], "v2.0")


@behaviour("6.3", "EC2 resource ids are a prefix and hexadecimal digits")
def ids(w):
    machine = w.launch()
    for value, prefix in [(machine["InstanceId"], "i"), (root_volume(machine), "vol"),
                          (machine["ImageId"], "ami")]:
        true(f"{value} is no id", re.fullmatch(rf"{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", value))


@behaviour("2.6", "a running machine is unaffected by the deregistration of its image")
def image_gone(w):
    made = w.imaged(w.launch()["InstanceId"])["ImageId"]
    machine = w.launch(image_id=made)["InstanceId"]
    w.ec2.deregister_image(ImageId=made)
    w.advance(600)
    described = instance(w.ec2, machine)
    same("the state", described["State"]["Name"], "running")
    same("the image it names", described["ImageId"], made)
    w.ec2.stop_instances(InstanceIds=[machine])
    w.wait_instance(machine, "stopped")


@behaviour("2.7", "a disabled image cannot be launched")
def disabled_image(w):
    made = w.imaged(w.launch()["InstanceId"])["ImageId"]
    w.ec2.disable_image(ImageId=made)
    same("the state", image(w.ec2, made)["State"], "disabled")
    failure = refused(None, w.ec2.run_instances, ImageId=made, MinCount=1, MaxCount=1,
                      InstanceType="t3.micro")
    among("the code", failure["Error"]["Code"],
          ("InvalidAMIID.Unavailable", "InvalidAMIID.NotFound"))
