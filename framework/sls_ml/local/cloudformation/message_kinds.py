"""Resource types of SQS and SNS."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress

from sls_ml.local.cloudformation.kind import Kind, Made, Properties, Site, document, picked, tag_map

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
            values["RedrivePolicy"] = document(properties["RedrivePolicy"])
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
        with suppress(sqs.exceptions.QueueDoesNotExist):
            sqs.delete_queue(QueueUrl=made.physical)


class QueuePolicy(Kind):
    """``AWS::SQS::QueuePolicy``."""

    carried = frozenset({"Queues", "PolicyDocument"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Set the policy on each queue."""
        for queue in properties["Queues"]:
            site.client("sqs").set_queue_attributes(
                QueueUrl=queue, Attributes={"Policy": document(properties["PolicyDocument"])}
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
            with suppress(sqs.exceptions.QueueDoesNotExist):
                sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})


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
