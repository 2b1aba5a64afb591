"""What can be done to an image or a snapshot later: deprecate, disable, protect, lock, share."""

from ..registry import behaviour
from ..world import image, iso, later, one, parse_time, refused, same, snapshots_of, true, volume

PERMISSION = "createVolumePermission"


def _listed(ec2, **request):
    return {i["ImageId"] for i in ec2.describe_images(**request)["Images"]}


@behaviour("2.7", "a deprecation time is rounded to the minute and shown to the owner")
def deprecated(w):
    made = w.registered()["ImageId"]
    moment = later(w.now(), days=30).replace(second=0, microsecond=0)
    w.ec2.enable_image_deprecation(ImageId=made, DeprecateAt=iso(later(moment, seconds=10)))
    shown = parse_time(image(w.ec2, made)["DeprecationTime"])
    same("its seconds", shown.second, 0)
    true(f"{shown} is no rounding of {moment}", abs((shown - moment).total_seconds()) <= 60)


@behaviour("2.7", "a deprecation in the past, or beyond ten years, is refused")
def deprecation_bounds(w):
    made = w.registered()["ImageId"]
    for days in (-2, 11 * 366):
        refused(None, w.ec2.enable_image_deprecation, ImageId=made,
                DeprecateAt=iso(later(w.now(), days=days)))
    true("deprecated", not image(w.ec2, made).get("DeprecationTime"))


@behaviour("2.7", "a deprecation can be cancelled")
def deprecation_cancelled(w):
    made = w.registered()["ImageId"]
    w.ec2.enable_image_deprecation(ImageId=made, DeprecateAt=iso(later(w.now(), days=30)))
    same("the answer", w.ec2.disable_image_deprecation(ImageId=made)["Return"], True)
    true("deprecated", not image(w.ec2, made).get("DeprecationTime"))


@behaviour("2.7", "a deprecated image is hidden from others, shown to the owner, and launches")
def deprecation_passed(w):
    neighbour = w.neighbour()
    made = w.registered()["ImageId"]
    w.ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": neighbour}]})
    w.ec2.enable_image_deprecation(ImageId=made, DeprecateAt=iso(later(w.now(), days=1)))
    other = w.client("ec2", account=neighbour)
    request = {"ExecutableUsers": ["self"]}
    same("before", _listed(other, **request), {made})
    w.advance(2 * 24 * 3600)
    same("after", _listed(other, **request), set())
    same("when asked for", _listed(other, IncludeDeprecated=True, **request), {made})
    same("the owner", _listed(w.ec2, Owners=["self"]), {made})
    w.launch(image_id=made)


@behaviour("2.7", "a disabled image is hidden, also from its owner, unless asked for")
def disabled(w):
    made = w.registered()["ImageId"]
    same("the answer", w.ec2.disable_image(ImageId=made)["Return"], True)
    same("by default", _listed(w.ec2, Owners=["self"]), set())
    same("when asked for", _listed(w.ec2, Owners=["self"], IncludeDisabled=True), {made})
    same("the state", image(w.ec2, made)["State"], "disabled")


