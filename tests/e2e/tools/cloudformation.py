"""What CloudFormation does around a custom resource, where MiniStack does less.

MiniStack lists a resource only when its creation has succeeded, forgets one whose creation failed, forgets the id that a
failed update answered, and cleans up without saying so. A function that asks CloudFormation about its resource would learn that there is none. The order of requests and the ids in them are those of
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

import re
import secrets
import string

CLEANING_UP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
ROLLING_BACK = "UPDATE_ROLLBACK_IN_PROGRESS"
CLEANING_UP_ROLLBACK = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
STACK = "AWS::CloudFormation::Stack"


def mend():
    """Make MiniStack's CloudFormation show, send and say what AWS's does."""
    answered = remember_answers()
    creating = set()
    register_before_invoking(answered, creating)
    tell_progress(creating)
    announce_clean_up()
    announce_nested_deletion()
    roll_back(answered)
    say_it_as_aws()


def stack_named(name):
    from ministack.services import cloudformation

    return cloudformation._stacks.get(name) or {}


def is_custom(resource_type):
    return resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource"


def invented_id(stack_name, logical_id):
    """The physical id that CloudFormation makes up for a resource whose creation never answered one."""
    suffix = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12))
    return f"{stack_name}-{logical_id}-{suffix}"


def remember_answers():
    """Keep the physical id of each answer, because MiniStack drops that of a failure."""
    from ministack.services.cloudformation import custom_resource

    deliver, answered = custom_resource.deliver_response, {}

    def with_memory(token, answer):
        awaited = deliver(token, answer)
        if awaited:
            answered[answer.get("StackId"), answer.get("LogicalResourceId")] = answer.get("PhysicalResourceId")
        return awaited

    custom_resource.deliver_response = with_memory
    return answered


def register_before_invoking(answered, creating):
    """List a custom resource before its function is asked to create it, and go on listing it after a failure.

    While it is being created, it has no physical id. Then it has the id of the answer, even of a failed one, or an invented one if no answer came.
    """
    from ministack.core.responses import now_iso
    from ministack.services.cloudformation import custom_resource

    invoke = custom_resource.invoke_custom_resource

    def with_record(request, logical_id, properties, stack_name, stack_id, resource_type, *rest, **named):
        resources, key = stack_named(stack_name).get("_resources", {}), (stack_id, logical_id)
        if request == "Create":
            creating.add(key)
            resources[logical_id] = {
                "PhysicalResourceId": "", "ResourceType": resource_type, "ResourceStatus": "CREATE_IN_PROGRESS",
                "LogicalResourceId": logical_id, "Properties": properties, "Attributes": {},
                "Timestamp": now_iso(),
            }
        answered.pop(key, None)
        try:
            return invoke(request, logical_id, properties, stack_name, stack_id, resource_type, *rest, **named)
        except Exception:
            if request == "Create":
                resources[logical_id]["PhysicalResourceId"] = answered.get(key) or invented_id(stack_name, logical_id)
            elif request == "Update" and answered.get(key):
                resources[logical_id]["PhysicalResourceId"] = answered[key]
            raise

    custom_resource.invoke_custom_resource = with_record


def tell_progress(creating):
    """Show a resource's latest event as its status, because MiniStack shows the previous operation's until this one has ended.

    A resource that an update adds is created, not updated. An event about a predecessor's clean-up says nothing about the resource that replaced it.
    """
    from ministack.services.cloudformation import stacks

    add_event = stacks._add_event

    def with_status(stack_id, stack_name, logical_id, resource_type, status, reason="", physical_id="", **named):
        key = (stack_id, logical_id)
        if key in creating and status in ("UPDATE_COMPLETE", "UPDATE_FAILED"):
            status = status.replace("UPDATE", "CREATE")
        if not status.endswith("_IN_PROGRESS"):
            creating.discard(key)
        resource = stack_named(stack_name).get("_resources", {}).get(logical_id)
        if resource and physical_id in ("", resource["PhysicalResourceId"]):
            resource["ResourceStatus"] = status
        return add_event(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, **named)

    stacks._add_event = with_status


def announce_clean_up():
    """Say that an update is complete but for its clean-up before the first Delete of it, and what each Delete does."""
    from ministack.services.cloudformation import stacks

    delete = stacks._delete_resource

    def in_clean_up(resource_type, physical_id, properties, stack_name=None, logical_id=None):
        stack = stack_named(stack_name)
        if stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
            show(stack, CLEANING_UP)
        if stack.get("StackStatus") != CLEANING_UP:
            return delete(resource_type, physical_id, properties, stack_name, logical_id)
        about = (stack["StackId"], stack_name, logical_id, resource_type)
        stacks._add_event(*about, "DELETE_IN_PROGRESS", physical_id=physical_id)
        delete(resource_type, physical_id, properties, stack_name, logical_id)
        return stacks._add_event(*about, "DELETE_COMPLETE", physical_id=physical_id)

    stacks._delete_resource = in_clean_up


def announce_nested_deletion():
    """Say that a nested stack and what is in it are being deleted before the first Delete."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[STACK]
    delete = handlers["delete"]

    def deleting(physical_id, properties, *rest):
        nested = stack_named(provisioners._nested_stack_lookup_name(physical_id))
        if nested:
            nested["StackStatus"] = "DELETE_IN_PROGRESS"
            for resource in nested.get("_resources", {}).values():
                resource["ResourceStatus"] = "DELETE_IN_PROGRESS"
        return delete(physical_id, properties, *rest)

    handlers["delete"] = deleting


