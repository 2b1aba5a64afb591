"""A second opinion on what a SAM template stands for.

Expands templates with AWS's own translator, works out the intrinsic functions as CloudFormation
does, and prints a JSON list: for each template the resources that are made, by logical id, each
with its `Type` and its `Properties`.

Usage: python expansion.py REQUEST.json
The request has `account`, `region`, `stack_name`, `parameters`, the `templates`, and `resources`:
what `Ref` gives for each resource, which only the one who makes them knows.
Needs: aws-sam-translator==1.115.0
"""

import json
import os
import re
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# Where an ARN has something else than the value of `Ref`.
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{ref}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{ref}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{ref}",
    "AWS::IAM::Role": "iam::{account}:role/{ref}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{ref}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{ref}",
}

NOTHING = object()


def parameters_of(template, given):
    defaults = {name: declared.get("Default") for name, declared in
                template.get("Parameters", {}).items()}
    return {**defaults, **given}


def expand(text, given, region):
    """The template without SAM."""
    template = yaml_parse(text)
    # As `sam package` does, which has uploaded the code by then.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    # The translator asks for the region, to know the partition.
    os.environ["AWS_DEFAULT_REGION"] = region
    managed = {"AWSLambdaBasicExecutionRole":
               "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}
    translator = Translator(managed, Parser())
    return translator.translate(template, parameters_of(template, given))


class Stack:
    """A template with what is known once it is deployed."""

    def __init__(self, template, request):
        self.template = template
        self.refs = request["resources"]
        self.known = {**parameters_of(template, request["parameters"]),
                      "AWS::AccountId": request["account"],
                      "AWS::NoValue": NOTHING,
                      "AWS::Partition": "aws",
                      "AWS::Region": request["region"],
                      "AWS::StackName": request["stack_name"],
                      "AWS::URLSuffix": "amazonaws.com"}

    def resources(self):
        made = {}
        for name, resource in self.template["Resources"].items():
            if "Condition" not in resource or self.holds(resource["Condition"]):
                properties = self.value(resource.get("Properties", {}))
                made[name] = {"Type": resource["Type"], "Properties": properties}
        return made

    def holds(self, condition):
        return self.value(self.template["Conditions"][condition])

    def ref(self, name):
        # The ids of what SAM adds are of use too: nobody refers to the configuration of events.
        return self.known[name] if name in self.known else self.refs[name]

    def attribute(self, name, attribute):
        ref, kind = self.refs[name], self.template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            ref = ref.rsplit("/", 1)[1]
            if attribute == "QueueName":
                return ref
        assert attribute == "Arn", f"{kind} has no known {attribute}"
        # `Ref` of a rule on a bus of one's own is BUS|RULE.
        arn = ARNS[kind].format(ref=ref.replace("|", "/"), region=self.known["AWS::Region"],
                                account=self.known["AWS::AccountId"])
        return f"arn:aws:{arn}"

    def substituted(self, text, local):
        def value(match):
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in local:
                return str(local[name])
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))
        return re.sub(r"\$\{([^}]+)\}", value, text)

    def value(self, node):
        if isinstance(node, list):
            values = (self.value(item) for item in node)
            return [value for value in values if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            function, argument = next(iter(node.items()))
            if function == "Ref":
                return self.ref(argument)
            if function == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if function.startswith("Fn::"):
                return self.call(function, argument)
        values = {key: self.value(item) for key, item in node.items()}
        return {key: value for key, value in values.items() if value is not NOTHING}

    def call(self, function, argument):
        if function == "Fn::If":
            condition, then, otherwise = argument
            return self.value(then if self.holds(condition) else otherwise)
        if function == "Fn::Sub" and isinstance(argument, str):
            return self.substituted(argument, {})
        argument = self.value(argument)
        if function == "Fn::GetAtt":
            name, attribute = argument.split(".") if isinstance(argument, str) else argument
            return self.attribute(name, attribute)
        if function == "Fn::Sub":
            return self.substituted(*argument)
        if function == "Fn::Join":
            return argument[0].join(argument[1])
        if function == "Fn::Split":
            return argument[1].split(argument[0])
        if function == "Fn::Select":
            return argument[1][int(argument[0])]
        if function == "Fn::Equals":
            return str(argument[0]) == str(argument[1])
        if function == "Fn::Not":
            return not argument[0]
        if function == "Fn::And":
            return all(argument)
        if function == "Fn::Or":
            return any(argument)
        if function == "Fn::FindInMap":
            mapping, first, second = argument
            return self.template["Mappings"][mapping][first][second]
        raise ValueError(f"{function} is not known here")


def main(path):
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    made = []
    for text in request["templates"]:
        template = expand(text, request["parameters"], request["region"])
        made.append(Stack(template, request).resources())
    print(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
