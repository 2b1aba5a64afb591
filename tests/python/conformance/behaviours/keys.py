"""KMS, as far as images need it: keys, aliases, disabled, pending deletion."""

from ..registry import behaviour
from ..world import AWAY, HOME, one, refused, same, true, volume

UNKNOWN = "11112222-3333-4444-5555-666677778888"


@behaviour("5.2", "a new key is enabled, symmetric, the customer's, with an ARN of its region")
def created(w):
    made = w.client("kms").create_key(Description="for disks")["KeyMetadata"]
    same("the key", [made[k] for k in ("KeyState", "Enabled", "KeyUsage", "KeyManager",
                                       "KeySpec", "Description", "AWSAccountId")],
         ["Enabled", True, "ENCRYPT_DECRYPT", "CUSTOMER", "SYMMETRIC_DEFAULT", "for disks",
          w.account])
    same("the ARN", made["Arn"], f"arn:aws:kms:{HOME}:{w.account}:key/{made['KeyId']}")


@behaviour("5.2", "a key is described by id, ARN, alias and alias ARN")
def described(w):
    kms, key = w.client("kms"), w.key()
    kms.create_alias(AliasName="alias/disks", TargetKeyId=key)
    for form in (key, key.rsplit("/", 1)[1], "alias/disks",
                 f"arn:aws:kms:{HOME}:{w.account}:alias/disks"):
        same(form, kms.describe_key(KeyId=form)["KeyMetadata"]["Arn"], key)


@behaviour("5.2", "an alias is listed with its key, and is free for one key only")
def alias(w):
    kms, key = w.client("kms"), w.key()
    kms.create_alias(AliasName="alias/disks", TargetKeyId=key)
    found = one(a for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/disks")
    same("the key", found["TargetKeyId"], key.rsplit("/", 1)[1])
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/disks",
            TargetKeyId=w.key())


@behaviour("5.2", "a key can be disabled and enabled again")
def disabled(w):
    kms, key = w.client("kms"), w.key()
    kms.disable_key(KeyId=key)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    same("disabled", (shown["KeyState"], shown["Enabled"]), ("Disabled", False))
    kms.enable_key(KeyId=key)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    same("enabled", (shown["KeyState"], shown["Enabled"]), ("Enabled", True))


@behaviour("5.2", "a key scheduled for deletion waits for its days in PendingDeletion")
def deletion(w):
    kms, key = w.client("kms"), w.key()
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    same("the state", answer["KeyState"], "PendingDeletion")
    wait = answer["DeletionDate"] - w.now()
    true(f"{wait}", abs(wait.total_seconds() - 7 * 86400) <= 86400)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    same("described", (shown["KeyState"], shown["Enabled"]), ("PendingDeletion", False))


@behaviour("5.2", "an unknown key is NotFoundException, and so is a key of another region")
def unknown(w):
    refused("NotFoundException", w.client("kms").describe_key, KeyId=UNKNOWN)
    key = w.key(HOME).rsplit("/", 1)[1]
    refused("NotFoundException", w.client("kms", AWAY).describe_key, KeyId=key)


@behaviour("5.2", "a volume encrypted without a key uses the AWS managed key aws/ebs")
def default_key(w):
    made = w.ec2.create_volume(AvailabilityZone=HOME + "a", Size=1, Encrypted=True)["VolumeId"]
    key = volume(w.ec2, made)["KmsKeyId"]
    shown = w.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    same("the key", (shown["Arn"], shown["KeyManager"]), (key, "AWS"))
