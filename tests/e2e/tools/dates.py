"""What time has brought, where a test says so: nobody can wait for a key to grow old.

A test writes `NAME.json` into the folder that `--dates` names: `{"AKIA…": {"CreateDate": 1795500000}}`, by the name of a key,
a secret or a rule, in seconds since 1970. The emulator answers these dates in place of its own.
"""

import json
import pathlib
import time


class Dates:
    """What the tests say. Without a folder they say nothing."""

    def __init__(self, folder):
        self.folder = folder and pathlib.Path(folder)

    def of(self, name, field):
        for file in self.folder.glob("*.json") if self.folder else ():
            date = json.loads(file.read_text()).get(name, {}).get(field)
            if date is not None:
                return date
        return None

    def wait(self, name, field):
        """Wait as long as this date lies ahead."""
        while (self.of(name, field) or 0) > time.time():
            time.sleep(0.1)


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def tell_last_use(dates):
    """Answer when, where and for what a key was used last: MiniStack says of each that it never was."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    enforce, answer, used = iam_evaluator.enforce, iam._IAM_HANDLERS["GetAccessKeyLastUsed"], {}

    def with_memory(key_id, action, service, region, *rest, **named):
        refusal = enforce(key_id, action, service, region, *rest, **named)
        if not isinstance(refusal, iam_evaluator.AuthError):  # A denied request is a use too.
            used[key_id] = (time.time(), region, service)
        return refusal

    def with_use(parameters):
        status, headers, body = answer(parameters)
        key_id = iam._p(parameters, "AccessKeyId")
        if key_id not in used:
            return status, headers, body
        last, region, service = used[key_id]
        last = iso(dates.of(key_id, "LastUsedDate") or last)
        use = f"<LastUsedDate>{last}</LastUsedDate><Region>{region}</Region><ServiceName>{service}</ServiceName>"
        never = b"<Region>N/A</Region><ServiceName>N/A</ServiceName>"
        return status, headers, body.replace(never, use.encode())

    iam_evaluator.enforce, iam._IAM_HANDLERS["GetAccessKeyLastUsed"] = with_memory, with_use


def tell_creation(dates):
    """List a key as made when a test says that it was."""
    from ministack.services import iam

    answer = iam._IAM_HANDLERS["ListAccessKeys"]

    def with_dates(parameters):
        for key_id, key in iam._access_keys.items():
            date = dates.of(key_id, "CreateDate")
            key["CreateDate"] = iso(date) if date else key["CreateDate"]
        return answer(parameters)

    iam._IAM_HANDLERS["ListAccessKeys"] = with_dates


def tell_next_rotation(dates):
    """Say of a secret with a schedule when it is to be rotated: MiniStack has no schedules."""
    from ministack.services import secretsmanager

    describe = secretsmanager._describe_secret

    def with_next(data):
        status, headers, body = describe(data)
        secret = json.loads(body)
        if secret.get("RotationEnabled"):
            days = secret["RotationRules"]["AutomaticallyAfterDays"]
            after = secret["LastChangedDate"] + days * 24 * 3600
            secret["NextRotationDate"] = dates.of(secret["Name"], "NextRotationDate") or after
        return status, headers, json.dumps(secret).encode()

    secretsmanager._describe_secret = with_next


def fire_schedules(dates):
    """Fire a rule as if it had fired last when a test says, each such date once."""
    from ministack.services import eventbridge

    tick, seen = eventbridge._tick_scheduled_rules, {}

    def with_dates():
        for key, rule in list(eventbridge._rules._data.items()):
            date = dates.of(rule["Name"], "LastFired")
            if date and seen.get(key) != date:
                seen[key] = eventbridge._rule_last_fired[key] = date
        tick()

    eventbridge._tick_scheduled_rules, eventbridge._SCHEDULER_TICK_INTERVAL = with_dates, 1
