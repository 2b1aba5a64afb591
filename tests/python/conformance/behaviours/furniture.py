"""What stands around images: launch templates, references, parameters, network, regions, STS."""

import time

from botocore.exceptions import ClientError

from ..registry import behaviour
from ..world import (
    AWAY, HOME, UNDECLARED_ACCOUNT, among, one, refused, same, tag_spec, tags_of, true,
)

TEMPLATE_GONE = ("InvalidLaunchTemplateId.NotFound",
                 "InvalidLaunchTemplateName.NotFoundException")


def _template(w, image_id, name="web"):
    data = {"ImageId": image_id, "InstanceType": "t3.micro"}
    return w.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]


@behaviour("2.7", "a launch template begins with version 1, which is default and latest")
def template(w):
    made = _template(w, w.public_image()["ImageId"])
    same("versions", (made["DefaultVersionNumber"], made["LatestVersionNumber"]), (1, 1))
    shown = one(w.ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"])
    same("the id", shown["LaunchTemplateId"], made["LaunchTemplateId"])


@behaviour("2.7", "a new version is the latest; the default moves only when told")
def versions(w):
    image = w.public_image()["ImageId"]
    ident = _template(w, image)["LaunchTemplateId"]
    answer = w.ec2.create_launch_template_version(
        LaunchTemplateId=ident, SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t3.large"})
    version = answer["LaunchTemplateVersion"]
    same("the version", (version["VersionNumber"], version["DefaultVersion"]), (2, False))
    same("its data", (version["LaunchTemplateData"]["ImageId"],
                      version["LaunchTemplateData"]["InstanceType"]), (image, "t3.large"))
    w.ec2.modify_launch_template(LaunchTemplateId=ident, DefaultVersion="2")
    shown = w.ec2.describe_launch_template_versions(LaunchTemplateId=ident,
                                                    Versions=["$Default"])
    same("the default", one(shown["LaunchTemplateVersions"])["VersionNumber"], 2)


@behaviour("2.7", "a machine can be launched from a template, latest or default")
def launch_from_template(w):
    image = w.public_image()["ImageId"]
    ident = _template(w, image)["LaunchTemplateId"]
    w.ec2.create_launch_template_version(
        LaunchTemplateId=ident, SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t3.large"})
    for version, kind in (("$Latest", "t3.large"), ("$Default", "t3.micro")):
        made = w.ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={
            "LaunchTemplateId": ident, "Version": version})["Instances"][0]
        same(f"{version}", (made["ImageId"], made["InstanceType"]), (image, kind))


@behaviour("2.7", "a template's name is unique, and a deleted template is gone")
def template_deleted(w):
    image = w.public_image()["ImageId"]
    ident = _template(w, image)["LaunchTemplateId"]
    refused("InvalidLaunchTemplateName.AlreadyExistsException", w.ec2.create_launch_template,
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": image})
    w.ec2.delete_launch_template(LaunchTemplateId=ident)
    refused(TEMPLATE_GONE, w.ec2.describe_launch_templates, LaunchTemplateIds=[ident])


@behaviour("2.7", "DescribeImageReferences names machine, template and parameter of an image")
def references(w):
    made = w.registered()["ImageId"]
    machine = w.launch(image_id=made)["InstanceId"]
    template_id = _template(w, made)["LaunchTemplateId"]
    w.client("ssm").put_parameter(Name="golden", Value=made, Type="String",
                                  DataType="aws:ec2:image")
    w.advance(600)
    found = w.ec2.describe_image_references(ImageIds=[made], IncludeAllResourceTypes=True)
    ends = {r["ResourceType"]: r["Arn"].rsplit("/", 1)[-1] for r in found["ImageReferences"]}
    same("references", ends, {"ec2:Instance": machine, "ec2:LaunchTemplate": template_id,
                              "ssm:Parameter": "golden"})
    same("the image", {r["ImageId"] for r in found["ImageReferences"]}, {made})


@behaviour("2.7", "DescribeImageReferences of an unused image is empty, and obeys its types")
def references_empty(w):
    made = w.registered()["ImageId"]
    request = {"ImageIds": [made], "ResourceTypes": [{"ResourceType": "ec2:LaunchTemplate"}]}
    same("unused", w.ec2.describe_image_references(**request)["ImageReferences"], [])
    w.launch(image_id=made)
    same("other types", w.ec2.describe_image_references(**request)["ImageReferences"], [])
    _template(w, made)
    found = one(w.ec2.describe_image_references(**request)["ImageReferences"])
    same("the type", found["ResourceType"], "ec2:LaunchTemplate")


@behaviour("2.7", "an SSM parameter of type aws:ec2:image is accepted and read back")
def parameter(w):
    made = w.registered()["ImageId"]
    ssm = w.client("ssm")
    ssm.put_parameter(Name="golden", Value=made, Type="String", DataType="aws:ec2:image")
    w.advance(600)
    shown = ssm.get_parameter(Name="golden")["Parameter"]
    same("the parameter", (shown["Value"], shown["DataType"], shown["Type"], shown["Version"]),
         (made, "aws:ec2:image", "String", 1))


@behaviour("2.7", "a parameter is overwritten only when told, with a new version")
def parameter_overwritten(w):
    ssm = w.client("ssm")
    ssm.put_parameter(Name="plain", Value="one", Type="String")
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="plain", Value="two", Type="String")
    answer = ssm.put_parameter(Name="plain", Value="two", Type="String", Overwrite=True)
    same("the version", answer["Version"], 2)
    same("the value", ssm.get_parameter(Name="plain")["Parameter"]["Value"], "two")


@behaviour("2.7", "a parameter that is not there is ParameterNotFound, also after deletion")
def parameter_missing(w):
    ssm = w.client("ssm")
    refused("ParameterNotFound", ssm.get_parameter, Name="nothing")
    ssm.put_parameter(Name="short-lived", Value="x", Type="String")
    ssm.delete_parameter(Name="short-lived")
    refused("ParameterNotFound", ssm.get_parameter, Name="short-lived")


@behaviour("6.2", "GetCallerIdentity answers the account of the access key")
def identity(w):
    neighbour = w.neighbour()
    for account in (w.account, neighbour):
        answer = w.client("sts", account=account).get_caller_identity()
        same("the account", answer["Account"], account)
        true(f"{answer['Arn']}", f"::{account}:" in answer["Arn"])
        true("no user id", answer["UserId"])


@behaviour("6.2", "an access key that was not declared is account 123456789012")
def undeclared(w):
    answer = w.client("sts", account=UNDECLARED_ACCOUNT).get_caller_identity()
    same("the account", answer["Account"], UNDECLARED_ACCOUNT)


@behaviour("6.2", "one endpoint serves every region, told apart by the credential scope")
def regions_apart(w):
    made = w.registered()["ImageId"]
    same("here", [i["ImageId"] for i in w.ec2.describe_images(Owners=["self"])["Images"]], [made])
    same("there", w.away.describe_images(Owners=["self"])["Images"], [])


@behaviour("6.2", "accounts do not see each other's private images and machines")
def accounts_apart(w):
    made = w.registered()["ImageId"]
    w.launch()
    other = w.client("ec2", account=w.neighbour())
    same("images", other.describe_images(Owners=["self", w.account])["Images"], [])
    same("machines", other.describe_instances()["Reservations"], [])
    try:
        same("by id", other.describe_images(ImageIds=[made])["Images"], [])
    except ClientError as problem:
        among("the code", problem.response["Error"]["Code"], ("InvalidAMIID.NotFound",))


@behaviour("6.3", "DescribeRegions lists the regions with their endpoints")
def regions(w):
    found = {r["RegionName"]: r["Endpoint"] for r in w.ec2.describe_regions()["Regions"]}
    for region in (HOME, AWAY):
        true(f"{region} is missing", region in found)
        true(f"{found[region]}", region in found[region])


@behaviour("6.3", "DescribeAvailabilityZones lists available zones of the region")
def zones(w):
    for ec2, region in ((w.ec2, HOME), (w.away, AWAY)):
        found = ec2.describe_availability_zones()["AvailabilityZones"]
        true(f"{len(found)} zones", len(found) >= 2)
        for zone in found:
            same("region and state", (zone["RegionName"], zone["State"]), (region, "available"))
            true(f"{zone['ZoneName']}", zone["ZoneName"].startswith(region))


@behaviour("6.3", "an account has a default VPC with a default subnet in each zone")
def network(w):
    vpc = one(v for v in w.ec2.describe_vpcs()["Vpcs"] if v["IsDefault"])["VpcId"]
    zone_names = {z["ZoneName"] for z in
                  w.ec2.describe_availability_zones()["AvailabilityZones"]}
    subnets = w.ec2.describe_subnets()["Subnets"]
    same("zones with a subnet", {s["AvailabilityZone"] for s in subnets}, zone_names)
    same("VPCs and defaults", {(s["VpcId"], s["DefaultForAz"]) for s in subnets}, {(vpc, True)})
    group = one(w.ec2.describe_security_groups()["SecurityGroups"])
    same("the group", (group["GroupName"], group["VpcId"]), ("default", vpc))


@behaviour("6.3", "a machine lands in a default subnet with the default security group")
def landed(w):
    machine = w.launch()
    subnet = one(w.ec2.describe_subnets(SubnetIds=[machine["SubnetId"]])["Subnets"])
    same("the VPC", machine["VpcId"], subnet["VpcId"])
    same("the zone", machine["Placement"]["AvailabilityZone"], subnet["AvailabilityZone"])
    same("the group", [g["GroupName"] for g in machine["SecurityGroups"]], ["default"])


@behaviour("6.2", "a template may be tagged as it is made")
def template_tagged(w):
    made = w.ec2.create_launch_template(
        LaunchTemplateName="tagged", LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=tag_spec("launch-template", {"a": "1"}))["LaunchTemplate"]
    same("the tags", tags_of(made), {"a": "1"})


@behaviour("6.2", "virtual time stands still while nobody moves it")
def still(w):
    before = w.now()
    time.sleep(0.2)
    w.ec2.describe_regions()
    same("the time", w.now(), before)
