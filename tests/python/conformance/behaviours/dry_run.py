"""DryRun: 412 DryRunOperation for who may, and nothing happens."""

from ..registry import behaviour
from ..world import AWAY, HOME, instance, refused, root_volume, same, snapshots_of

SENTENCE = "Request would have succeeded, but DryRun flag is set."


def _world(w):
    machine = w.launch()
    made = w.imaged(machine["InstanceId"])
    w.rest()
    return {
        "machine": machine["InstanceId"],
        "volume": root_volume(machine),
        "image": made["ImageId"],
        "snapshot": snapshots_of(made)[0],
    }


def _spec(k):
    return {"InstanceSpecification": {"InstanceId": k["machine"]}}


# The client's method, its region, and its request made of the ids of the fixture.
CALLS = [
    ("create_image", HOME, lambda k: {"InstanceId": k["machine"], "Name": "dry"}),
    ("create_snapshot", HOME, lambda k: {"VolumeId": k["volume"]}),
    ("create_snapshots", HOME, _spec),
    ("register_image", HOME, lambda k: {
        "Name": "dry", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm",
        "Architecture": "x86_64", "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": k["snapshot"]}}]}),
    ("copy_image", AWAY, lambda k: {
        "SourceRegion": HOME, "SourceImageId": k["image"], "Name": "dry"}),
    ("copy_snapshot", AWAY, lambda k: {
        "SourceRegion": HOME, "SourceSnapshotId": k["snapshot"]}),
    ("deregister_image", HOME, lambda k: {"ImageId": k["image"]}),
    ("disable_image", HOME, lambda k: {"ImageId": k["image"]}),
    ("create_tags", HOME, lambda k: {
        "Resources": [k["machine"]], "Tags": [{"Key": "a", "Value": "1"}]}),
    ("stop_instances", HOME, lambda k: {"InstanceIds": [k["machine"]]}),
    ("terminate_instances", HOME, lambda k: {"InstanceIds": [k["machine"]]}),
    ("run_instances", HOME, lambda k: {
        "ImageId": k["image"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}),
    ("describe_images", HOME, lambda k: {"ImageIds": [k["image"]]}),
]


def _state(w):
    """All that a call may have changed, in both regions."""
    state = []
    for ec2 in (w.ec2, w.away):
        state += sorted((i["ImageId"], i["State"]) for i in
                        ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"])
        state += sorted(s["SnapshotId"]
                        for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
        state += sorted((i["InstanceId"], i["State"]["Name"], str(i.get("Tags", [])))
                        for r in ec2.describe_instances()["Reservations"] for i in r["Instances"])
    return state


def _declare(method, region, request):
    action = "".join(word.capitalize() for word in method.split("_"))

    @behaviour("2.9", f"a dry {action} is 412 DryRunOperation and changes nothing")
    def ask(w):
        known = _world(w)
        before = _state(w)
        answer = refused("DryRunOperation", getattr(w.client("ec2", region), method),
                         DryRun=True, says=SENTENCE, **request(known))
        same("the status", answer["ResponseMetadata"]["HTTPStatusCode"], 412)
        w.advance(600)
        same("what there is", _state(w), before)


for _method, _region, _request in CALLS:
    _declare(_method, _region, _request)


@behaviour("2.9", "DryRun=false is a call like any other")
def not_dry(w):
    machine = w.launch()["InstanceId"]
    w.ec2.stop_instances(InstanceIds=[machine], DryRun=False)
    same("the state", instance(w.ec2, machine)["State"]["Name"], "stopping")
