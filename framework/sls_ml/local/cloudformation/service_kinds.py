"""Resource types of IAM, S3, SQS, SNS, EventBridge, CloudWatch and its logs."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

import json
from typing import Any

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, Site, numbers, picked, tag_map


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _tags(properties: Properties) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tag_map(properties).items()]


class Role(Kind):
    """``AWS::IAM::Role``."""

    carried = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    passed_over = frozenset({"PermissionsBoundary"})
    replaces = frozenset({"RoleName", "Path"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the role with its policies."""
        iam = site.client("iam")
        role = properties.get("RoleName", name[-64:])
        values = numbers(
            picked(properties, "Description", "MaxSessionDuration", "Path"), "MaxSessionDuration"
        )
        answer = iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=_document(properties["AssumeRolePolicyDocument"]),
            Tags=_tags(properties),
            **values,
        )["Role"]
        made = Made(role, {"Arn": answer["Arn"], "RoleId": answer["RoleId"]})
        try:
            self._set_policies(iam, role, {}, properties)
        except Exception:
            self.delete(site, made, properties)
            raise
        return made

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change the trust, the policies and the tags."""
        iam = site.client("iam")
        iam.update_assume_role_policy(
            RoleName=made.physical, PolicyDocument=_document(new["AssumeRolePolicyDocument"])
        )
        self._set_policies(iam, made.physical, old, new)
        if gone := sorted(set(tag_map(old)) - set(tag_map(new))):
            iam.untag_role(RoleName=made.physical, TagKeys=gone)
        if tags := _tags(new):
            iam.tag_role(RoleName=made.physical, Tags=tags)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take the policies off, then the role."""
        iam = site.client("iam")
        try:
            for policy in iam.list_role_policies(RoleName=made.physical)["PolicyNames"]:
                iam.delete_role_policy(RoleName=made.physical, PolicyName=policy)
            for attached in iam.list_attached_role_policies(RoleName=made.physical)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=made.physical, PolicyArn=attached["PolicyArn"])
            iam.delete_role(RoleName=made.physical)
        except iam.exceptions.NoSuchEntityException:
            return

    @staticmethod
    def _set_policies(iam: Any, role: str, old: Properties, new: Properties) -> None:
        names = {policy["PolicyName"] for policy in new.get("Policies") or []}
        for policy in old.get("Policies") or []:
            if policy["PolicyName"] not in names:
                iam.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
        for policy in new.get("Policies") or []:
            iam.put_role_policy(
                RoleName=role,
                PolicyName=policy["PolicyName"],
                PolicyDocument=_document(policy["PolicyDocument"]),
            )
        before, after = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
        for arn in sorted(before - after):
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for arn in sorted(after - before):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)


