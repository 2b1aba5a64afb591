"""DeregisterImage: what stays, what goes with it, what is left out, and a second time."""

from botocore.exceptions import ClientError

from ..registry import behaviour
from ..world import among, one, refused, same, snapshot, snapshots_of, true

UNKNOWN = "ami-0123456789abcdef0"
GONE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")


def _own_snapshots(w):
    found = w.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {s["SnapshotId"] for s in found}


@behaviour("2.6", "a deregistered image is gone from the own images; its snapshots stay")
def plain(w):
    made = w.imaged(w.launch(volumes=[2])["InstanceId"])
    answer = w.ec2.deregister_image(ImageId=made["ImageId"])
    same("the answer", answer["Return"], True)
    same("results", answer.get("DeleteSnapshotResults", []), [])
    w.advance(600)
    same("own images", w.ec2.describe_images(Owners=["self"])["Images"], [])
    same("snapshots", _own_snapshots(w), set(snapshots_of(made)))


@behaviour("2.6", "described by id, a deregistered image is deregistered, nothing, or an error")
def by_id(w):
    made = w.registered()["ImageId"]
    w.ec2.deregister_image(ImageId=made)
    for _ in range(2):
        try:
            found = w.ec2.describe_images(ImageIds=[made])["Images"]
            true(f"{found}", all(i["State"] == "deregistered" for i in found))
        except ClientError as problem:
            among("the code", problem.response["Error"]["Code"], GONE)
        w.advance(24 * 3600)


@behaviour("2.6", "a second deregistration is InvalidAMIID.Unavailable or NotFound")
def twice(w):
    made = w.registered()["ImageId"]
    w.ec2.deregister_image(ImageId=made)
    refused(GONE, w.ec2.deregister_image, ImageId=made)
    w.advance(24 * 3600)
    refused(GONE, w.ec2.deregister_image, ImageId=made)


@behaviour("2.6", "DeleteAssociatedSnapshots deletes each snapshot and answers success for it")
def with_snapshots(w):
    made = w.imaged(w.launch(volumes=[2])["InstanceId"])
    answer = w.ec2.deregister_image(ImageId=made["ImageId"], DeleteAssociatedSnapshots=True)
    same("results", {r["SnapshotId"]: r["ReturnCode"] for r in answer["DeleteSnapshotResults"]},
         {s: "success" for s in snapshots_of(made)})
    w.advance(600)
    same("snapshots", _own_snapshots(w), set())


@behaviour("2.6", "a snapshot that another image needs is skipped and stays")
def skipped(w):
    shared = w.completed_snapshot()["SnapshotId"]
    first, second = w.registered(shared)["ImageId"], w.registered(shared)["ImageId"]
    answer = w.ec2.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)
    result = one(answer["DeleteSnapshotResults"])
    same("the result", (result["SnapshotId"], result["ReturnCode"]), (shared, "skipped"))
    same("the snapshot", snapshot(w.ec2, shared)["State"], "completed")
    answer = w.ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)
    same("the last one", one(answer["DeleteSnapshotResults"])["ReturnCode"], "success")


@behaviour("3", "an unknown image is NotFound or Unavailable, and an id that is none Malformed")
def unknown(w):
    refused(GONE, w.ec2.deregister_image, ImageId=UNKNOWN)
    refused("InvalidAMIID.Malformed", w.ec2.deregister_image, ImageId="image-7")
    refused("InvalidAMIID.NotFound", w.ec2.describe_images, ImageIds=[UNKNOWN], says=UNKNOWN)
    refused("InvalidAMIID.Malformed", w.ec2.describe_images, ImageIds=["image-7"])


@behaviour("2.6", "another account cannot deregister an image")
def not_owner(w):
    made = w.registered()["ImageId"]
    refused(None, w.client("ec2", account=w.neighbour()).deregister_image, ImageId=made)
    same("own images", len(w.ec2.describe_images(Owners=["self"])["Images"]), 1)
