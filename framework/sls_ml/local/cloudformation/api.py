"""CloudFormation's API over the stacks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sls_ml.local.cloudformation.drift import DRIFTED, drifts
from sls_ml.local.cloudformation.kind import Site
from sls_ml.local.cloudformation.stack import Change, ChangeSet, Stack, now
from sls_ml.local.cloudformation.stacks import NO_CHANGES, RefusedError, Stacks
from sls_ml.local.service import Operation, ServiceError


def operations(stacks: Stacks, site: Site) -> dict[str, Operation]:
    """CloudFormation's operations, by name."""
    api = _Api(stacks, site)
    return {
        name: _translated(operation)
        for name, operation in {
            "CreateChangeSet": api.create_change_set,
            "CreateStack": api.create_stack,
            "DeleteChangeSet": api.delete_change_set,
            "DeleteStack": api.delete_stack,
            "DescribeChangeSet": api.describe_change_set,
            "DescribeStackDriftDetectionStatus": api.describe_stack_drift_detection_status,
            "DescribeStackEvents": api.describe_stack_events,
            "DescribeStackResource": api.describe_stack_resource,
            "DescribeStackResourceDrifts": api.describe_stack_resource_drifts,
            "DescribeStackResources": api.describe_stack_resources,
            "DescribeStacks": api.describe_stacks,
            "DetectStackDrift": api.detect_stack_drift,
            "ExecuteChangeSet": api.execute_change_set,
            "GetTemplate": api.get_template,
            "ListChangeSets": api.list_change_sets,
            "ListStackResources": api.list_stack_resources,
            "ListStacks": api.list_stacks,
            "UpdateStack": api.update_stack,
        }.items()
    }


def _translated(operation: Operation) -> Operation:
    def call(params: dict[str, Any]) -> Any:
        try:
            return operation(params)
        except RefusedError as error:
            raise ServiceError(error.code, str(error)) from error

    return call


