"""What a behaviour has at hand: an account of its own, clients for it, and the clock.

Time stands still unless a behaviour moves it, so nothing here sleeps. Waiting is advancing the
clock in steps until a describe shows the state, with a bound; a state from which there is no way
to the wanted one fails at once.
"""

import itertools
import json
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HOME = "us-east-1"
AWAY = "eu-west-1"
THIRD = "ap-southeast-2"

LINUX = "al2023-ami-*-x86_64"
LINUX_ARM = "al2023-ami-*-arm64"
UBUNTU = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
WINDOWS = "Windows_Server-2022-English-Full-Base-*"
WINDOWS_TPM = "TPM-Windows_Server-2022-English-Full-Base-*"
RHEL = "RHEL-9.4.0_HVM-*-x86_64-0-Hourly2-GP3"
SUSE = "suse-sles-15-sp6-v*-hvm-ssd-x86_64"
FIREWALL = "acme-firewall-7.1-x86_64-marketplace"

# Copies may take tens of minutes; nothing the suite waits for takes longer than six hours.
STEP_SECONDS = 60
STEPS_MAX = 360

_NO_WAY_BACK = {"failed", "error", "terminated", "deregistered", "deleted"}

# The server takes an access key that it does not know for the administrator's of this account.
UNDECLARED_KEY = "AKIAIOSFODNN7EXAMPLE"
UNDECLARED_ACCOUNT = "123456789012"

# EC2 lets one volume be snapshotted once in 15 s.
VOLUME_REST_SECONDS = 16


