"""The token buckets: how many at once, how fast they refill, and whose they are."""

from ..registry import behaviour
from ..world import AWAY, HOME, refused, same, tag_list

LIMIT = "RequestLimitExceeded"


class _Counter:
    """Calls until it is told to slow down, in virtual time that stands still."""

    def __init__(self, call, bound=250, **request):
        self.call = call
        self.bound = bound
        self.request = request

    def drain(self):
        """How many calls the bucket lets through now."""
        client_error = self.call.__self__.exceptions.ClientError
        for passed in range(self.bound):
            try:
                self.call(**self.request)
            except client_error as problem:
                if problem.response["Error"]["Code"] == LIMIT:
                    same("the status", problem.response["ResponseMetadata"]["HTTPStatusCode"],
                         503)
                    return passed
        raise AssertionError(f"{self.bound} calls, and no {LIMIT}")


# A copy of an image that is not there takes a token like any other request.
_NO_COPY = {"SourceRegion": HOME, "SourceImageId": "ami-0123456789abcdef0", "Name": "nothing"}
_NO_IMAGE = {"InstanceId": "i-0123456789abcdef0", "Name": "nothing"}


def _bucket(w, call, size, refill, **request):
    """The size of a bucket, and that a second brings so many tokens and no more."""
    counter = _Counter(call, **request)
    same("the bucket", counter.drain(), size)
    w.advance(1)
    same("after a second", counter.drain(), refill)
    w.advance(3600)
    same("after an hour", counter.drain(), size)


@behaviour("4", "CopyImage has a bucket of 100 that gains 1 a second")
def copy_image(w):
    _bucket(w, w.away.copy_image, 100, 1, **_NO_COPY)


@behaviour("4", "100 copies of an image are taken at once, the 101st is RequestLimitExceeded")
def copies(w):
    source = w.registered()["ImageId"]
    for number in range(100):
        w.away.copy_image(SourceRegion=HOME, SourceImageId=source, Name=f"copy-{number}")
    refused(LIMIT, w.away.copy_image, SourceRegion=HOME, SourceImageId=source, Name="one-more")


@behaviour("4", "CreateImage has a bucket of 50 that gains 5 a second")
def create_image(w):
    _bucket(w, w.ec2.create_image, 50, 5, **_NO_IMAGE)


@behaviour("4", "RegisterImage has a bucket of 50 that gains 5 a second")
def register_image(w):
    _bucket(w, w.ec2.register_image, 50, 5, Name="nothing", RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda",
                                  "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}])


@behaviour("4", "CopySnapshot has a bucket of 50 that gains 5 a second")
def copy_snapshot(w):
    _bucket(w, w.away.copy_snapshot, 50, 5, SourceRegion=HOME,
            SourceSnapshotId="snap-0123456789abcdef0")


@behaviour("4", "CreateSnapshot has a bucket of 100 that gains 5 a second")
def create_snapshot(w):
    _bucket(w, w.ec2.create_snapshot, 100, 5, VolumeId="vol-0123456789abcdef0")


@behaviour("4", "DeregisterImage has a bucket of 100 that gains 5 a second")
def deregister_image(w):
    _bucket(w, w.ec2.deregister_image, 100, 5, ImageId="ami-0123456789abcdef0")


@behaviour("4", "CreateTags has a bucket of 100 that gains 10 a second")
def create_tags(w):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=1)["VolumeId"]
    _bucket(w, w.ec2.create_tags, 100, 10, Resources=[made], Tags=tag_list({"a": "1"}))


@behaviour("4", "RunInstances has a bucket of 5 that gains 2 a second")
def run_instances(w):
    ami = w.public_image()["ImageId"]
    _bucket(w, w.ec2.run_instances, 5, 2, ImageId=ami, InstanceType="t3.micro", MinCount=1,
            MaxCount=1)


@behaviour("4", "DescribeImages has a bucket of 100 that gains 20 a second")
def describe_images(w):
    _bucket(w, w.ec2.describe_images, 100, 20, Owners=["self"])


@behaviour("4", "DescribeSnapshots without filter and pages has a bucket of 50 that gains 10")
def describe_unfiltered(w):
    _bucket(w, w.ec2.describe_snapshots, 50, 10)


@behaviour("4", "DescribeInstances with a page size has a bucket of 100 that gains 20")
def describe_paged(w):
    _bucket(w, w.ec2.describe_instances, 100, 20, MaxResults=5)


@behaviour("4", "a bucket belongs to one action, one region and one account")
def whose(w):
    _Counter(w.ec2.create_image, **_NO_IMAGE).drain()
    refused(LIMIT, w.ec2.create_image, **_NO_IMAGE)
    missing = "InvalidInstanceID.NotFound"
    refused("InvalidAMIID.NotFound", w.ec2.copy_image, **_NO_COPY)
    refused(missing, w.client("ec2", AWAY).create_image, **_NO_IMAGE)
    refused(missing, w.client("ec2", account=w.neighbour()).create_image, **_NO_IMAGE)
