"""What `plan` shows: the changes, what each function is made of, and what its role may do."""

from __future__ import annotations

from collections import Counter
from typing import Literal, assert_never

from sls_ml.cli.console import Output
from sls_ml.cli.limits import too_large, too_small
from sls_ml.deploy import Plan
from sls_ml.intent.model import (
    Grant,
    ListObjects,
    Place,
    ReadAlias,
    ReadModel,
    ReadObjects,
    ReadSecret,
    ReceiveMessages,
    SendMessages,
    WriteLogs,
    WriteObjects,
)

_SIGNS: dict[Literal["add", "modify", "replace", "remove"], str] = {
    "add": "+",
    "modify": "~",
    "replace": "±",
    "remove": "-",
}


def changes_of(planned: Plan) -> list[dict[str, str]]:
    """The changes, as the document of `plan` gives them."""
    return [
        {"action": change.action, "resource": change.resource, "type": change.type, "detail": change.detail}
        for change in planned.changes.items
    ]


def show_changes(output: Output, planned: Plan) -> None:
    """Each change, how many there are of each, and what is worth a warning."""
    changes = planned.changes.items
    if planned.changes.empty:
        output.say("nothing would change")
        return
    output.table(
        ("", "resource", "type", ""),
        (
            (_SIGNS[change.action], change.resource, change.type.removeprefix("AWS::"), change.detail)
            for change in changes
        ),
    )
    counts = Counter(change.action for change in changes)
    output.say("\n" + ", ".join(f"{counts[action]} to {action}" for action in _SIGNS if counts[action]))
    for function in planned.prepared.deployment.functions:
        if function.http and function.http.auth == "public":
            output.warn(f"{function.name} answers anybody: http.auth is public")
        for warning in (*too_large(function, planned.prepared.provider.LIMITS), *too_small(function)):
            output.warn(f"{function.name}: {warning}")


def show_functions(output: Output, planned: Plan) -> None:
    """What each function is made of, how it starts and why, and what its role may do."""
    functions = planned.prepared.deployment.functions
    output.table(
        ("function", "package", "engine", "start"),
        (
            (
                function.name,
                f"{planned.packages[function.name].bytes / 1e6:.1f} MB",
                ", ".join(dict.fromkeys(model.engine for model in function.models)),
                f"{function.start}: {function.start_reason}" if function.start_reason else function.start,
            )
            for function in functions
        ),
    )
    for function in functions:
        output.say(f"\n{function.name} may")
        for grant in function.grants:
            output.say(f"  {granted(grant)}")
    output.say()


def granted(grant: Grant) -> str:
    """A permission of a function's role, in words."""
    match grant:
        case ReadModel(model):
            words = f"read the artifacts of {model}"
        case ReadAlias(model, alias):
            words = f"read where the alias {alias} of {model} points"
        case WriteLogs():
            words = "write its own log"
        case ReadObjects(place):
            words = f"read {_placed(place)}"
        case ListObjects(place):
            words = f"list {_placed(place)}"
        case WriteObjects(place):
            words = f"write {_placed(place)}, and read what it wrote"
        case ReceiveMessages():
            words = "take messages from its own queue"
        case SendMessages():
            words = "send messages to its own queue"
        case ReadSecret(name):
            words = f"read the secret {name}"
        case _:
            assert_never(grant)
    return words


def _placed(place: Place) -> str:
    return f"s3://{place.bucket or '<the bucket of the stack>'}/{place.prefix}"