class ManagedPolicy(Kind):
    """``AWS::IAM::ManagedPolicy``."""

    carried = frozenset({"ManagedPolicyName", "PolicyDocument", "Description", "Path", "Roles", "Users"})
    replaces = frozenset({"ManagedPolicyName", "Description", "Path"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the policy and attach it."""
        iam = site.client("iam")
        arn = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName", name),
            PolicyDocument=_document(properties["PolicyDocument"]),
            **picked(properties, "Description", "Path"),
        )["Policy"]["Arn"]
        self._attach(iam, arn, {}, properties)
        return Made(arn, {"PolicyArn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Make a new default version; the one before is deleted, for a policy holds only five."""
        iam = site.client("iam")
        if old["PolicyDocument"] != new["PolicyDocument"]:
            before = iam.get_policy(PolicyArn=made.physical)["Policy"]["DefaultVersionId"]
            document = _document(new["PolicyDocument"])
            iam.create_policy_version(PolicyArn=made.physical, PolicyDocument=document, SetAsDefault=True)
            iam.delete_policy_version(PolicyArn=made.physical, VersionId=before)
        self._attach(iam, made.physical, old, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Detach and delete."""
        iam = site.client("iam")
        self._attach(iam, made.physical, properties, {})
        try:
            iam.delete_policy(PolicyArn=made.physical)
        except iam.exceptions.NoSuchEntityException:
            return

    @staticmethod
    def _attach(iam: Any, arn: str, old: Properties, new: Properties) -> None:
        for role in sorted(set(old.get("Roles") or []) - set(new.get("Roles") or [])):
            iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for role in sorted(set(new.get("Roles") or []) - set(old.get("Roles") or [])):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        for user in sorted(set(old.get("Users") or []) - set(new.get("Users") or [])):
            iam.detach_user_policy(UserName=user, PolicyArn=arn)
        for user in sorted(set(new.get("Users") or []) - set(old.get("Users") or [])):
            iam.attach_user_policy(UserName=user, PolicyArn=arn)


class OIDCProvider(Kind):
    """``AWS::IAM::OIDCProvider``."""

    carried = frozenset({"ClientIdList", "Tags", "ThumbprintList", "Url"})
    replaces = frozenset({"Url", "ThumbprintList"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the provider."""
        arn = site.client("iam").create_open_id_connect_provider(
            Url=properties["Url"],
            ClientIDList=list(properties.get("ClientIdList") or []),
            ThumbprintList=list(properties.get("ThumbprintList") or []),
            Tags=_tags(properties),
        )["OpenIDConnectProviderArn"]
        return Made(arn, {"Arn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change whom the tokens are for."""
        iam = site.client("iam")
        before, after = (set(properties.get("ClientIdList") or []) for properties in (old, new))
        for gone in sorted(before - after):
            iam.remove_client_id_from_open_id_connect_provider(
                OpenIDConnectProviderArn=made.physical, ClientID=gone
            )
        for added in sorted(after - before):
            iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=made.physical, ClientID=added
            )
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the provider."""
        site.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=made.physical)


class LogGroup(Kind):
    """``AWS::Logs::LogGroup``."""

    carried = frozenset({"LogGroupName", "RetentionInDays", "Tags"})
    passed_over = frozenset({"KmsKeyId", "LogGroupClass", "DataProtectionPolicy"})
    replaces = frozenset({"LogGroupName", "LogGroupClass"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the group."""
        group = properties.get("LogGroupName", name)
        site.client("logs").create_log_group(logGroupName=group, tags=tag_map(properties))
        self._retain(site, group, properties)
        arn = f"arn:aws:logs:{site.region}:{site.account}:log-group:{group}:*"
        return Made(group, {"Arn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change the retention."""
        self._retain(site, made.physical, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the group with its logs."""
        logs = site.client("logs")
        try:
            logs.delete_log_group(logGroupName=made.physical)
        except logs.exceptions.ResourceNotFoundException:
            return

    @staticmethod
    def _retain(site: Site, group: str, properties: Properties) -> None:
        logs = site.client("logs")
        if "RetentionInDays" in properties:
            days = int(properties["RetentionInDays"])
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
        else:
            logs.delete_retention_policy(logGroupName=group)


_QUEUE_NUMBERS = (
    "DelaySeconds",
    "KmsDataKeyReusePeriodSeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)


_QUEUE_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}


class Queue(Kind):
    """``AWS::SQS::Queue``."""

    carried = frozenset({"QueueName", "RedrivePolicy", "SqsManagedSseEnabled", "Tags", *_QUEUE_NUMBERS})
    passed_over = frozenset({"KmsMasterKeyId", "RedriveAllowPolicy"})
    replaces = frozenset({"QueueName"})

    @staticmethod
    def _attributes(properties: Properties) -> dict[str, str]:
        values = {name: str(properties[name]) for name in _QUEUE_NUMBERS if name in properties}
        if "SqsManagedSseEnabled" in properties:
            values["SqsManagedSseEnabled"] = str(properties["SqsManagedSseEnabled"]).lower()
        if "RedrivePolicy" in properties:
            values["RedrivePolicy"] = _document(properties["RedrivePolicy"])
        return values

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the queue."""
        sqs = site.client("sqs")
        queue = properties.get("QueueName", name)
        url = sqs.create_queue(
            QueueName=queue, Attributes=self._attributes(properties), tags=tag_map(properties)
        )["QueueUrl"]
        arn = f"arn:aws:sqs:{site.region}:{site.account}:{queue}"
        return Made(url, {"Arn": arn, "QueueName": queue, "QueueUrl": url})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change its attributes."""
        values = {name: _QUEUE_DEFAULTS[name] for name in set(old) - set(new) if name in _QUEUE_DEFAULTS}
        values |= self._attributes(new)
        site.client("sqs").set_queue_attributes(QueueUrl=made.physical, Attributes=values)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the queue with its messages."""
        sqs = site.client("sqs")
        try:
            sqs.delete_queue(QueueUrl=made.physical)
        except sqs.exceptions.QueueDoesNotExist:
            return


class QueuePolicy(Kind):
    """``AWS::SQS::QueuePolicy``."""

    carried = frozenset({"Queues", "PolicyDocument"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Set the policy on each queue."""
        for queue in properties["Queues"]:
            site.client("sqs").set_queue_attributes(
                QueueUrl=queue, Attributes={"Policy": _document(properties["PolicyDocument"])}
            )
        return Made(name, {"Id": name})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Set it anew, and take it off the queues that are no longer named."""
        self._clear(site, set(old["Queues"]) - set(new["Queues"]))
        return self.create(site, made.physical, new)

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Take the policy off."""
        self._clear(site, set(properties["Queues"]))

    @staticmethod
    def _clear(site: Site, queues: set[str]) -> None:
        sqs = site.client("sqs")
        for queue in sorted(queues):
            try:
                sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
            except sqs.exceptions.QueueDoesNotExist:
                continue


class Rule(Kind):
    """``AWS::Events::Rule``."""

    carried = frozenset({"Name", "Description", "EventBusName", "EventPattern", "State", "Targets"})
    passed_over = frozenset({"Tags"})
    replaces = frozenset({"Name", "EventBusName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the rule with its targets."""
        rule = properties.get("Name", name[-64:])
        self._put(site, rule, {}, properties)
        return Made(rule, {"Arn": f"arn:aws:events:{site.region}:{site.account}:rule/{rule}"})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Put it again; targets that are no longer named go."""
        self._put(site, made.physical, old, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Remove targets and rule."""
        events = site.client("events")
        try:
            if ids := [target["Id"] for target in properties.get("Targets") or []]:
                events.remove_targets(Rule=made.physical, Ids=ids)
            events.delete_rule(Name=made.physical)
        except events.exceptions.ResourceNotFoundException:
            return

    @staticmethod
    def _put(site: Site, rule: str, old: Properties, new: Properties) -> None:
        events = site.client("events")
        values = picked(new, "Description", "EventBusName", "State")
        events.put_rule(Name=rule, EventPattern=_document(new["EventPattern"]), **values)
        ids = {target["Id"] for target in new.get("Targets") or []}
        if gone := sorted({target["Id"] for target in old.get("Targets") or []} - ids):
            events.remove_targets(Rule=rule, Ids=gone)
        if targets := new.get("Targets"):
            events.put_targets(Rule=rule, Targets=targets)


class Topic(Kind):
    """``AWS::SNS::Topic``."""

    carried = frozenset({"TopicName", "DisplayName"})
    passed_over = frozenset({"KmsMasterKeyId", "Subscription", "Tags"})
    replaces = frozenset({"TopicName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Create the topic."""
        topic = properties.get("TopicName", name)
        arn = site.client("sns").create_topic(Name=topic, Attributes=picked(properties, "DisplayName"))[
            "TopicArn"
        ]
        return Made(arn, {"TopicArn": arn, "TopicName": topic})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Change what it is called."""
        site.client("sns").set_topic_attributes(
            TopicArn=made.physical, AttributeName="DisplayName", AttributeValue=new.get("DisplayName", "")
        )
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the topic."""
        site.client("sns").delete_topic(TopicArn=made.physical)


class Alarm(Kind):
    """``AWS::CloudWatch::Alarm``; moto judges it from the metrics that functions write."""

    carried = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluateLowSampleCountPercentile",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "ThresholdMetricId",
            "TreatMissingData",
            "Unit",
        }
    )
    replaces = frozenset({"AlarmName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the alarm."""
        alarm = properties.get("AlarmName", name)
        values = numbers(
            picked(properties, *self.carried - {"AlarmName", "Tags", "Threshold"}),
            "DatapointsToAlarm",
            "EvaluationPeriods",
            "Period",
        )
        if "Threshold" in properties:
            values["Threshold"] = float(properties["Threshold"])
        site.client("cloudwatch").put_metric_alarm(AlarmName=alarm, **values)
        arn = f"arn:aws:cloudwatch:{site.region}:{site.account}:alarm:{alarm}"
        return Made(alarm, {"Arn": arn})

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Put it again, whole."""
        self.create(site, made.physical, new)
        return made

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the alarm."""
        site.client("cloudwatch").delete_alarms(AlarmNames=[made.physical])


class Dashboard(Kind):
    """``AWS::CloudWatch::Dashboard``."""

    carried = frozenset({"DashboardName", "DashboardBody"})
    replaces = frozenset({"DashboardName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the dashboard."""
        dashboard = properties.get("DashboardName", name)
        site.client("cloudwatch").put_dashboard(
            DashboardName=dashboard, DashboardBody=_document(properties["DashboardBody"])
        )
        return Made(dashboard)

    def update(self, site: Site, made: Made, old: Properties, new: Properties) -> Made:
        """Put it again."""
        return self.create(site, made.physical, new)

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the dashboard."""
        site.client("cloudwatch").delete_dashboards(DashboardNames=[made.physical])
