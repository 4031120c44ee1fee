"""Checks requests against AWS's own service models, which come with the AWS CLI's botocore.

The emulator accepts much that AWS refuses. This parses each request of a function by its protocol, and compares it with the operation's model: names, required members, types, lengths, ranges, patterns, enumerations. It keeps a request's operation, the names of its members and what is wrong with it, and no value, so no secret.
"""

import functools
import json
import re
import urllib.parse

import botocore.session
import regex

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
# What the SDK adds to a request for S3, beside the operation's own members.
SDK_QUERY = {"x-id"}


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


class Request:
    """A request as it came, with header names in small letters and the path unchanged."""

    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)


def check(request):
    """The operation, the names of the members that were sent, and the problems."""
    scope = SCOPE.search(request.headers.get("authorization", ""))
    # Only S3 gets an unsigned request, which asks for a bucket's region.
    service = model(scope.group(1) if scope else "s3")
    read = {"query": of_query, "json": of_json, "rest-xml": of_rest}[service.metadata["protocol"]]
    problems = []
    operation, members = read(service, request, problems)
    if operation is None:
        return f"{service.service_name}:?", [], problems
    shape = operation.input_shape
    if shape is None:
        problems += [f"{name}: is no member" for name in members]
    else:
        validate(members, shape, "", problems)
    return f"{service.service_name}:{operation.name}", sorted(members), problems


def of_query(service, request, problems):
    form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
    name, version = form.pop("Action", None), form.pop("Version", None)
    if version != service.api_version:
        problems.append("Version: is not the model's")
    if name not in service.operation_names:
        problems.append("Action: is no operation")
        return None, {}
    operation = service.operation_model(name)
    return operation, nested(form, operation.input_shape, problems)


def nested(form, shape, problems):
    """`Tags.member.1.Key=a` as `{"Tags": [{"Key": "a"}]}`, in the types of the model."""
    tree = {}
    for key, value in form.items():
        node, parts = tree, key.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        node[parts[-1]] = value
    return typed(tree, shape)


def typed(node, shape):
    if shape is None:
        return node
    if shape.type_name == "structure" and isinstance(node, dict):
        wire = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {wire.get(key, key): typed(item, shape.members.get(wire.get(key, key))) for key, item in node.items()}
    if shape.type_name == "list" and isinstance(node, dict):
        items = node.get(shape.member.serialization.get("name", "member"), {})
        numbers = sorted(items, key=lambda number: int(number))
        # Numbered from 1 without a gap, or not a list.
        if numbers == [str(n + 1) for n in range(len(numbers))] and len(node) == 1:
            return [typed(items[number], shape.member) for number in numbers]
    if isinstance(node, str):
        if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", node):
            return int(node)
        if shape.type_name == "boolean" and node in ("true", "false"):
            return node == "true"
    return node


def of_json(service, request, problems):
    prefix, _, name = request.headers.get("x-amz-target", "").partition(".")
    if prefix != service.metadata["targetPrefix"] or name not in service.operation_names:
        problems.append("X-Amz-Target: is no operation")
        return None, {}
    expected = f"application/x-amz-json-{service.metadata['jsonVersion']}"
    if request.headers.get("content-type") != expected:
        problems.append(f"Content-Type: is not {expected}")
    return service.operation_model(name), json.loads(request.body)


def of_rest(service, request, problems):
    """The operation of this method whose path fits and whose fixed query matches best."""
    best, query = None, dict(request.query)
    for name in service.operation_names:
        operation = service.operation_model(name)
        path, _, fixed = operation.http["requestUri"].partition("?")
        fixed = dict(urllib.parse.parse_qsl(fixed, keep_blank_values=True))
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", re.escape(path))
        fits = re.fullmatch(pattern + "/?", request.path)
        named = query.get("x-id", name) == name
        if request.method == operation.http["method"] and fits and named and fixed.items() <= query.items():
            if best is None or len(fixed) > len(best[2]):
                best = operation, fits.groupdict(), fixed
    if best is None:
        problems.append(f"{request.method}: no operation has this path and query")
        return None, {}
    operation, members, fixed = best
    members = {name: urllib.parse.unquote(value) for name, value in members.items()}
    places = {"querystring": {}, "header": {}}
    for name, member in operation.input_shape.members.items():
        location = member.serialization.get("location")
        if location in places:
            places[location][member.serialization["name"].lower()] = name
    for key, value in request.query:
        if key not in fixed and key not in SDK_QUERY:
            name = places["querystring"].get(key.lower(), key)
            members[name] = typed(value, operation.input_shape.members.get(name))
    for key, name in places["header"].items():
        if key in request.headers:
            members[name] = typed(request.headers[key], operation.input_shape.members[name])
    return operation, members


TYPES = {
    "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "timestamp": (str, int, float),
    "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
}


def validate(value, shape, path, problems):
    """Adds what is wrong, by the member's path; never the value."""
    kind, rules = shape.type_name, shape.metadata
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean"):
        problems.append(f"{path}: is no {kind}")
        return
    size = value if kind in ("integer", "long", "float", "double") else len(value) if hasattr(value, "__len__") else None
    if size is not None and not rules.get("min", size) <= size <= rules.get("max", size):
        problems.append(f"{path}: is not within {rules.get('min', '')}..{rules.get('max', '')}")
    if kind == "string":
        if rules.get("enum") and value not in rules["enum"]:
            problems.append(f"{path}: is none of {rules['enum']}")
        if "pattern" in rules and not regex.fullmatch(rules["pattern"], value):
            problems.append(f"{path}: does not match {rules['pattern']}")
    elif kind == "list":
        for item in value:
            validate(item, shape.member, f"{path}[]", problems)
    elif kind == "map":
        for key, item in value.items():
            validate(key, shape.key, f"{path}.key", problems)
            validate(item, shape.value, f"{path}.value", problems)
    elif kind == "structure":
        problems += [f"{path}.{name}: is missing" for name in shape.required_members if name not in value]
        for name, item in value.items():
            if name in shape.members:
                validate(item, shape.members[name], f"{path}.{name}", problems)
            else:
                problems.append(f"{path}.{name}: is no member")


def recording(app, file):
    """The emulator's application, with every request of the Rust SDK, which only the functions use, checked into a file."""

    async def recorded(scope, receive, send):
        headers = {key.decode().lower(): value.decode("latin-1") for key, value in scope.get("headers", [])}
        if scope["type"] != "http" or "aws-sdk-rust" not in headers.get("user-agent", ""):
            return await app(scope, receive, send)
        messages, more = [], True
        while more:
            messages.append(await receive())
            more = messages[-1].get("more_body", False)
        body = b"".join(message.get("body", b"") for message in messages)
        path = scope.get("raw_path") or scope["path"].encode()
        request = Request(scope["method"], path.decode(), scope["query_string"].decode(), headers, body)
        try:
            operation, members, problems = check(request)
        except Exception as error:  # its text could hold a value
            operation, members, problems = "?", [], [f"it cannot be read: {type(error).__name__}"]
        line = json.dumps({"operation": operation, "members": members, "problems": problems})
        file.write(line + "\n")
        file.flush()

        async def replay():
            return messages.pop(0) if messages else await receive()

        return await app(scope, replay, send)

    return recorded
