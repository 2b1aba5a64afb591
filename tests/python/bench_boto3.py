"""How fast a cloud is for boto3: registers images, lists them, and makes small calls.

Prints one JSON object. Usage:
    python bench_boto3.py --endpoint URL [--images N]
    python bench_boto3.py --moto [--images N]
With --moto it starts moto's server itself, in a process of its own, so that client and server do
not wait for one interpreter lock.
"""

import argparse
import functools
import json
import logging
import multiprocessing
import os
import statistics
import time
import urllib.request

import boto3
from botocore.config import Config

REGION = "us-east-1"
LISTINGS = 5
SMALL_CALLS = 400
WARM_UP_CALLS = 20


def serve_moto(pipe):
    from moto.server import ThreadedMotoServer

    # Its server writes a line for every request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    pipe.send(server.get_host_and_port())
    pipe.recv()


def with_moto(act):
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve_moto, args=(theirs,), daemon=True)
    server.start()
    host, port = ours.recv()
    try:
        return act(f"http://{host}:{port}")
    finally:
        ours.send("stop")
        server.join(5)
        server.kill()


def client(endpoint):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    return boto3.client(
        "ec2", endpoint_url=endpoint, region_name=REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="not-checked",
        # A call that is made again would be measured as one.
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}))


def advance(endpoint, seconds):
    """Lets time pass in our cloud."""
    body = json.dumps({"advance_seconds": seconds}).encode()
    request = urllib.request.Request(f"{endpoint}/_cloud/clock", data=body, method="POST")
    urllib.request.urlopen(request).close()


def instantly(seconds):
    """With moto everything is done at once."""


def snapshot(ec2, passing):
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
    passing(60)
    made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    passing(3600)
    return made


def register(ec2, name, snapshot_id):
    tags = [{"Key": f"field-{n}", "Value": f"{name}-{n}"} for n in range(10)]
    made = ec2.register_image(
        Name=name, Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}],
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}])
    return made["ImageId"]


def per_second(count, act):
    for number in range(WARM_UP_CALLS):
        act(number)
    begun = time.perf_counter()
    for number in range(count):
        act(number)
    return round(count / (time.perf_counter() - begun))


def measure(endpoint, passing, count):
    ec2 = client(endpoint)
    backing = snapshot(ec2, passing)
    begun = time.perf_counter()
    images = [register(ec2, f"backup-{number}", backing) for number in range(count)]
    registered = time.perf_counter() - begun
    passing(3600)
    spans = []
    for _ in range(LISTINGS):
        begun = time.perf_counter()
        found = ec2.describe_images(Owners=["self"])["Images"]
        spans.append(time.perf_counter() - begun)
        ids = {image["ImageId"] for image in found}
        if not ids.issuperset(images):
            raise SystemExit(f"of {count} images only {len(ids)} were described")

    def one(number):
        ec2.describe_images(ImageIds=[images[number % count]])

    def tag(number):
        ec2.create_tags(Resources=[images[number % count]],
                        Tags=[{"Key": "run", "Value": str(number)}])

    return {
        "images": count,
        "register_all_seconds": round(registered, 3),
        "describe_all_ms": {
            "median": round(statistics.median(spans) * 1000, 1),
            "worst": round(max(spans) * 1000, 1),
            "of": LISTINGS,
        },
        "describe_one_per_second": per_second(SMALL_CALLS, one),
        "create_tags_per_second": per_second(SMALL_CALLS, tag),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--endpoint", metavar="URL")
    against.add_argument("--moto", action="store_true")
    parser.add_argument("--images", type=int, default=1000, metavar="N")
    arguments = parser.parse_args()

    if arguments.moto:
        figures = with_moto(lambda url: measure(url, instantly, arguments.images))
    else:
        passing = functools.partial(advance, arguments.endpoint)
        figures = measure(arguments.endpoint, passing, arguments.images)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
