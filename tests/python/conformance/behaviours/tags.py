"""Tags: the limit of 50, the reserved prefix, tagging on create, and DeleteTags with a value."""

from ..registry import behaviour
from ..world import image, instance, one, refused, root_volume, same, tag_list, tag_spec, tags_of

TAGS_MAX = 50
RESERVED = "Tag keys starting with 'aws:' are reserved for internal use"


def _many(count):
    return {f"key-{number:02}": str(number) for number in range(count)}


def _volume(w):
    return w.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]


def _tags(w, resource):
    rows = w.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]
    return {row["Key"]: row["Value"] for row in rows}


@behaviour("2.1", "50 tags fit a resource; the 51st is TagLimitExceeded and changes nothing")
def limit(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list(_many(TAGS_MAX)))
    refused("TagLimitExceeded", w.ec2.create_tags, Resources=[made], Tags=tag_list({"one": "more"}))
    same("the tags", _tags(w, made), _many(TAGS_MAX))


@behaviour("2.1", "a full resource still lets an existing tag be changed")
def limit_overwrite(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list(_many(TAGS_MAX)))
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"key-00": "new"}))
    same("the tag", _tags(w, made)["key-00"], "new")


@behaviour("2.1", "51 tags on create are TagLimitExceeded and nothing is made")
def limit_on_create(w):
    refused("TagLimitExceeded", w.ec2.create_volume, AvailabilityZone="us-east-1a", Size=1,
            TagSpecifications=tag_spec("volume", _many(TAGS_MAX + 1)))
    same("volumes", w.ec2.describe_volumes()["Volumes"], [])


@behaviour("2.1", "a key starting with aws: is InvalidParameterValue with AWS's sentence")
def reserved(w):
    refused("InvalidParameterValue", w.ec2.create_tags, Resources=[_volume(w)],
            Tags=tag_list({"aws:mine": "x"}), says=RESERVED)


@behaviour("2.1", "a key starting with aws: is refused in the tags of an image on create")
def reserved_on_create(w):
    machine = w.launch()["InstanceId"]
    refused("InvalidParameterValue", w.ec2.create_image, InstanceId=machine, Name="reserved",
            TagSpecifications=tag_spec("image", {"aws:mine": "x"}), says=RESERVED)
    same("images", w.ec2.describe_images(Owners=["self"])["Images"], [])


@behaviour("6.2", "a tag that exists gets the new value; keys are told apart by case")
def overwrite(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"Name": "old", "name": "small"}))
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"Name": "new"}))
    same("the tags", _tags(w, made), {"Name": "new", "name": "small"})


@behaviour("6.2", "an empty value is kept as an empty value")
def empty(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"flag": ""}))
    same("the tags", _tags(w, made), {"flag": ""})


@behaviour("6.2", "one CreateTags tags resources of several types")
def several(w):
    machine = w.launch()
    resources = [machine["InstanceId"], root_volume(machine)]
    w.ec2.create_tags(Resources=resources, Tags=tag_list({"set": "7"}))
    rows = w.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["set"]}])["Tags"]
    same("the rows", {(r["ResourceId"], r["ResourceType"], r["Value"]) for r in rows},
         {(resources[0], "instance", "7"), (resources[1], "volume", "7")})


@behaviour("2.8", "DescribeTags filters by key, value, resource-id and resource-type")
def described(w):
    machine = w.launch(TagSpecifications=tag_spec("instance", {"a": "1", "b": "2"})
                       + tag_spec("volume", {"a": "2"}))
    ident, disk = machine["InstanceId"], root_volume(machine)
    wanted = {
        ("key", "a"): {(ident, "a"), (disk, "a")},
        ("value", "2"): {(ident, "b"), (disk, "a")},
        ("resource-id", disk): {(disk, "a")},
        ("resource-type", "instance"): {(ident, "a"), (ident, "b")},
    }
    for (name, value), rows in wanted.items():
        found = w.ec2.describe_tags(Filters=[{"Name": name, "Values": [value]}])["Tags"]
        same(f"{name}={value}", {(r["ResourceId"], r["Key"]) for r in found}, rows)


@behaviour("6.2", "DeleteTags with a key alone deletes it whatever its value")
def delete_key(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"a": "1", "b": "2"}))
    w.ec2.delete_tags(Resources=[made], Tags=[{"Key": "a"}])
    same("the tags", _tags(w, made), {"b": "2"})


@behaviour("6.2", "DeleteTags with key and value deletes only the tag that has this value")
def delete_value(w):
    made = _volume(w)
    w.ec2.create_tags(Resources=[made], Tags=tag_list({"a": "1", "b": "2"}))
    w.ec2.delete_tags(Resources=[made], Tags=tag_list({"a": "other", "b": "2"}))
    same("the tags", _tags(w, made), {"a": "1"})


@behaviour("2.9", "deleting a tag that is not there succeeds")
def delete_absent(w):
    made = _volume(w)
    w.ec2.delete_tags(Resources=[made], Tags=[{"Key": "nothing"}])
    same("the tags", _tags(w, made), {})


@behaviour("3", "tagging an unknown resource is the NotFound of its type")
def unknown(w):
    for resource, code in [
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound"),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
    ]:
        refused(code, w.ec2.create_tags, Resources=[resource], Tags=tag_list({"a": "1"}))


@behaviour("2.1", "CreateImage takes tags for image and snapshot only")
def wrong_type(w):
    machine = w.launch()["InstanceId"]
    refused(None, w.ec2.create_image, InstanceId=machine, Name="wrong-type",
            TagSpecifications=tag_spec("instance", {"a": "1"}))


@behaviour("2.8", "tags of instance, image and snapshot are in their descriptions")
def in_descriptions(w):
    machine = w.launch()["InstanceId"]
    made = w.imaged(machine)["ImageId"]
    disk = one(w.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])["SnapshotId"]
    w.ec2.create_tags(Resources=[machine, made, disk], Tags=tag_list({"seen": "yes"}))
    same("the instance", tags_of(instance(w.ec2, machine)), {"seen": "yes"})
    same("the image", tags_of(image(w.ec2, made)), {"seen": "yes"})
    taken = one(w.ec2.describe_snapshots(SnapshotIds=[disk])["Snapshots"])
    same("the snapshot", tags_of(taken), {"seen": "yes"})
