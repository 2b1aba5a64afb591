"""Second opinions on every IAM policy of ours: of parliament, and of the tables of policy_sentry.

The policies are those of the templates, expanded by SAM, and those in SECURITY.md. A finding that
is not in EXPECTED fails, and so does an entry there that finds nothing any more.
"""

import fnmatch
import json
import os
import re
import sys

import parliament
from policy_sentry.querying.actions import get_action_data
from samtranslator.yaml_helper import yaml_parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "python"))
import expansion  # noqa: E402

# The findings that stay: the policy and the finding, as patterns, and the reason.
EXPECTED = [
    ("template.yaml *OnFailureSQSPolicy", "NO_VERSION *",
     "SAM writes these. Without a version a policy has no variables, and these have none."),
    ("template.yaml WorkRequestedRolePolicy0", "PERMISSIONS_MANAGEMENT_ACTIONS *kms:creategrant*",
     "EC2 makes a grant on the key of each copy. Only services of AWS may be given one."),
    ("SECURITY.md, policy 3", "PERMISSIONS_MANAGEMENT_ACTIONS *", "The administrator of a key."),
    ("SECURITY.md, policy 3", "RESOURCE_STAR *", "In the policy of a key, * is this key."),
]

# The power that the stack is asked for is in: what is allowed only then is looked at too.
TEMPLATES = {
    "template.yaml": {"AllowStopStart": "true"},
    "region.yaml": {"SeatRegion": "us-east-1"},
    "operators.yaml": {},
}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def resources(name, parameters):
    """The resources of a template, with made-up names where CloudFormation would make them up."""
    text, region = read("infra", name), "us-east-1"
    template = yaml_parse(text)
    if "Transform" in template:
        template = expansion.expand(text, parameters, region)
    def ref(id, resource):
        if resource["Type"] == "AWS::SQS::Queue":
            return f"https://sqs/{id}"
        # Of a rule on a bus of its own.
        return f"bus|{id}" if "EventBusName" in resource.get("Properties", {}) else id

    refs = {id: ref(id, resource) for id, resource in template["Resources"].items()}
    request = {"account": "123456789012", "region": region, "stack_name": "afterimage",
               "parameters": parameters, "resources": refs}
    return expansion.Stack(template, request).resources()


def documents():
    """Every policy, with the place where it stands."""
    for name, parameters in TEMPLATES.items():
        for id, resource in resources(name, parameters).items():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::IAM::Role":
                for policy in properties["Policies"]:
                    yield f"{name} {policy['PolicyName']}", policy["PolicyDocument"]
            elif "PolicyDocument" in properties:
                yield f"{name} {id}", properties["PolicyDocument"]
    blocks = re.findall(r"^```json\n(.*?)^```", read("SECURITY.md"), re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks, 1):
        yield f"SECURITY.md, policy {number}", json.loads(block)


def listed(value):
    return value if isinstance(value, list) else [value]


def kind(arn):
    """What sort of thing an ARN names, such as `snapshot`."""
    return re.split("[:/]", arn.split(":", 5)[-1])[0]


def is_elsewhere(document, mismatch):
    """Tells whether another statement allows the action on what this statement leaves out.
    parliament looks at one statement at a time, and ours have conditions of their own for each."""
    return any(mismatch["action"] in listed(statement["Action"])
               and kind(mismatch["required_format"]) in map(kind, listed(statement["Resource"]))
               for statement in document["Statement"] if statement["Effect"] == "Allow")


def of_parliament(document):
    text = json.dumps(document)
    analyzed = parliament.analyze_policy_string(text, include_community_auditors=True)
    for finding in analyzed.findings:
        detail = finding.detail
        if finding.issue == "RESOURCE_MISMATCH":
            detail = [one for one in detail if not is_elsewhere(document, one)]
            if not detail:
                continue
        yield f"{finding.issue} {detail} {finding.location.get('actions', '')}"


def fits(key, known):
    """Tells whether a condition key is one of those that the tables have for an action. Theirs
    have a variable where ours has a name."""
    patterns = (re.sub(r"\$\{[^}]*\}", "*", one) for one in known)
    return any(fnmatch.fnmatch(key.lower(), pattern.lower()) for pattern in patterns)


def of_policy_sentry(document):
    """What does not fit the tables: actions, resources of another kind, unknown condition keys."""
    for statement in document["Statement"]:
        # A key policy and a service control policy are about everything there is, by wildcards.
        actions = [one for one in listed(statement["Action"]) if "*" not in one]
        keys = {key for pairs in statement.get("Condition", {}).values() for key in pairs}
        for action in actions:
            rows = get_action_data(*action.split(":"))
            rows = rows and [row for rows in rows.values() for row in rows]
            if not rows:
                yield f"there is no {action}"
                continue
            kinds = {kind(row["resource_arn_format"]) for row in rows} - {"*"}
            given = {kind(one) for one in listed(statement["Resource"])}
            if statement["Effect"] == "Allow" and "Principal" not in statement:
                if not kinds and given != {"*"}:
                    yield f"{action} knows no resources, and is not allowed by this: {given}"
                if kinds and "*" in given:
                    yield f"{action} is allowed on everything, and knows resources: {kinds}"
            known = {key for row in rows for key in row["condition_keys"]}
            # Keys of every call, such as aws:SourceArn, are in no table.
            tags = ("aws:requesttag/", "aws:resourcetag/", "aws:tagkeys")
            for key in sorted(keys):
                if key.startswith("aws:") and not key.lower().startswith(tags):
                    continue
                if not fits(key, known):
                    yield f"{action} has no {key}"


def main():
    used, failed = set(), False
    everything = list(documents())
    for where, document in everything:
        for finding in [*of_parliament(document), *of_policy_sentry(document)]:
            expected = [entry for entry in EXPECTED
                        if fnmatch.fnmatchcase(where, entry[0])
                        and fnmatch.fnmatchcase(finding, entry[1])]
            used.update(expected)
            if not expected:
                failed = True
                print(f"{where}: {finding}", file=sys.stderr)
    for entry in set(EXPECTED) - used:
        failed = True
        print(f"{entry[0]}: {entry[1]} is expected, and not found", file=sys.stderr)
    print(f"parliament and policy_sentry looked at {len(everything)} policies")
    return failed


if __name__ == "__main__":
    sys.exit(main())