class _Api:
    def __init__(self, stacks: Stacks, site: Site) -> None:
        self._stacks = stacks
        self._site = site
        self._detections: dict[str, str] = {}
        self._drifts: dict[str, list[dict[str, Any]]] = {}

    def _template(self, params: Mapping[str, Any], stack: Stack | None) -> str:
        if params.get("UsePreviousTemplate") and stack is not None and stack.template is not None:
            return stack.template.text
        if body := params.get("TemplateBody"):
            return str(body)
        if url := params.get("TemplateURL"):
            bucket, _, key = url.partition("//")[2].partition("/")[2].partition("/")
            body = self._site.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return str(body.decode())
        raise RefusedError("Either Template URL or Template Body must be specified.")

    @staticmethod
    def _parameters(params: Mapping[str, Any], stack: Stack | None) -> dict[str, str]:
        before = stack.parameters if stack is not None else {}
        return {
            p["ParameterKey"]: before[p["ParameterKey"]]
            if p.get("UsePreviousValue") and p["ParameterKey"] in before
            else p.get("ParameterValue", "")
            for p in params.get("Parameters") or []
        }

    def _existing(self, name: str) -> Stack | None:
        try:
            return self._stacks.find(name)
        except RefusedError:
            return None

    def create_change_set(self, params: dict[str, Any]) -> Any:
        stack = self._existing(params["StackName"])
        stack, change_set = self._stacks.create_change_set(
            params["StackName"],
            params["ChangeSetName"],
            params.get("ChangeSetType", "UPDATE"),
            self._template(params, stack),
            self._parameters(params, stack),
            _tags(params),
            params.get("Description", ""),
        )
        return {"Id": change_set.id, "StackId": stack.id}

    def _change_set(self, params: Mapping[str, Any]) -> tuple[Stack, ChangeSet]:
        name = params["ChangeSetName"]
        for stack in self._stacks.all():
            if params.get("StackName") not in (None, stack.name, stack.id):
                continue
            for change_set in stack.change_sets.values():
                if name in (change_set.id, change_set.name):
                    return stack, change_set
        raise ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")

    def describe_change_set(self, params: dict[str, Any]) -> Any:
        stack, change_set = self._change_set(params)
        return {
            **_summary(stack, change_set),
            "Parameters": _pairs(change_set.parameters, "ParameterKey", "ParameterValue"),
            "Tags": _pairs(change_set.tags),
            "Changes": [
                {"Type": "Resource", "ResourceChange": _change(change)} for change in change_set.changes
            ],
        }

    def delete_change_set(self, params: dict[str, Any]) -> Any:
        stack, change_set = self._change_set(params)
        del stack.change_sets[change_set.id]
        return {}

    def list_change_sets(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        waiting = [each for each in stack.change_sets.values() if not each.executed]
        return {"Summaries": [_summary(stack, each) for each in waiting]}

    def execute_change_set(self, params: dict[str, Any]) -> Any:
        self._stacks.execute(*self._change_set(params))
        return {}

    def create_stack(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.create(
            params["StackName"], self._template(params, None), self._parameters(params, None), _tags(params)
        )
        return {"StackId": stack.id}

    def update_stack(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        tags = _tags(params) if params.get("Tags") else None
        self._stacks.update(stack, self._template(params, stack), self._parameters(params, stack), tags)
        return {"StackId": stack.id}

    def delete_stack(self, params: dict[str, Any]) -> Any:
        if stack := self._existing(params["StackName"]):
            self._stacks.delete(stack)
        return {}

    def describe_stacks(self, params: dict[str, Any]) -> Any:
        if name := params.get("StackName"):
            found: tuple[Stack, ...] = (self._stacks.find(name),)
        else:
            found = tuple(s for s in self._stacks.all() if s.status != "DELETE_COMPLETE")
        return {"Stacks": [_described(stack) for stack in found]}

    def list_stacks(self, params: dict[str, Any]) -> Any:
        wanted = params.get("StackStatusFilter") or []
        return {
            "StackSummaries": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "CreationTime": stack.created,
                    "StackStatus": stack.status,
                }
                for stack in self._stacks.all()
                if not wanted or stack.status in wanted
            ]
        }

    def describe_stack_events(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        return {
            "StackEvents": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "EventId": event.id,
                    "LogicalResourceId": event.logical,
                    "PhysicalResourceId": event.physical,
                    "ResourceType": event.type,
                    "ResourceStatus": event.status,
                    "ResourceStatusReason": event.reason,
                    "Timestamp": event.at,
                }
                for event in reversed(stack.events)
            ]
        }

    def _resources(self, stack: Stack) -> list[dict[str, Any]]:
        return [
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "LogicalResourceId": resource.logical,
                "PhysicalResourceId": resource.made.physical,
                "ResourceType": resource.type,
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": resource.at,
                "Timestamp": resource.at,
            }
            for resource in stack.resources.values()
        ]

    def describe_stack_resources(self, params: dict[str, Any]) -> Any:
        resources = self._resources(self._stacks.find(params["StackName"]))
        wanted = params.get("LogicalResourceId")
        return {"StackResources": [r for r in resources if wanted in (None, r["LogicalResourceId"])]}

    def describe_stack_resource(self, params: dict[str, Any]) -> Any:
        name, logical = params["StackName"], params["LogicalResourceId"]
        for resource in self._resources(self._stacks.find(name)):
            if resource["LogicalResourceId"] == logical:
                return {"StackResourceDetail": resource}
        raise RefusedError(f"Resource {logical} does not exist for stack {name}")

    def list_stack_resources(self, params: dict[str, Any]) -> Any:
        return {"StackResourceSummaries": self._resources(self._stacks.find(params["StackName"]))}

    def detect_stack_drift(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        detection = str(uuid.uuid4())
        self._drifts[stack.id] = list(drifts(stack, self._site))
        self._detections[detection] = stack.id
        return {"StackDriftDetectionId": detection}

    def describe_stack_drift_detection_status(self, params: dict[str, Any]) -> Any:
        detection = params["StackDriftDetectionId"]
        if detection not in self._detections:
            raise RefusedError(f"Drift detection {detection} does not exist")
        stack = self._detections[detection]
        found = [each for each in self._drifts[stack] if each["StackResourceDriftStatus"] in DRIFTED]
        return {
            "StackId": stack,
            "StackDriftDetectionId": detection,
            "DetectionStatus": "DETECTION_COMPLETE",
            "StackDriftStatus": "DRIFTED" if found else "IN_SYNC",
            "DriftedStackResourceCount": len(found),
            "Timestamp": now(),
        }

    def describe_stack_resource_drifts(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        wanted = params.get("StackResourceDriftStatusFilters")
        found = self._drifts.get(stack.id, [])
        return {
            "StackResourceDrifts": [
                each for each in found if not wanted or each["StackResourceDriftStatus"] in wanted
            ]
        }

    def get_template(self, params: dict[str, Any]) -> Any:
        stack = self._stacks.find(params["StackName"])
        if stack.template is None:
            raise RefusedError(f"Stack {stack.name} has no template yet")
        return {"TemplateBody": stack.template.text, "StagesAvailable": ["Original", "Processed"]}


def _tags(params: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}


def _pairs(values: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in values.items()]


def _execution_status(stack: Stack, change_set: ChangeSet) -> str:
    if change_set.executed:
        return "EXECUTE_IN_PROGRESS" if stack.status.endswith("_IN_PROGRESS") else "EXECUTE_COMPLETE"
    return "UNAVAILABLE" if change_set.empty else "AVAILABLE"


def _summary(stack: Stack, change_set: ChangeSet) -> dict[str, Any]:
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": change_set.description,
        "CreationTime": change_set.created,
        "ExecutionStatus": _execution_status(stack, change_set),
        "Status": "FAILED" if change_set.empty else "CREATE_COMPLETE",
        "StatusReason": NO_CHANGES if change_set.empty else None,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "Action": change.action,
        "PolicyAction": change.policy,
        "LogicalResourceId": change.logical,
        "PhysicalResourceId": change.physical,
        "ResourceType": change.type,
        "Replacement": change.replacement,
        "Scope": ["Properties"] if change.action == "Modify" else [],
        "Details": [
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": each.name,
                    "BeforeValue": each.before,
                    "AfterValue": each.after,
                },
                "Evaluation": "Static" if each.before != each.after else "Dynamic",
                "ChangeSource": "DirectModification" if each.before != each.after else "ResourceReference",
            }
            for each in change.properties
        ],
    }


def _described(stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "DisableRollback": False,
        "Description": (stack.template.document.get("Description") if stack.template else None),
        "Parameters": _pairs(stack.parameters, "ParameterKey", "ParameterValue"),
        "Tags": _pairs(stack.tags),
        "Outputs": [
            {"OutputKey": key, "OutputValue": value, "Description": description}
            for key, value, description in stack.outputs
        ],
    }
