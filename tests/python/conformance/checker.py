"""Is a raw answer one that the service's own model allows?

boto3 forgives a lot: a member it does not know is dropped, a value outside an enum is passed on,
a missing namespace is never noticed. So this hooks `before-parse`, where the raw body is still
there, and holds the body against botocore's model member by member. Each violation is a sentence
that names the operation and the path.
"""

import base64
import binascii
import json
import re
import xml.etree.ElementTree as ElementTree

from . import errors

EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
INTEGER = re.compile(r"-?\d+")
# The service writes `windows` where the model has `Windows`.
_LOWER_CASE_ENUMS = {"PlatformValues"}
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")


class Checker:
    """Collects the violations, and keeps the last raw answer for behaviours about the wire."""

    def __init__(self):
        self.violations = []
        self.body = b""
        self.headers = {}
        self.answers = 0

    def hook(self, session):
        """Check every answer that any client of this botocore session will get."""
        session.register("before-parse", self._before_parse)

    def _before_parse(self, operation_model, response_dict, **_):
        self.answers += 1
        self.body = response_dict["body"]
        self.headers = {k.lower(): v for k, v in response_dict["headers"].items()}
        found = check(
            operation_model, response_dict["status_code"], self.headers, response_dict["body"]
        )
        self.violations.extend(found)

    def take(self):
        """The violations since the last time."""
        taken, self.violations = self.violations, []
        return taken


def check(operation, status, headers, body):
    """All violations of one answer to one operation, as sentences."""
    protocol = operation.service_model.resolved_protocol
    found = []

    def wrong(path, problem):
        found.append(f"{operation.name}: {path or '/'}: {problem}")

    if 200 < status < 400 or status < 200:
        wrong("", f"HTTP status {status} is neither success nor an error")
    check_one = {"ec2": _ec2, "query": _query, "json": _json}.get(protocol)
    if check_one is None:
        wrong("", f"no check for the protocol {protocol}")
    else:
        check_one(operation, status, headers, body, wrong)
    return found


def _ec2(operation, status, headers, body, wrong):
    _content_type(headers, "text/xml", wrong)
    root = _parse_xml(body, wrong)
    if root is None:
        return
    if status >= 400:
        _ec2_error(root, status, wrong)
        return
    if root.tag != f"{{{EC2_NAMESPACE}}}{operation.name}Response":
        wrong("", f"the root is <{root.tag}>, not <{operation.name}Response> of {EC2_NAMESPACE}")
    children = _local(root, wrong, "")
    ids = [child for name, child in children if name == "requestId"]
    if len(ids) != 1 or not (ids[0].text or "").strip():
        wrong("", "requestId is missing, empty or repeated")
    rest = [(name, child) for name, child in children if name != "requestId"]
    shape = operation.output_shape
    if shape is None or not shape.members:
        # The model has no output where the service says only that it was done.
        for name, child in rest:
            if name != "return" or child.text not in ("true", "false"):
                wrong(f"/{name}", "the operation has no output but <return>")
        return
    _xml_members(shape, rest, "", wrong)


def _ec2_error(root, status, wrong):
    code = root.findtext("Errors/Error/Code")
    message = root.findtext("Errors/Error/Message")
    if root.tag != "Response":
        wrong("", f"the root of an error is <{root.tag}>, not <Response>")
    if not code:
        wrong("/Errors/Error/Code", "missing")
    if message is None:
        wrong("/Errors/Error/Message", "missing")
    if not root.findtext("RequestID"):
        wrong("/RequestID", "missing")
    if code:
        _status(code, status, errors.EC2.get(code), wrong)


