"""CopyImage: called in the destination, with a token, and with keys that fail later."""

import re

from ..registry import behaviour
from ..world import (
    AWAY, FIREWALL, HOME, WINDOWS, image, iso, later, one, refused, same, snapshot, snapshots_of,
    tag_list, tag_spec, tags_of, true,
)

UNKNOWN_KEY = "11112222-3333-4444-5555-666677778888"
GONE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")


def _copy(w, source_id, ec2=None, **more):
    request = {"SourceRegion": HOME, "SourceImageId": source_id, "Name": w.name("copy")}
    return (ec2 or w.away).copy_image(**(request | more))["ImageId"]


def _copied(w, source_id, ec2=None, **more):
    ec2 = ec2 or w.away
    return w.wait_image(_copy(w, source_id, ec2, **more), ec2=ec2)


def _encrypted_source(w):
    taken = w.completed_snapshot(Encrypted=True, KmsKeyId=w.key())
    return w.registered(taken["SnapshotId"])


@behaviour("2.4", "a copy is pending in the destination at once, and available with own snapshots")
def copied(w):
    source = w.registered()
    made = _copy(w, source["ImageId"])
    same("the state at once", image(w.away, made)["State"], "pending")
    described = w.wait_image(made, ec2=w.away)
    backing = snapshot(w.away, one(snapshots_of(described)))
    same("the snapshot", (backing["State"], backing["OwnerId"]), ("completed", w.account))
    true("the snapshot of the source", backing["SnapshotId"] not in snapshots_of(source))
    refused(GONE, w.ec2.describe_images, ImageIds=[made])


@behaviour("2.4", "a copy within the region has its own snapshots too")
def same_region(w):
    source = w.registered()
    described = _copied(w, source["ImageId"], w.ec2)
    true("a shared snapshot", not set(snapshots_of(described)) & set(snapshots_of(source)))


@behaviour("2.4", "a copy records its source image and region")
def source_recorded(w):
    source = w.registered()["ImageId"]
    described = _copied(w, source)
    same("the source", (described["SourceImageId"], described["SourceImageRegion"]),
         (source, HOME))


@behaviour("2.4", "the same token and parameters answer the same copy")
def token(w):
    source = w.registered()["ImageId"]
    first = _copy(w, source, Name="once", ClientToken="copy-once")
    same("again", _copy(w, source, Name="once", ClientToken="copy-once"), first)
    same("images", len(w.away.describe_images(Owners=["self"])["Images"]), 1)


@behaviour("2.4", "the token still answers the same copy when it is available")
def token_later(w):
    source = w.registered()["ImageId"]
    first = _copied(w, source, Name="once", ClientToken="copy-once")["ImageId"]
    same("again", _copy(w, source, Name="once", ClientToken="copy-once"), first)


@behaviour("2.4", "the same token with other parameters is IdempotentParameterMismatch")
def token_mismatch(w):
    source = w.registered()["ImageId"]
    _copy(w, source, Name="once", ClientToken="copy-once")
    refused("IdempotentParameterMismatch", w.away.copy_image, SourceRegion=HOME,
            SourceImageId=source, Name="twice", ClientToken="copy-once")


@behaviour("2.9", "a token is regional: the same token in another region makes another copy")
def token_regional(w):
    source = w.registered()["ImageId"]
    first = _copy(w, source, Name="once", ClientToken="copy-once")
    second = _copy(w, source, w.ec2, Name="once", ClientToken="copy-once")
    true("one copy for two regions", first != second)


@behaviour("2.9", "tokens are told apart by case")
def token_case(w):
    source = w.registered()["ImageId"]
    first = _copy(w, source, ClientToken="copy-once")
    true("one copy", _copy(w, source, ClientToken="Copy-Once") != first)


@behaviour("2.4", "tags of the source are not copied unless CopyImageTags is set")
def tags_default(w):
    source = w.registered(TagSpecifications=tag_spec("image", {"a": "1"}))["ImageId"]
    same("the tags", tags_of(_copied(w, source)), {})


