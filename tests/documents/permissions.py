"""Prints the permissions that CloudFormation's registry names for resource types: {type: {handler: [permission, …]}}.

Arguments: the types. The schemas are those that cfn-lint ships. What tags of the stack need stands beside the handlers and
is printed as a handler named `tagging`.
"""

import json
import sys

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER


def permissions(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    handlers = {name: handler["permissions"] for name, handler in schema["handlers"].items()}
    return handlers | {"tagging": schema.get("tagging", {}).get("permissions", [])}


json.dump({name: permissions(name) for name in sys.argv[1:]}, sys.stdout)