def _query(operation, status, headers, body, wrong):
    _content_type(headers, "text/xml", wrong)
    root = _parse_xml(body, wrong)
    if root is None:
        return
    namespace = operation.service_model.metadata["xmlNamespace"]
    if status >= 400:
        code = root.findtext(f"{{{namespace}}}Error/{{{namespace}}}Code")
        if root.tag != f"{{{namespace}}}ErrorResponse" or not code:
            wrong("", "an error is an <ErrorResponse> with <Error><Code>")
        else:
            _status(code, status, errors.COMMON.get(code), wrong)
        return
    if root.tag != f"{{{namespace}}}{operation.name}Response":
        wrong("", f"the root is <{root.tag}>, not <{operation.name}Response> of {namespace}")
    shape = operation.output_shape
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    for name, child in _local(root, wrong, ""):
        if name == "ResponseMetadata":
            continue
        if name != wrapper:
            wrong(f"/{name}", "unknown member")
        else:
            _xml_members(shape, _local(child, wrong, f"/{name}"), f"/{name}", wrong)


def _json(operation, status, headers, body, wrong):
    model = operation.service_model
    version = model.metadata.get("jsonVersion", "1.0")
    _content_type(headers, f"application/x-amz-json-{version}", wrong)
    shape = operation.output_shape
    if not body and shape is None and status < 400:
        return
    try:
        document = json.loads(body)
    except ValueError as problem:
        wrong("", f"not JSON: {problem}")
        return
    if not isinstance(document, dict):
        wrong("", "not a JSON object")
    elif status >= 400:
        _json_error(model, status, document, wrong)
    elif shape is None:
        if document:
            wrong("", f"the operation has no output but {sorted(document)}")
    else:
        _json_value(shape, document, "", wrong)


def _json_error(model, status, document, wrong):
    kind = document.get("__type")
    if not isinstance(kind, str) or not kind:
        wrong("/__type", "missing")
        return
    code = kind.rsplit("#", 1)[-1]
    shape = next((s for s in model.error_shapes if s.name == code), None)
    if shape is None:
        _status(code, status, errors.COMMON.get(code), wrong)
        return
    modelled = shape.metadata.get("error", {}).get("httpStatusCode")
    fault = shape.metadata.get("fault")
    # JSON 1.0 and 1.1 answer 400 to every error of the caller, whatever an HTTP binding says.
    _status(code, status, {500, 503} if fault else {400, modelled or 400}, wrong)
    known = {name.lower(): member for name, member in shape.members.items()}
    for name, value in document.items():
        if name == "__type" or name.lower() == "message":
            continue
        if name.lower() not in known:
            wrong(f"/{name}", f"unknown member of {code}")
        else:
            _json_value(known[name.lower()], value, f"/{name}", wrong)


def _status(code, status, allowed, wrong):
    if allowed is None:
        wrong("", f"the error code {code} is not one of this service's")
    elif status not in allowed:
        wrong("", f"{code} came with HTTP {status}, not {sorted(allowed)}")


def _content_type(headers, wanted, wrong):
    actual = headers.get("content-type", "")
    if not actual.startswith(wanted):
        wrong("", f"the content type is {actual!r}, not {wanted}")


def _parse_xml(body, wrong):
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as problem:
        wrong("", f"not XML: {problem}")
        return None


def _local(element, wrong, path):
    """The children by local name, each of which must be in its parent's namespace."""
    namespace = element.tag.rpartition("}")[0]
    children = []
    for child in element:
        prefix, _, name = child.tag.rpartition("}")
        if prefix != namespace:
            wrong(f"{path}/{name}", f"the namespace changes to {prefix.strip('{')!r}")
        children.append((name, child))
    return children


def _xml_members(shape, children, path, wrong):
    known = {}
    for name, member in shape.members.items():
        known[_wire_name(name, member)] = member
    seen = set()
    for name, child in children:
        here = f"{path}/{name}"
        member = known.get(name)
        if member is None:
            wrong(here, f"unknown member of {shape.name}")
            continue
        flattened = member.type_name == "list" and member.serialization.get("flattened")
        if name in seen and not flattened:
            wrong(here, "repeated")
        seen.add(name)
        _xml_value(member.member if flattened else member, child, here, wrong)


def _wire_name(name, member):
    if member.type_name == "list" and member.serialization.get("flattened"):
        return member.member.serialization.get("name", member.serialization.get("name", name))
    return member.serialization.get("name", name)


