"""What of a stack was changed past CloudFormation: its own detection, and a look at the aliases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sls_ml.errors import ApplyError
from sls_ml.provider.aws import names
from sls_ml.provider.aws.client import Client, translated
from sls_ml.provider.base import Drift

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        DescribeStackResourceDriftsInputTypeDef,
        StackResourceDriftTypeDef,
    )


class Drifts:
    """Finds drift in the stacks of one account and region."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def detect(self, stack: str) -> Iterator[Drift]:
        """Let CloudFormation compare every resource of a stack with its template; takes up to minutes.

        Raises:
            ApplyError: The detection failed.
        """
        with translated(f"looking for drift in {stack}"):
            detection = self._client.cloudformation.detect_stack_drift(StackName=stack)
            while True:
                status = self._client.cloudformation.describe_stack_drift_detection_status(
                    StackDriftDetectionId=detection["StackDriftDetectionId"]
                )
                if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                    break
                time.sleep(self._client.poll_seconds)
        if status["DetectionStatus"] == "DETECTION_FAILED":
            raise ApplyError(
                "CloudFormation could not compare every resource",
                code="drift-unknown",
                where=f"stack {stack}",
                why=status.get("DetectionStatusReason"),
                mend="whoever asks must be allowed to read them: `sls-ml iam --deployer`",
            )
        asked: DescribeStackResourceDriftsInputTypeDef = {
            "StackName": stack,
            "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
        }
        while True:
            with translated(f"reading the drift of {stack}"):
                answer = self._client.cloudformation.describe_stack_resource_drifts(**asked)
            yield from (_drift(each) for each in answer["StackResourceDrifts"])
            if not (following := answer.get("NextToken")):
                return
            asked["NextToken"] = following


def _drift(found: StackResourceDriftTypeDef) -> Drift:
    details = [
        f"{each['PropertyPath'].strip('/')}: {each['ExpectedValue']} -> {each['ActualValue']}"
        for each in found.get("PropertyDifferences", [])
    ]
    gone = found["StackResourceDriftStatus"] == "DELETED"
    return Drift(
        found["LogicalResourceId"],
        found["ResourceType"],
        "deleted" if gone else "modified",
        "; ".join(details),
    )


def released(template: Mapping[str, Any], function: str) -> str | None:
    """The version that a function's alias names in a template, by its logical id."""
    alias = template["Resources"].get(names.logical_id(function, "Alias"))
    if alias is None:
        return None
    logical: str = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
    return logical