@behaviour("2.7", "an enabled image is available again, without its launch permissions")
def enabled(w):
    made = w.registered()["ImageId"]
    w.ec2.modify_image_attribute(ImageId=made,
                                 LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    w.ec2.disable_image(ImageId=made)
    w.ec2.enable_image(ImageId=made)
    same("the state", image(w.ec2, made)["State"], "available")
    answer = w.ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    same("permissions", answer["LaunchPermissions"], [])
    w.launch(image_id=made)


@behaviour("2.7", "a disabled image can be deregistered")
def disabled_deregistered(w):
    made = w.registered()["ImageId"]
    w.ec2.disable_image(ImageId=made)
    w.ec2.deregister_image(ImageId=made)
    w.advance(600)
    same("own images", _listed(w.ec2, Owners=["self"], IncludeDisabled=True), set())


@behaviour("2.7", "protection answers a word, shows it on the image, and stops deregistration")
def protected(w):
    """The code is UNVERIFIED: OperationNotPermitted is the specification's guess."""
    made = w.registered()["ImageId"]
    answer = w.ec2.enable_image_deregistration_protection(ImageId=made)
    same("the answer", answer["Return"], "enabled-without-cooldown")
    same("the image", image(w.ec2, made)["DeregistrationProtection"], answer["Return"])
    refused(None, w.ec2.deregister_image, ImageId=made)
    same("the state", image(w.ec2, made)["State"], "available")
    w.ec2.disable_image(ImageId=made)
    same("the state when disabled", image(w.ec2, made)["State"], "disabled")


@behaviour("2.7", "without a cooldown an image is free as soon as protection is off")
def unprotected(w):
    made = w.registered()["ImageId"]
    w.ec2.enable_image_deregistration_protection(ImageId=made)
    w.ec2.disable_image_deregistration_protection(ImageId=made)
    w.ec2.deregister_image(ImageId=made)


@behaviour("2.7", "with a cooldown an image stays protected for 24 hours more")
def cooldown(w):
    made = w.registered()["ImageId"]
    answer = w.ec2.enable_image_deregistration_protection(ImageId=made, WithCooldown=True)
    same("the answer", answer["Return"], "enabled-with-cooldown")
    w.ec2.disable_image_deregistration_protection(ImageId=made)
    w.advance(23 * 3600)
    refused(None, w.ec2.deregister_image, ImageId=made)
    w.advance(2 * 3600)
    w.ec2.deregister_image(ImageId=made)


@behaviour("2.7", "a snapshot locked in governance mode cannot be deleted until it is unlocked")
def locked(w):
    taken = w.completed_snapshot()["SnapshotId"]
    answer = w.ec2.lock_snapshot(SnapshotId=taken, LockMode="governance", LockDuration=1)
    same("the answer", (answer["LockState"], answer["LockDuration"]), ("governance", 1))
    refused(None, w.ec2.delete_snapshot, SnapshotId=taken)
    shown = one(w.ec2.describe_locked_snapshots()["Snapshots"])
    same("described", (shown["SnapshotId"], shown["LockState"]), (taken, "governance"))
    same("the unlocked", w.ec2.unlock_snapshot(SnapshotId=taken)["SnapshotId"], taken)
    w.ec2.delete_snapshot(SnapshotId=taken)


@behaviour("2.7", "a lock ends by itself after its days")
def lock_expires(w):
    taken = w.completed_snapshot()["SnapshotId"]
    answer = w.ec2.lock_snapshot(SnapshotId=taken, LockMode="governance", LockDuration=1)
    lasts = answer["LockExpiresOn"] - answer["LockDurationStartTime"]
    same("how long", lasts.total_seconds(), 24 * 3600.0)
    w.advance(25 * 3600)
    w.ec2.delete_snapshot(SnapshotId=taken)


@behaviour("2.7", "a compliance lock has a cool-off, in which it can still be lifted")
def cool_off(w):
    taken = w.completed_snapshot()["SnapshotId"]
    answer = w.ec2.lock_snapshot(SnapshotId=taken, LockMode="compliance", CoolOffPeriod=2,
                                 LockDuration=5)
    same("the state", (answer["LockState"], answer["CoolOffPeriod"]), ("compliance-cooloff", 2))
    w.ec2.unlock_snapshot(SnapshotId=taken)
    w.ec2.delete_snapshot(SnapshotId=taken)


@behaviour("2.7", "after its cool-off a compliance lock cannot be lifted")
def compliance(w):
    taken = w.completed_snapshot()["SnapshotId"]
    w.ec2.lock_snapshot(SnapshotId=taken, LockMode="compliance", CoolOffPeriod=1, LockDuration=2)
    w.advance(2 * 3600)
    shown = one(w.ec2.describe_locked_snapshots(SnapshotIds=[taken])["Snapshots"])
    same("the state", shown["LockState"], "compliance")
    refused(None, w.ec2.unlock_snapshot, SnapshotId=taken)
    refused(None, w.ec2.delete_snapshot, SnapshotId=taken)


@behaviour("2.7", "a lock lasts 1 to 36500 days, given as a duration or as a date but not both")
def lock_bounds(w):
    taken = w.completed_snapshot()["SnapshotId"]
    careless = w.client("ec2", validate=False)
    both = {"LockDuration": 5, "ExpirationDate": later(w.now(), days=5)}
    for request in ({"LockDuration": 0}, {"LockDuration": 36501}, {}, both):
        refused(None, careless.lock_snapshot, SnapshotId=taken, LockMode="governance", **request)


@behaviour("2.7", "an image of a locked snapshot can be deregistered; the snapshot stays locked")
def locked_image(w):
    made = w.registered()
    taken = one(snapshots_of(made))
    w.ec2.lock_snapshot(SnapshotId=taken, LockMode="governance", LockDuration=9)
    w.ec2.deregister_image(ImageId=made["ImageId"])
    w.advance(3600)
    refused(None, w.ec2.delete_snapshot, SnapshotId=taken)


@behaviour("2.7", "launch permissions are given to and taken from an account")
def launch_permission(w):
    neighbour = w.neighbour()
    made = w.registered()["ImageId"]
    other = w.client("ec2", account=neighbour)
    same("before", _listed(other, ExecutableUsers=["self"]), set())
    w.ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": neighbour}]})
    answer = w.ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    same("permissions", answer["LaunchPermissions"], [{"UserId": neighbour}])
    same("shared", _listed(other, ExecutableUsers=["self"]), {made})
    w.launch(image_id=made, ec2=other)
    w.ec2.modify_image_attribute(ImageId=made,
                                 LaunchPermission={"Remove": [{"UserId": neighbour}]})
    same("after", _listed(other, ExecutableUsers=["self"]), set())


@behaviour("2.7", "an image shared with all is public and listed for everyone")
def public(w):
    neighbour = w.neighbour()
    made = w.registered()["ImageId"]
    w.ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"Group": "all"}]})
    same("public", image(w.ec2, made)["Public"], True)
    other = w.client("ec2", account=neighbour)
    same("for others", _listed(other, Owners=[w.account]), {made})
    w.ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Remove": [{"Group": "all"}]})
    same("public again", image(w.ec2, made)["Public"], False)