class World:
    """One account, fresh for one behaviour."""

    def __init__(self, endpoint, control, session, checker, account):
        self.endpoint = endpoint
        self.control = control
        self.checker = checker
        self.account = account
        self.first_account = int(account)
        self.session = boto3.Session(botocore_session=session)
        self._keys = {account: control.account(account)}
        self._clients = {}
        self._names = itertools.count(1)
        self._closing = []

    # Clients

    def client(self, service, region=HOME, account=None, attempts=1, validate=True):
        """A client that sends each request `attempts` times at most."""
        account = account or self.account
        wanted = (service, region, account, attempts, validate)
        if wanted not in self._clients:
            config = Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                parameter_validation=validate,
            )
            self._clients[wanted] = self.session.client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                aws_access_key_id=self.access_key(account),
                aws_secret_access_key="not-checked",
                config=config,
            )
        return self._clients[wanted]

    @property
    def ec2(self):
        """EC2 in the home region."""
        return self.client("ec2")

    @property
    def away(self):
        """EC2 in another region."""
        return self.client("ec2", AWAY)

    @property
    def events(self):
        """EventBridge in the home region."""
        return self.client("events")

    def neighbour(self):
        """Another account; each call declares a new one."""
        account = str(self.first_account + len(self._keys))
        self._keys[account] = self.control.account(account)
        return account

    def name(self, prefix="thing"):
        """A name that this account has not used."""
        return f"{prefix}-{next(self._names)}"

    def access_key(self, account=None):
        """The access key of an account; one that nobody declared has the undeclared key."""
        return self._keys.get(account or self.account, UNDECLARED_KEY)

    def at_close(self, act):
        """What must be undone so that later behaviours do not pay for it."""
        self._closing.append(act)

    def close(self):
        """Undo; a failure here says nothing about the behaviour, which has already answered."""
        for act in reversed(self._closing):
            try:
                act()
            except ClientError:
                pass
        # Clients of a finished behaviour hold sockets.
        for client in self._clients.values():
            client.close()

    # Time

    def now(self):
        """The virtual time."""
        return parse_time(self.control.now())

    def advance(self, seconds):
        """Move virtual time on."""
        self.control.advance(seconds)

    def until(self, what, ask, wanted, step=STEP_SECONDS, steps=STEPS_MAX):
        """Advance until `wanted(ask())` holds; the answer for which it did."""
        answer = ask()
        for _ in range(steps):
            if wanted(answer):
                return answer
            self.advance(step)
            answer = ask()
        if wanted(answer):
            return answer
        raise AssertionError(f"{what} did not come within {steps} x {step} s: {answer!r}")

    def _state(self, what, ask, state_of, wanted, step):
        def settled(thing):
            state = state_of(thing)
            if state != wanted and state in _NO_WAY_BACK:
                raise AssertionError(f"{what} is {state}, never {wanted}: {thing!r}")
            return state == wanted

        return self.until(f"{what} {wanted}", ask, settled, step)

    def wait_instance(self, instance_id, wanted, ec2=None):
        """The instance, once it is in the state."""
        ec2 = ec2 or self.ec2
        return self._state(
            instance_id, lambda: instance(ec2, instance_id), lambda i: i["State"]["Name"], wanted,
            15,
        )

    def wait_image(self, image_id, wanted="available", ec2=None):
        """The image, once it is in the state."""
        ec2 = ec2 or self.ec2
        return self._state(
            image_id, lambda: image(ec2, image_id), lambda i: i["State"], wanted, STEP_SECONDS
        )

    def wait_snapshot(self, snapshot_id, wanted="completed", ec2=None):
        """The snapshot, once it is in the state."""
        ec2 = ec2 or self.ec2
        return self._state(
            snapshot_id, lambda: snapshot(ec2, snapshot_id), lambda s: s["State"], wanted,
            STEP_SECONDS,
        )

    def wait_volume(self, volume_id, wanted="available", ec2=None):
        """The volume, once it is in the state."""
        ec2 = ec2 or self.ec2
        return self._state(
            volume_id, lambda: volume(ec2, volume_id), lambda v: v["State"], wanted, 15
        )

    # Things

    def public_image(self, name=LINUX, owner="amazon", ec2=None):
        """The one image of the catalogue with this name."""
        found = (ec2 or self.ec2).describe_images(
            Owners=[owner], Filters=[{"Name": "name", "Values": [name]}]
        )["Images"]
        same(f"how many public images are called {name}", len(found), 1)
        return found[0]

    def launch(self, image_id=None, volumes=(), ec2=None, root=None, wait=True, **more):
        """A machine with a data volume of each size; running, unless told not to wait."""
        ec2 = ec2 or self.ec2
        source = image(ec2, image_id) if image_id else self.public_image(ec2=ec2)
        arm = source["Architecture"] == "arm64"
        mappings = [
            {"DeviceName": f"/dev/sd{chr(ord('f') + index)}",
             "Ebs": {"VolumeSize": size, "VolumeType": "gp3", "DeleteOnTermination": True}}
            for index, size in enumerate(volumes)
        ]
        if root:
            mappings.append({"DeviceName": source["RootDeviceName"], "Ebs": root})
        request = {
            "ImageId": source["ImageId"],
            "InstanceType": "t4g.micro" if arm else "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
        }
        if mappings:
            request["BlockDeviceMappings"] = mappings
        made = ec2.run_instances(**(request | more))["Instances"][0]
        if not wait:
            return made
        return self.wait_instance(made["InstanceId"], "running", ec2)

    def stopped_machine(self, **more):
        """A machine that has run and is stopped."""
        machine = self.launch(**more)
        self.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
        return self.wait_instance(machine["InstanceId"], "stopped")

    def completed_snapshot(self, size=1, ec2=None, volume_type="gp3", tags=(), **more):
        """A completed snapshot of a new volume."""
        ec2 = ec2 or self.ec2
        zone = ec2.meta.region_name + "a"
        made = ec2.create_volume(
            AvailabilityZone=zone, Size=size, VolumeType=volume_type, **more
        )["VolumeId"]
        self.wait_volume(made, ec2=ec2)
        request = {"VolumeId": made}
        if tags:
            request["TagSpecifications"] = tag_spec("snapshot", dict(tags))
        taken = ec2.create_snapshot(**request)["SnapshotId"]
        return self.wait_snapshot(taken, ec2=ec2)

    def registered(self, snapshot_id=None, ec2=None, mapping=None, **more):
        """An available image registered from a snapshot."""
        ec2 = ec2 or self.ec2
        snapshot_id = snapshot_id or self.completed_snapshot(ec2=ec2)["SnapshotId"]
        ebs = {"SnapshotId": snapshot_id} | (mapping or {})
        request = {
            "Name": self.name("registered"),
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "RootDeviceName": "/dev/xvda",
            "EnaSupport": True,
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}],
        }
        made = ec2.register_image(**(request | more))["ImageId"]
        return self.wait_image(made, ec2=ec2)

    def imaged(self, instance_id, **more):
        """An available image of a machine."""
        request = {"InstanceId": instance_id, "Name": self.name("imaged"), "NoReboot": True}
        made = self.ec2.create_image(**(request | more))["ImageId"]
        return self.wait_image(made)

    def rest(self):
        """Let every volume rest, so that it may be snapshotted again."""
        self.advance(VOLUME_REST_SECONDS)

    def key(self, region=HOME):
        """The ARN of a new symmetric key."""
        return self.client("kms", region).create_key()["KeyMetadata"]["Arn"]


