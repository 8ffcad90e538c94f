"""Check of `$function`: calls the version that a release published, before any traffic goes there.

CodeDeploy calls this function and waits for its verdict. A version that does not start, serves another model
than the release names, or does not answer the models' own example rows never sees a request.
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
    wrong = [f"{name}: wrong {key}" for key, value in check["body"].items() if body.get(key) != value]
    lengths = {len(value) for key, value in body.items() if isinstance(value, list) and key != "classes"}
    if check["rows"] and check["rows"] not in lengths:
        wrong.append(f"{name}: not one answer for each row")
    return wrong