@behaviour("2.7", "the sixth public image of a region is refused")
def public_quota(w):
    source = w.completed_snapshot()["SnapshotId"]
    grant = {"Add": [{"Group": "all"}]}
    made = [w.registered(source)["ImageId"] for _ in range(6)]
    for ident in made[:5]:
        w.ec2.modify_image_attribute(ImageId=ident, LaunchPermission=grant)
    refused(None, w.ec2.modify_image_attribute, ImageId=made[5], LaunchPermission=grant)
    for ident in made[:5]:
        w.ec2.modify_image_attribute(ImageId=ident, LaunchPermission={"Remove": grant["Add"]})


@behaviour("3", "a user id that is none is refused when sharing")
def bad_user(w):
    made = w.registered()
    codes = ("InvalidUserID.Malformed", "InvalidAMIAttributeItemValue", "InvalidParameterValue")
    refused(codes, w.ec2.modify_image_attribute, ImageId=made["ImageId"],
            LaunchPermission={"Add": [{"UserId": "someone"}]})
    refused(codes, w.ec2.modify_snapshot_attribute, SnapshotId=one(snapshots_of(made)),
            Attribute=PERMISSION, OperationType="add", UserIds=["someone"])


@behaviour("2.7", "ModifyImageAttribute of a pending image is Unavailable, and AWS says why")
def pending(w):
    machine = w.launch()["InstanceId"]
    made = w.ec2.create_image(InstanceId=machine, Name="pending", NoReboot=True)["ImageId"]
    refused("InvalidAMIID.Unavailable", w.ec2.modify_image_attribute, ImageId=made,
            LaunchPermission={"Add": [{"UserId": "111122223333"}]},
            says=f"The AMI ID '{made}' is currently pending and may not be used for this "
                 "operation")


@behaviour("2.7", "the description of an image can be changed")
def description(w):
    made = w.registered()["ImageId"]
    w.ec2.modify_image_attribute(ImageId=made, Description={"Value": "new words"})
    same("described", image(w.ec2, made)["Description"], "new words")
    answer = w.ec2.describe_image_attribute(ImageId=made, Attribute="description")
    same("the attribute", answer["Description"]["Value"], "new words")


@behaviour("2.7", "a snapshot is shared by create-volume permission, and no longer")
def snapshot_permission(w):
    neighbour = w.neighbour()
    other = w.client("ec2", account=neighbour)
    taken = w.completed_snapshot()["SnapshotId"]
    request = {"AvailabilityZone": "us-east-1a", "SnapshotId": taken}
    change = {"SnapshotId": taken, "Attribute": PERMISSION, "UserIds": [neighbour]}
    refused(None, other.create_volume, **request)
    w.ec2.modify_snapshot_attribute(OperationType="add", **change)
    answer = w.ec2.describe_snapshot_attribute(SnapshotId=taken, Attribute=PERMISSION)
    same("permissions", answer["CreateVolumePermissions"], [{"UserId": neighbour}])
    made = other.create_volume(**request)["VolumeId"]
    same("the volume", volume(other, made)["SnapshotId"], taken)
    w.ec2.modify_snapshot_attribute(OperationType="remove", **change)
    refused(None, other.create_volume, **request)


@behaviour("2.7", "create-volume permissions are added or removed, not both in one call")
def snapshot_permission_both(w):
    taken = w.completed_snapshot()["SnapshotId"]
    refused(None, w.ec2.modify_snapshot_attribute, SnapshotId=taken, Attribute=PERMISSION,
            CreateVolumePermission={"Add": [{"UserId": "111122223333"}],
                                    "Remove": [{"UserId": "123456789012"}]})


@behaviour("2.7", "a snapshot encrypted with aws/ebs cannot be shared")
def snapshot_default_key(w):
    taken = w.completed_snapshot(Encrypted=True)["SnapshotId"]
    refused(None, w.ec2.modify_snapshot_attribute, SnapshotId=taken, Attribute=PERMISSION,
            OperationType="add", UserIds=["111122223333"])
