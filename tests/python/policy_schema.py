"""A second opinion on policy files: reads them as an editor does, and holds them to the schema.

Reads one JSON text per line from standard input, each a policy file, and prints one JSON line per
file: {"errors": [message, ...], "data": what the file holds}.

Usage: python policy_schema.py SCHEMA.json < FILES.jsonl
Needs: jsonschema==4.26.0, PyYAML==6.0.3
"""

import json
import re
import sys

import jsonschema
import yaml


class Editor(yaml.SafeLoader):
    """YAML 1.2 with its core schema, which is what editors read. PyYAML's own is version 1.1."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        # Keys are their text: an editor compares `on` or `1` with the names of the schema.
        pairs = node.value
        return {key.value: self.construct_object(value, deep=True) for key, value in pairs}


def core(tag, pattern, first):
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


core("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
core("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""])
core("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
core("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")


def construct_int(loader, node):
    text = node.value
    for prefix, base in (("0o", 8), ("0x", 16)):
        if text.startswith(prefix):
            return int(text[2:], base)
    return int(text)


Editor.add_constructor("tag:yaml.org,2002:int", construct_int)
Editor.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))
Editor.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node))


def main(schema_path):
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for line in sys.stdin:
        data = yaml.load(json.loads(line), Loader=Editor)
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]
        print(json.dumps({"errors": errors, "data": data}))


if __name__ == "__main__":
    main(sys.argv[1])