def show(stack, status):
    from ministack.services.cloudformation import stacks

    stack["StackStatus"] = status
    stacks._add_event(stack["StackId"], stack["StackName"], stack["StackName"], STACK, status, "", stack["StackId"])


def roll_back(answered):
    """Roll back what MiniStack leaves out.

    A resource that its function failed to create gets a Delete. A replacement gets an Update to the old properties with the new id and, in the clean-up, a Delete for the new id if the answer names another. MiniStack sends only that Delete.
    """
    from ministack.services.cloudformation import handlers, stacks

    revert, finish, resume = stacks._revert_update, stacks._roll_back_operation, stacks._continue_update_rollback_async

    async def revert_and_note(stack_id, stack_name, logical_id, resource_type, physical_id, applied, *rest):
        record, stack = rest[-1], stack_named(stack_name)
        try:
            await revert(stack_id, stack_name, logical_id, resource_type, physical_id, applied, *rest)
        except Exception:
            record["ResourceStatus"] = "UPDATE_FAILED"
            record["PhysicalResourceId"] = answered.get((stack_id, logical_id)) or physical_id
            raise
        # The resource's status is over now, while that of the stack is not.
        stack["_resources"][logical_id] = record
        if record["PhysicalResourceId"] != physical_id:
            replaced = (resource_type, physical_id, applied, stack_name, logical_id)
            stack.setdefault("_replaced_in_rollback", []).append(replaced)

    async def with_the_rest(stack_name, stack_id, stack, operation, *rest, **named):
        failed = operation["failed_logical_id"]
        if stack["_resources"].get(failed, {}).get("ResourceStatus") == "CREATE_FAILED":
            operation["created"].append(failed)
        for logical_id, old in (operation["previous_stack"] or {}).get("_resources", {}).items():
            now = stack["_resources"].get(logical_id)
            if now and is_custom(old["ResourceType"]):
                # As an update in place, which MiniStack sends back.
                old["PhysicalResourceId"] = now["PhysicalResourceId"]
                operation["replaced_ids"] = [name for name in operation["replaced_ids"] if name != logical_id]
                if (operation["failed_update"] or [None])[0] == logical_id:
                    operation["failed_update"][2] = now["PhysicalResourceId"]
        await finish(stack_name, stack_id, stack, operation, *rest, **named)
        await clean_up_rollback(stack)

    async def resume_and_clean_up(stack_name, *rest):
        await resume(stack_name, *rest)
        await clean_up_rollback(stack_named(stack_name))

    stacks._revert_update = revert_and_note
    stacks._roll_back_operation = handlers._roll_back_operation = with_the_rest
    handlers._continue_update_rollback_async = resume_and_clean_up


async def clean_up_rollback(stack):
    """Delete what a rollback replaced again, before the rollback counts as complete."""
    from ministack.core.concurrency import run_reentrant
    from ministack.services import cloudformation
    from ministack.services.cloudformation import stacks

    replaced = stack.pop("_replaced_in_rollback", [])
    for logical_id, pending in stack.get("_rollback_failed", {}).items():
        # The id that the failed answer named is the one to go on with.
        if "RevertTo" in pending:
            pending["PhysicalResourceId"] = stack["_resources"][logical_id]["PhysicalResourceId"]
    if not replaced or stack["StackStatus"] != ROLLED_BACK:
        return
    events = cloudformation._stack_events[stack["StackId"]]
    events.pop()  # It was complete too early; nobody has seen it, as this is the event loop's thread.
    stack["StackStatus"] = CLEANING_UP_ROLLBACK
    for resource_type, physical_id, properties, stack_name, logical_id in replaced:
        about = (stack["StackId"], stack_name, logical_id, resource_type)
        stacks._add_event(*about, "DELETE_IN_PROGRESS", physical_id=physical_id)
        try:
            await run_reentrant(
                stacks._delete_resource, resource_type, physical_id, properties, stack_name, logical_id)
            stacks._add_event(*about, "DELETE_COMPLETE", physical_id=physical_id)
        except Exception as problem:  # Only reported: CloudFormation forgets it all the same.
            stacks._add_event(*about, "DELETE_FAILED", str(problem), physical_id)
    show(stack, ROLLED_BACK)


def say_it_as_aws():
    """`DescribeStackResource` in AWS's words, and without a physical id where there is none yet."""
    from ministack.services.cloudformation import handlers

    describe = handlers._ACTION_HANDLERS["DescribeStackResource"]
    words = (
        (rb"Resource \[(.*?)\] does not exist in stack \[(.*?)\]", rb"Resource \1 does not exist for stack \2"),
        (rb"Stack \[(.*?)\] does not exist", rb"Stack '\1' does not exist"),
        (rb"<PhysicalResourceId></PhysicalResourceId>", b""),
    )

    def in_other_words(parameters):
        status, headers, body = describe(parameters)
        for ours, theirs in words:
            body = re.sub(ours, theirs, body)
        return status, headers, body

    handlers._ACTION_HANDLERS["DescribeStackResource"] = in_other_words