# Descriptions of one thing

def instance(ec2, instance_id):
    """One instance, described by its id."""
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    return one(i for r in found for i in r["Instances"])


def image(ec2, image_id):
    """One image, described by its id, disabled or not."""
    return one(ec2.describe_images(ImageIds=[image_id], IncludeDisabled=True)["Images"])


def snapshot(ec2, snapshot_id):
    """One snapshot, described by its id."""
    return one(ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"])


def volume(ec2, volume_id):
    """One volume, described by its id."""
    return one(ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"])


def one(things):
    """The only one of them."""
    things = list(things)
    same("how many were described", len(things), 1)
    return things[0]


def root_volume(machine):
    """The id of the volume behind the root device of a described instance."""
    return one(
        m["Ebs"]["VolumeId"] for m in machine["BlockDeviceMappings"]
        if m["DeviceName"] == machine["RootDeviceName"]
    )


def data_volumes(machine):
    """The ids of the other volumes, in the order of their devices."""
    others = [
        m for m in machine["BlockDeviceMappings"] if m["DeviceName"] != machine["RootDeviceName"]
    ]
    return [m["Ebs"]["VolumeId"] for m in sorted(others, key=lambda m: m["DeviceName"])]


def snapshots_of(described):
    """The ids of the snapshots in the mappings of a described image, by device."""
    mappings = sorted(described["BlockDeviceMappings"], key=lambda m: m["DeviceName"])
    return [m["Ebs"]["SnapshotId"] for m in mappings if "SnapshotId" in m.get("Ebs", {})]


def tag_spec(resource_type, tags):
    """Tag specifications of one resource type."""
    return [{"ResourceType": resource_type, "Tags": tag_list(tags)}]


def tag_list(tags):
    """A dictionary as EC2 wants it."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(described):
    """The tags of a described thing as a dictionary; absent is none."""
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


def parse_time(text):
    """An ISO timestamp in UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def iso(moment):
    """The same, written to the second."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def later(moment, **parts):
    """A moment some time after another."""
    return moment + timedelta(**parts)


# Statements

def same(what, actual, wanted):
    """Fails unless both are equal."""
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, wanted {wanted!r}")


def true(what, condition):
    """Fails unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def among(what, actual, allowed):
    """Fails unless the value is one of those allowed."""
    if actual not in allowed:
        raise AssertionError(f"{what}: {actual!r} is none of {sorted(allowed)}")


# A refusal with one of these says nothing of what was asked for.
_NOT_UNDERSTOOD = {
    "InvalidAction", "UnknownParameter", "UnknownOperationException", "SerializationException",
}


def refused(codes, call, *, says=(), **request):
    """The error of a call that must be refused with one of the codes.

    None stands for a refusal whose code is not published: any 4xx that understood the question.
    """
    try:
        call(**request)
    except ClientError as problem:
        error = problem.response["Error"]
        status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
        if codes is None:
            wrong_reason = error["Code"] in _NOT_UNDERSTOOD or not 400 <= status < 500
            true(f"refused with {status} {error['Code']}", not wrong_reason)
        else:
            wanted = (codes,) if isinstance(codes, str) else codes
            among(f"the error ({error.get('Message')})", error["Code"], wanted)
        for words in (says,) if isinstance(says, str) else says:
            told = error.get("Message") or ""
            true(f"{words!r} is missing from {told!r}", words in told)
        return problem.response
    asked = json.dumps(request, default=str)
    raise AssertionError(f"not refused, wanted {codes or 'a refusal'}: {asked}")