@behaviour("2.4", "CopyImageTags copies the user's tags of the image, not those of its snapshots")
def tags_copied(w):
    source = w.registered(TagSpecifications=tag_spec("image", {"a": "1", "b": ""}))
    w.ec2.create_tags(Resources=snapshots_of(source), Tags=tag_list({"disk": "yes"}))
    described = _copied(w, source["ImageId"], CopyImageTags=True)
    same("the tags", tags_of(described), {"a": "1", "b": ""})
    same("tags of the snapshot", tags_of(snapshot(w.away, one(snapshots_of(described)))), {})


@behaviour("2.4", "tag specifications tag the copy and its snapshots")
def tagged(w):
    specs = tag_spec("image", {"kind": "image"}) + tag_spec("snapshot", {"kind": "disk"})
    described = _copied(w, w.registered()["ImageId"], TagSpecifications=specs)
    same("the image", tags_of(described), {"kind": "image"})
    backing = snapshot(w.away, one(snapshots_of(described)))
    same("the snapshot", tags_of(backing), {"kind": "disk"})


@behaviour("2.4", "an unencrypted source stays unencrypted, or is encrypted with the key given")
def encrypt(w):
    source, key = w.registered()["ImageId"], w.key(AWAY)
    plain = snapshot(w.away, one(snapshots_of(_copied(w, source))))
    same("without parameters", plain["Encrypted"], False)
    secret = _copied(w, source, Encrypted=True, KmsKeyId=key)
    backing = snapshot(w.away, one(snapshots_of(secret)))
    same("with a key", (backing["Encrypted"], backing["KmsKeyId"]), (True, key))


@behaviour("2.4", "a key may be named by id, alias, ARN, or ARN of the alias")
def key_forms(w):
    source, key = w.registered()["ImageId"], w.key(AWAY)
    w.client("kms", AWAY).create_alias(AliasName="alias/backup", TargetKeyId=key)
    alias = f"arn:aws:kms:{AWAY}:{w.account}:alias/backup"
    for form in (key.rsplit("/", 1)[1], "alias/backup", key, alias):
        made = _copied(w, source, Encrypted=True, KmsKeyId=form)
        backing = snapshot(w.away, one(snapshots_of(made)))
        same(f"the key of {form}", backing["KmsKeyId"], key)


@behaviour("2.4", "a copy of an encrypted image without parameters is encrypted")
def stays_encrypted(w):
    """With which key is UNVERIFIED: the docs disagree."""
    made = _copied(w, _encrypted_source(w)["ImageId"])
    same("encrypted", snapshot(w.away, one(snapshots_of(made)))["Encrypted"], True)


@behaviour("2.4", "Encrypted=false never makes an unencrypted copy of an encrypted image")
def never_unencrypted(w):
    source = _encrypted_source(w)["ImageId"]
    try:
        made = _copy(w, source, Encrypted=False)
    except w.away.exceptions.ClientError:
        return
    w.until("an end of the copy", lambda: image(w.away, made),
            lambda described: described["State"] != "pending")
    for mapping in image(w.away, made)["BlockDeviceMappings"]:
        same("encrypted", mapping["Ebs"]["Encrypted"], True)


@behaviour("2.4", "a key needs Encrypted=true")
def key_alone(w):
    source, key = w.registered()["ImageId"], w.key(AWAY)
    refused(None, w.away.copy_image, SourceRegion=HOME, SourceImageId=source, Name="key-alone",
            KmsKeyId=key)


def _fails_later(w, **encryption):
    source = w.registered()["ImageId"]
    made = _copy(w, source, Encrypted=True, **encryption)
    failed = w.wait_image(made, "failed", ec2=w.away)
    true("no code", failed["StateReason"]["Code"])
    words = failed["StateReason"]["Message"]
    true(f"the message is {words!r}", words.startswith("AMI snapshot copy failed with error: "))


@behaviour("2.4", "an unknown key is accepted, and the image fails later with a reason")
def unknown_key(w):
    _fails_later(w, KmsKeyId=UNKNOWN_KEY)


@behaviour("2.4", "a key of the source region is accepted, and the image fails later")
def key_of_source(w):
    _fails_later(w, KmsKeyId=w.key(HOME))


