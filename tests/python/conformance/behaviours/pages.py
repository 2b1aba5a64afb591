"""Pages: all of it, each thing once, and which combinations are refused."""

from ..registry import behaviour
from ..world import refused, same, true

TOKEN_CODES = ("InvalidNextToken", "InvalidPaginationToken", "InvalidParameterValue")
# A listing that never ends would otherwise hang the suite.
PAGES_MAX = 50


def _images(w, count):
    source = w.completed_snapshot()["SnapshotId"]
    return {w.registered(source)["ImageId"] for _ in range(count)}


def _walk(call, key, **request):
    things, sizes = [], []
    for _ in range(PAGES_MAX):
        page = call(**request)
        things += page[key]
        sizes.append(len(page[key]))
        if not page.get("NextToken"):
            return things, sizes
        request["NextToken"] = page["NextToken"]
    raise AssertionError(f"{PAGES_MAX} pages and no end")


@behaviour("2.8", "DescribeImages in pages lists every image once, no page larger than asked")
def images(w):
    wanted = _images(w, 7)
    found, sizes = _walk(w.ec2.describe_images, "Images", Owners=["self"], MaxResults=5)
    same("images", sorted(i["ImageId"] for i in found), sorted(wanted))
    true(f"pages of {sizes}", max(sizes) <= 5 and len(sizes) >= 2)


@behaviour("2.8", "DescribeSnapshots in pages lists every snapshot once")
def snapshots(w):
    machines = [w.launch(volumes=[1, 1, 1])["InstanceId"] for _ in range(2)]
    for machine in machines:
        w.ec2.create_snapshots(InstanceSpecification={"InstanceId": machine})
    found, sizes = _walk(w.ec2.describe_snapshots, "Snapshots", OwnerIds=["self"], MaxResults=5)
    same("how many, each once", (len(found), len({s["SnapshotId"] for s in found})), (8, 8))
    true(f"pages of {sizes}", max(sizes) <= 5 and len(sizes) >= 2)


@behaviour("2.8", "DescribeInstances in pages lists every machine once")
def instances(w):
    ami = w.public_image()["ImageId"]
    for _ in range(7):
        w.ec2.run_instances(ImageId=ami, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        w.advance(10)
    found, sizes = _walk(w.ec2.describe_instances, "Reservations", MaxResults=5)
    ids = [i["InstanceId"] for r in found for i in r["Instances"]]
    same("how many, each once", (len(ids), len(set(ids))), (7, 7))
    true(f"pages of {sizes}", len(sizes) >= 2)


@behaviour("2.8", "boto3's own paginator walks DescribeTags to its end")
def tags(w):
    made = w.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    w.ec2.create_tags(Resources=[made],
                      Tags=[{"Key": f"k{n}", "Value": str(n)} for n in range(12)])
    pages = w.ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5})
    keys = [t["Key"] for page in pages for t in page["Tags"]]
    same("keys", sorted(keys), sorted(f"k{n}" for n in range(12)))


@behaviour("2.8", "a page of a filtered listing holds to the filter")
def filtered(w):
    source = w.completed_snapshot()["SnapshotId"]
    wanted = {w.registered(source, Name=f"keep-{n}")["ImageId"] for n in range(6)}
    for n in range(3):
        w.registered(source, Name=f"drop-{n}")
    found, _ = _walk(w.ec2.describe_images, "Images", Owners=["self"], MaxResults=5,
                     Filters=[{"Name": "name", "Values": ["keep-*"]}])
    same("images", sorted(i["ImageId"] for i in found), sorted(wanted))


@behaviour("2.8", "MaxResults together with ids is InvalidParameterCombination")
def with_ids(w):
    machine = w.launch()["InstanceId"]
    for call in (w.ec2.describe_instances, w.ec2.describe_instance_status):
        refused("InvalidParameterCombination", call, InstanceIds=[machine], MaxResults=5)


@behaviour("2.8", "DescribeInstances takes MaxResults from 5 to 1000")
def bounds(w):
    for number in (4, 1001):
        refused(("InvalidMaxResults", "InvalidParameterValue"), w.ec2.describe_instances,
                MaxResults=number)
    for number in (5, 1000):
        same("reservations", w.ec2.describe_instances(MaxResults=number)["Reservations"], [])


@behaviour("3", "a token that nobody gave out is refused")
def token(w):
    for call in (w.ec2.describe_images, w.ec2.describe_snapshots, w.ec2.describe_instances):
        refused(TOKEN_CODES, call, NextToken="not-a-token", MaxResults=5)


@behaviour("2.8", "an empty list of ids is no filter: everything is described")
def empty_ids(w):
    wanted = _images(w, 2)
    found = w.ec2.describe_images(ImageIds=[], Owners=["self"])["Images"]
    same("images", {i["ImageId"] for i in found}, wanted)


@behaviour("2.8", "a listing that fits one page has no token")
def one_page(w):
    _images(w, 2)
    page = w.ec2.describe_images(Owners=["self"], MaxResults=1000)
    same("images", len(page["Images"]), 2)
    true("a token", not page.get("NextToken"))
