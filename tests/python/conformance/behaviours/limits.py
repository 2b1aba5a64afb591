"""Quotas that a normal day does not meet, each at its published number."""

from ..registry import behaviour
from ..world import HOME, VOLUME_REST_SECONDS, image, one, refused, same, snapshots_of

CONCURRENT_SNAPSHOTS_MAX = 5
COPY_BUCKET = 100
CONCURRENT_COPIES_MAX = 300
SHARED_WITH_MAX = 1000
ACCOUNTS_PER_CALL_MAX = 500


def _accounts(count, first=300000000000):
    return [str(first + number) for number in range(count)]


@behaviour("4", "a volume of type gp3 has at most 5 snapshots under way at a time")
def concurrent_snapshots(w):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=16000,
                               VolumeType="gp3")["VolumeId"]
    w.wait_volume(made)
    for _ in range(CONCURRENT_SNAPSHOTS_MAX):
        w.ec2.create_snapshot(VolumeId=made)
        w.advance(VOLUME_REST_SECONDS)
    refused("ConcurrentSnapshotLimitExceeded", w.ec2.create_snapshot, VolumeId=made)


@behaviour("4", "at most 300 images are being copied into a region at a time")
def concurrent_copies(w):
    source = w.registered(w.completed_snapshot(size=2000)["SnapshotId"])["ImageId"]
    request = {"SourceRegion": HOME, "SourceImageId": source}
    for number in range(CONCURRENT_COPIES_MAX):
        if number >= COPY_BUCKET:
            w.advance(1)
        w.away.copy_image(Name=f"copy-{number}", **request)
    w.advance(1)
    refused("ResourceLimitExceeded", w.away.copy_image, Name="one-more", **request)


@behaviour("4", "an image can be shared with 1000 accounts and no more")
def shared_with(w):
    made = w.registered()["ImageId"]
    for start in range(0, SHARED_WITH_MAX, ACCOUNTS_PER_CALL_MAX):
        grants = [{"UserId": a} for a in _accounts(SHARED_WITH_MAX)[start:][
            :ACCOUNTS_PER_CALL_MAX]]
        w.ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": grants})
    refused(None, w.ec2.modify_image_attribute, ImageId=made,
            LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    shown = w.ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")
    same("accounts", len(shown["LaunchPermissions"]), SHARED_WITH_MAX)
    same("public", image(w.ec2, made)["Public"], False)


@behaviour("2.7", "ModifySnapshotAttribute takes at most 500 accounts in one call")
def accounts_per_call(w):
    taken = one(snapshots_of(w.registered()))
    request = {"SnapshotId": taken, "Attribute": "createVolumePermission", "OperationType": "add"}
    refused(None, w.ec2.modify_snapshot_attribute,
            UserIds=_accounts(ACCOUNTS_PER_CALL_MAX + 1), **request)
    w.ec2.modify_snapshot_attribute(UserIds=_accounts(ACCOUNTS_PER_CALL_MAX), **request)
