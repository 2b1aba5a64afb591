"""CopySnapshot: an odd volume id, no tags, a limit of 20, and keys that fail silently."""

from ..registry import behaviour
from ..world import AWAY, HOME, refused, same, snapshot, tag_spec, tags_of, true

COPIES_MAX = 20


def _copy(w, source_id, **more):
    request = {"SourceRegion": HOME, "SourceSnapshotId": source_id}
    return w.away.copy_snapshot(**(request | more))


def _copied(w, source_id, **more):
    return w.wait_snapshot(_copy(w, source_id, **more)["SnapshotId"], ec2=w.away)


@behaviour("2.5", "a copied snapshot is pending, then completed, with an odd volume id")
def copied(w):
    source = w.completed_snapshot(size=4)
    made = _copy(w, source["SnapshotId"], Description="copied")["SnapshotId"]
    same("the state at once", snapshot(w.away, made)["State"], "pending")
    done = w.wait_snapshot(made, ec2=w.away)
    same("size and text", (done["VolumeSize"], done["Description"]), (4, "copied"))
    true(f"the volume id is {done['VolumeId']}", done["VolumeId"].startswith("vol-ffff"))


@behaviour("2.5", "tags of the source are not copied; those given are, and are in the answer")
def tags(w):
    source = w.completed_snapshot(tags={"a": "1"})["SnapshotId"]
    same("without", tags_of(_copied(w, source)), {})
    answer = _copy(w, source, TagSpecifications=tag_spec("snapshot", {"b": "2"}))
    same("the answer", tags_of(answer), {"b": "2"})
    same("described", tags_of(snapshot(w.away, answer["SnapshotId"])), {"b": "2"})


@behaviour("2.5", "a pending source snapshot is refused")
def pending(w):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=100)["VolumeId"]
    w.wait_volume(made)
    source = w.ec2.create_snapshot(VolumeId=made)["SnapshotId"]
    refused(None, w.away.copy_snapshot, SourceRegion=HOME, SourceSnapshotId=source)


@behaviour("3", "an unknown source snapshot is InvalidSnapshot.NotFound")
def unknown(w):
    refused("InvalidSnapshot.NotFound", w.away.copy_snapshot, SourceRegion=HOME,
            SourceSnapshotId="snap-0123456789abcdef0")


@behaviour("2.5", "the 21st concurrent copy into a region is ResourceLimitExceeded")
def limit(w):
    source = w.completed_snapshot(size=500)["SnapshotId"]
    for _ in range(COPIES_MAX):
        _copy(w, source)
    refused("ResourceLimitExceeded", w.away.copy_snapshot, SourceRegion=HOME,
            SourceSnapshotId=source,
            says="Too many snapshot copies in progress. The limit is 20 for this destination "
                 "region.")
    w.client("ec2", "us-west-2").copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source)


@behaviour("2.5", "when copies have completed there is room for more")
def limit_over(w):
    source = w.completed_snapshot()["SnapshotId"]
    made = [_copy(w, source)["SnapshotId"] for _ in range(COPIES_MAX)]
    for ident in made:
        w.wait_snapshot(ident, ec2=w.away)
    _copy(w, source)


@behaviour("2.5", "an unknown key is accepted, and the snapshot goes to error with its message")
def unknown_key(w):
    source = w.completed_snapshot()["SnapshotId"]
    made = _copy(w, source, Encrypted=True, KmsKeyId="11112222-3333-4444-5555-666677778888")
    failed = w.wait_snapshot(made["SnapshotId"], "error", ec2=w.away)
    true(f"{failed}", "Given key ID is not accessible" in failed["StateMessage"])


@behaviour("2.5", "a copy can be encrypted with a key of the destination")
def encrypted(w):
    source, key = w.completed_snapshot()["SnapshotId"], w.key(AWAY)
    done = _copied(w, source, Encrypted=True, KmsKeyId=key)
    same("the key", (done["Encrypted"], done["KmsKeyId"]), (True, key))


@behaviour("2.5", "a copy of an encrypted snapshot is encrypted without being asked")
def stays_encrypted(w):
    source = w.completed_snapshot(Encrypted=True, KmsKeyId=w.key())["SnapshotId"]
    same("encrypted", _copied(w, source)["Encrypted"], True)


@behaviour("2.9", "CopySnapshot has no token: two calls make two snapshots")
def no_token(w):
    source = w.completed_snapshot()["SnapshotId"]
    first, second = _copy(w, source)["SnapshotId"], _copy(w, source)["SnapshotId"]
    true("one snapshot", first != second)


@behaviour("2.5", "a copy within the region works like any other")
def same_region(w):
    source = w.completed_snapshot()["SnapshotId"]
    made = w.ec2.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source)["SnapshotId"]
    true("the volume id", w.wait_snapshot(made)["VolumeId"].startswith("vol-ffff"))


@behaviour("2.5", "a time-based copy says so, with its minutes")
def time_based(w):
    source = w.completed_snapshot()["SnapshotId"]
    done = _copied(w, source, CompletionDurationMinutes=30)
    same("the transfer", (done["TransferType"], done["CompletionDurationMinutes"]),
         ("time-based", 30))
    same("the other", _copied(w, source).get("TransferType", "standard"), "standard")