@behaviour("2.4", "a disabled key is accepted, and the image fails later")
def disabled_key(w):
    key = w.key(AWAY)
    w.client("kms", AWAY).disable_key(KeyId=key)
    _fails_later(w, KmsKeyId=key)


@behaviour("2.4", "a key pending deletion is accepted, and the image fails later")
def dying_key(w):
    key = w.key(AWAY)
    w.client("kms", AWAY).schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    _fails_later(w, KmsKeyId=key)


@behaviour("2.4", "a pending source is refused")
def pending_source(w):
    machine = w.launch()["InstanceId"]
    source = w.ec2.create_image(InstanceId=machine, Name="pending", NoReboot=True)["ImageId"]
    refused(("InvalidAMIID.Unavailable", "InvalidRequest"), w.away.copy_image,
            SourceRegion=HOME, SourceImageId=source, Name="too-early")


@behaviour("2.4", "a failed source is refused")
def failed_source(w):
    failed = _copy(w, w.registered()["ImageId"], Encrypted=True, KmsKeyId=UNKNOWN_KEY)
    w.wait_image(failed, "failed", ec2=w.away)
    refused(("InvalidAMIID.Unavailable", "InvalidRequest"), w.ec2.copy_image, SourceRegion=AWAY,
            SourceImageId=failed, Name="hopeless")


@behaviour("3", "an unknown source is InvalidAMIID.NotFound, also when it lives in another region")
def unknown_source(w):
    source = w.registered()["ImageId"]
    for region, ident in [(HOME, "ami-0123456789abcdef0"), (AWAY, source)]:
        refused("InvalidAMIID.NotFound", w.away.copy_image, SourceRegion=region,
                SourceImageId=ident, Name="nothing")


@behaviour("2.4", "a name in use in the destination is InvalidAMIName.Duplicate")
def duplicate(w):
    source = w.registered(Name="one-name")["ImageId"]
    first = _copy(w, source, Name="one-name")
    refused("InvalidAMIName.Duplicate", w.away.copy_image, SourceRegion=HOME,
            SourceImageId=source, Name="one-name", says=first)


@behaviour("2.4", "the snapshot of a copy says from which image and snapshot it was copied")
def description(w):
    source = w.registered()
    made = _copied(w, source["ImageId"])
    text = snapshot(w.away, one(snapshots_of(made)))["Description"]
    wanted = (f"Copied for DestinationAmi {made['ImageId']} from SourceAmi {source['ImageId']} "
              f"for SourceSnapshot {one(snapshots_of(source))}. Task created on ")
    true(f"the description is {text!r}", text.startswith(wanted))
    true(f"no grouped milliseconds at the end of {text!r}",
         re.fullmatch(r"\d{1,3}(,\d{3})*\.", text[len(wanted):]))


@behaviour("2.4", "deregistering a pending copy cancels it")
def cancelled(w):
    made = _copy(w, w.registered()["ImageId"])
    w.away.deregister_image(ImageId=made)
    w.advance(6 * 3600)
    same("images", w.away.describe_images(Owners=["self"])["Images"], [])


@behaviour("2.4", "launch permissions, deprecation and protection are not copied")
def not_copied(w):
    source = w.registered()["ImageId"]
    w.ec2.modify_image_attribute(ImageId=source, LaunchPermission={"Add": [
        {"UserId": "111122223333"}]})
    w.ec2.enable_image_deprecation(ImageId=source, DeprecateAt=iso(later(w.now(), days=30)))
    w.ec2.enable_image_deregistration_protection(ImageId=source)
    made = _copied(w, source)
    shared = w.away.describe_image_attribute(ImageId=made["ImageId"],
                                             Attribute="launchPermission")
    same("permissions", shared["LaunchPermissions"], [])
    true("deprecated", not made.get("DeprecationTime"))
    true("protected", made.get("DeregistrationProtection") in (None, "disabled"))


