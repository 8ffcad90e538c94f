"""Check of `$function`: calls the version that a release published, before any traffic goes there.

CodeDeploy calls this function and waits for its verdict. A version that does not start, serves another model
than the release names, or does not answer the models' own example rows as it should never sees a request.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import boto3
from botocore.config import Config

CHECKS = json.loads(r"""$checks""")
LOG = logging.getLogger()
LAMBDA = boto3.client("lambda", config=Config(read_timeout=900, retries={"total_max_attempts": 1}))
CODEDEPLOY = boto3.client("codedeploy")


def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Check the version in VERSION, and tell CodeDeploy."""
    try:
        wrong = [what for check in CHECKS for what in failures(check)]
    except Exception as error:  # noqa: BLE001 - without a verdict CodeDeploy waits for an hour
        wrong = [repr(error)]
    for what in wrong:
        LOG.error("%s: %s", os.environ["VERSION"], what)
    CODEDEPLOY.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Failed" if wrong else "Succeeded",
    )
    return {"wrong": wrong}


def failures(check: dict[str, Any]) -> list[str]:
    """What is wrong with the answer to one event, without anything of the answer itself."""
    name = check["name"]
    answer = LAMBDA.invoke(FunctionName=os.environ["VERSION"], Payload=json.dumps(check["event"]))
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        return [f"{name}: {result.get('errorType', 'the function failed')}"]
    if "result" in check:
        return [] if result == check["result"] else [f"{name}: not the expected result"]
    if result["statusCode"] != 200:
        return [f"{name}: status {result['statusCode']}"]
    body = json.loads(result["body"])
    if "answers" in check:
        return differences(check, body)
    if (
        check.get("digest") and body.get("digest", check["digest"]) != check["digest"]
    ):  # hooks may take it out
        return [f"{name}: wrong digest"]
    wanted = check.get("body", {})
    return [f"{name}: wrong {key}" for key, value in wanted.items() if body.get(key) != value]


def differences(check: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """What a model's own answers differ in from those that it gave when it was converted."""
    name, digest = check["name"], body.get("digest")
    if check["digest"] not in (None, digest):
        return [f"{name}: wrong digest"]
    rows = {key: value for key, value in body.items() if isinstance(value, list) and key != "classes"}
    if {len(value) for value in rows.values()} != {check["rows"]}:
        return [f"{name}: not one answer for each row"]
    if digest not in check["answers"]:
        LOG.warning("%s: the right answers of %s are not known here; not compared", name, digest)
        return []
    tolerance = check["tolerance"]
    return [
        f"{name}: wrong {key} of example row {row}"
        for key, wanted in check["answers"][digest].items()
        for row, want in enumerate(wanted)
        if key not in rows or differs(key, want, rows[key][row], tolerance)
    ]


def differs(key: str, want: Any, got: Any, tolerance: dict[str, float]) -> bool:
    """Whether one answer is out of tolerance: a probability's is absolute, a value's relative to 1 + |y|."""
    if key == "label":
        return want is not None and want != got  # None: either of the best two is right
    if isinstance(want, list) and isinstance(got, list):
        pairs = zip(want, got, strict=False)  # of a long row the first numbers are compared
        return len(got) < len(want) or any(differs(key, *pair, tolerance) for pair in pairs)
    if not (isinstance(want, (int, float)) and isinstance(got, (int, float))):
        return bool(want != got)
    limit = tolerance["probability"] if key == "probability" else tolerance["value"] * (1 + abs(want))
    return abs(want - got) > limit