def _xml_value(shape, element, path, wrong):
    if shape.type_name in ("structure", "list") and (element.text or "").strip():
        wrong(path, f"text {element.text.strip()!r} where a {shape.type_name} belongs")
    if shape.type_name == "structure":
        _xml_members(shape, _local(element, wrong, path), path, wrong)
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        for index, (name, child) in enumerate(_local(element, wrong, path), 1):
            if name != item:
                wrong(f"{path}/{name}", f"a list of {shape.name} has only <{item}>")
            else:
                _xml_value(shape.member, child, f"{path}/{item}[{index}]", wrong)
    elif len(element):
        wrong(path, f"elements where a {shape.type_name} belongs")
    else:
        _xml_scalar(shape, element.text or "", path, wrong)


def _xml_scalar(shape, text, path, wrong):
    kind = shape.type_name
    ok = True
    if kind == "boolean":
        ok = text in ("true", "false")
    elif kind in ("integer", "long"):
        ok = INTEGER.fullmatch(text) is not None
    elif kind in ("float", "double"):
        ok = NUMBER.fullmatch(text) is not None
    elif kind == "timestamp":
        ok = TIMESTAMP.fullmatch(text) is not None
    elif kind == "blob":
        ok = _is_base64(text)
    elif kind == "string":
        _enum(shape, text, path, wrong)
    else:
        wrong(path, f"no check for the type {kind}")
    if not ok:
        wrong(path, f"{text!r} is not a {kind}")


def _enum(shape, text, path, wrong):
    allowed = getattr(shape, "enum", None)
    if shape.name in _LOWER_CASE_ENUMS:
        allowed = [*allowed, *(value.lower() for value in allowed)]
    if allowed and text not in allowed:
        wrong(path, f"{text!r} is not in the enum {shape.name}")


def _is_base64(text):
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _json_value(shape, value, path, wrong):
    kind = shape.type_name
    if kind == "structure":
        _json_structure(shape, value, path, wrong)
    elif kind == "list":
        if not isinstance(value, list):
            wrong(path, f"{value!r} is not a list")
            return
        for index, item in enumerate(value, 1):
            _json_value(shape.member, item, f"{path}[{index}]", wrong)
    elif kind == "map":
        if not isinstance(value, dict):
            wrong(path, f"{value!r} is not a map")
            return
        for key, item in value.items():
            _json_value(shape.key, key, f"{path}/{key}", wrong)
            _json_value(shape.value, item, f"{path}/{key}", wrong)
    elif not _json_scalar(shape, value, path, wrong):
        wrong(path, f"{value!r} is not a {kind}")


def _json_structure(shape, value, path, wrong):
    if not isinstance(value, dict):
        wrong(path, f"{value!r} is not a structure")
        return
    known = {m.serialization.get("name", n): m for n, m in shape.members.items()}
    for name, item in value.items():
        if name not in known:
            wrong(f"{path}/{name}", f"unknown member of {shape.name}")
        else:
            _json_value(known[name], item, f"{path}/{name}", wrong)
    for name in shape.required_members:
        if shape.members[name].serialization.get("name", name) not in value:
            wrong(f"{path}/{name}", "a required member is missing")
    # DynamoDB's value has one type; the model does not mark it as the union that it is.
    union = getattr(shape, "is_tagged_union", False) or shape.name == "AttributeValue"
    if union and len(value) != 1:
        wrong(path, f"a union of {len(value)} members")


def _json_scalar(shape, value, path, wrong):
    kind = shape.type_name
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "long"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in ("float", "double"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "timestamp":
        # JSON protocols write seconds since the epoch unless the member says otherwise.
        wire = shape.serialization.get("timestampFormat", "unixTimestamp")
        if wire == "unixTimestamp":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, str)
    if kind == "blob":
        return isinstance(value, str) and _is_base64(value)
    if isinstance(value, str):
        _enum(shape, value, path, wrong)
        return True
    return False