@behaviour("2.4", "SnapshotCopyCompletionDurationMinutes goes from 15 to 2880 in steps of 15")
def duration(w):
    source = w.registered()["ImageId"]
    for minutes in (0, 14, 20, 2895):
        refused(None, w.away.copy_image, SourceRegion=HOME, SourceImageId=source,
                Name="timed", SnapshotCopyCompletionDurationMinutes=minutes)
    for minutes in (15, 2880):
        _copy(w, source, SnapshotCopyCompletionDurationMinutes=minutes)


@behaviour("2.4", "an image of the Marketplace itself cannot be copied, and AWS says why")
def marketplace(w):
    source = w.public_image(FIREWALL, "aws-marketplace")["ImageId"]
    refused("InvalidRequest", w.away.copy_image, SourceRegion=HOME, SourceImageId=source,
            Name="not-mine",
            says="Images from AWS Marketplace cannot be copied to another AWS account.")


@behaviour("2.4", "an own image of a Marketplace machine can be copied with its product code")
def own_marketplace(w):
    """UNVERIFIED in the specification; allowed is its default."""
    source = w.public_image(FIREWALL, "aws-marketplace")
    machine = w.launch(image_id=source["ImageId"], InstanceType="m5.large")
    made = _copied(w, w.imaged(machine["InstanceId"])["ImageId"])
    same("codes", made["ProductCodes"], source["ProductCodes"])


@behaviour("2.4", "a shared image without its snapshots cannot be copied by the other account")
def storage(w):
    neighbour = w.neighbour()
    source = w.registered()
    w.ec2.modify_image_attribute(ImageId=source["ImageId"], LaunchPermission={"Add": [
        {"UserId": neighbour}]})
    other = w.client("ec2", AWAY, account=neighbour)
    refused("InvalidRequest", other.copy_image, SourceRegion=HOME,
            SourceImageId=source["ImageId"], Name="shared",
            says="You do not have permission to access the storage of this ami")
    w.ec2.modify_snapshot_attribute(SnapshotId=one(snapshots_of(source)), OperationType="add",
                                    Attribute="createVolumePermission", UserIds=[neighbour])
    made = _copied(w, source["ImageId"], other, CopyImageTags=True)
    same("the owner", made["OwnerId"], neighbour)


@behaviour("2.4", "tags never cross accounts, whatever CopyImageTags says")
def tags_cross_account(w):
    neighbour = w.neighbour()
    source = w.registered(TagSpecifications=tag_spec("image", {"a": "1"}))
    w.ec2.modify_image_attribute(ImageId=source["ImageId"], LaunchPermission={"Add": [
        {"UserId": neighbour}]})
    w.ec2.modify_snapshot_attribute(SnapshotId=one(snapshots_of(source)), OperationType="add",
                                    Attribute="createVolumePermission", UserIds=[neighbour])
    other = w.client("ec2", AWAY, account=neighbour)
    made = _copied(w, source["ImageId"], other, CopyImageTags=True)
    same("the tags", tags_of(made), {})


@behaviour("2.4", "a copy keeps billing, architecture, devices and boot of its source")
def carried(w):
    machine = w.launch(image_id=w.public_image(WINDOWS)["ImageId"], volumes=[2])
    source = w.imaged(machine["InstanceId"])
    made = _copied(w, source["ImageId"])
    for field in ("PlatformDetails", "UsageOperation", "Platform", "Architecture", "BootMode",
                  "VirtualizationType", "RootDeviceName", "EnaSupport"):
        same(field, made.get(field), source.get(field))
    same("devices", {m["DeviceName"]: m["Ebs"]["VolumeSize"] for m in made["BlockDeviceMappings"]},
         {m["DeviceName"]: m["Ebs"]["VolumeSize"] for m in source["BlockDeviceMappings"]})


@behaviour("2.4", "a copy lives on when its source and the source's snapshots are deleted")
def independent(w):
    source = w.registered()["ImageId"]
    made = _copied(w, source)["ImageId"]
    w.ec2.deregister_image(ImageId=source, DeleteAssociatedSnapshots=True)
    w.advance(3600)
    same("the copy", image(w.away, made)["State"], "available")
    w.launch(image_id=made, ec2=w.away)
