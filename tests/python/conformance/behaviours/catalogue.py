"""The public images that everyone finds: systems, billing codes, architectures, boot modes."""

from ..registry import behaviour
from ..world import (
    FIREWALL, LINUX, LINUX_ARM, RHEL, SUSE, UBUNTU, WINDOWS, WINDOWS_TPM, one, refused, same,
    true,
)

# Name, architecture, usage operation, platform details.
SYSTEMS = [
    (LINUX, "x86_64", "RunInstances", "Linux/UNIX"),
    (LINUX_ARM, "arm64", "RunInstances", "Linux/UNIX"),
    (UBUNTU, "x86_64", "RunInstances", "Linux/UNIX"),
    (WINDOWS, "x86_64", "RunInstances:0002", "Windows"),
    (WINDOWS_TPM, "x86_64", "RunInstances:0002", "Windows"),
    (RHEL, "x86_64", "RunInstances:0010", "Red Hat Enterprise Linux"),
    (SUSE, "x86_64", "RunInstances:000g", "SUSE Linux"),
]


def _declare(name, architecture, operation, platform):
    @behaviour("2.3", f"the catalogue has {name} with its architecture and billing")
    def ask(w):
        found = w.public_image(name)
        same("what it is", (found["Architecture"], found["UsageOperation"],
                            found["PlatformDetails"]), (architecture, operation, platform))
        same("how it is", (found["State"], found["Public"], found["VirtualizationType"],
                           found["RootDeviceType"]), ("available", True, "hvm", "ebs"))
        same("who owns it", found["ImageOwnerAlias"], "amazon")
        same("windows", found.get("Platform", "").lower() == "windows", platform == "Windows")
        devices = [m["DeviceName"] for m in found["BlockDeviceMappings"]]
        true("the root is not mapped", found["RootDeviceName"] in devices)


for _row in SYSTEMS:
    _declare(*_row)


@behaviour("2.3", "an Arm image boots in uefi")
def arm(w):
    same("the mode", w.public_image(LINUX_ARM)["BootMode"], "uefi")


@behaviour("2.3", "the image with NitroTPM boots in uefi")
def tpm(w):
    found = w.public_image(WINDOWS_TPM)
    same("boot", (found["BootMode"], found["TpmSupport"]), ("uefi", "v2.0"))


@behaviour("2.3", "the image of the Marketplace has one product code of type marketplace")
def product_code(w):
    found = w.public_image(FIREWALL, "aws-marketplace")
    same("the owner", found["ImageOwnerAlias"], "aws-marketplace")
    code = one(found["ProductCodes"])
    same("the type", code["ProductCodeType"], "marketplace")
    true("no code", code["ProductCodeId"])


@behaviour("2.8", "the catalogue is not among an account's own images")
def not_own(w):
    same("own images", w.ec2.describe_images(Owners=["self"])["Images"], [])


@behaviour("2.8", "a public image is found by its id and by nobody's deregistration lost")
def by_id(w):
    ident = w.public_image()["ImageId"]
    refused(None, w.ec2.deregister_image, ImageId=ident)
    same("found", one(w.ec2.describe_images(ImageIds=[ident])["Images"])["ImageId"], ident)


@behaviour("2.8", "every region has the catalogue, with image ids of its own")
def every_region(w):
    here, there = w.public_image(), w.public_image(ec2=w.away)
    same("the name", there["Name"], here["Name"])
    true("one id for two regions", there["ImageId"] != here["ImageId"])


@behaviour("2.8", "DescribeSnapshots without an owner lists public snapshots, own ones or none")
def public_snapshots(w):
    mine = w.completed_snapshot()["SnapshotId"]
    found = {s["SnapshotId"]: s["OwnerId"] for s in w.ec2.describe_snapshots()["Snapshots"]}
    same("mine", found.get(mine), w.account)
