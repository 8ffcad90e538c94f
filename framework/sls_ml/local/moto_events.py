"""EventBridge delivers to a queue only what the queue's policy lets it, as in AWS; moto does not ask."""

from __future__ import annotations

import logging
from typing import Any

from moto.events.models import Rule
from moto.sqs.models import sqs_backends

from sls_ml.local.authorisation import allows, statements_of

_log = logging.getLogger(__name__)


def require_queue_policies() -> None:
    """Put the question before moto's delivery."""
    moto: Any = Rule
    deliver = moto._send_to_sqs_queue

    def ask_first(rule: Any, name: str, event: dict[str, Any], group_id: str | None = None) -> None:
        queues = sqs_backends[rule.account_id][rule.region_name].queues
        if name not in queues:
            _log.warning("rule %s: there is no queue %s", rule.name, name)
            return
        queue = queues[name]
        if not allows(
            "sqs:SendMessage",
            queue.queue_arn,
            resource_policy=statements_of(queue.policy),
            service="events.amazonaws.com",
            context={
                "aws:SourceArn": rule.arn,
                "aws:SourceAccount": rule.account_id,
                "aws:SecureTransport": "true",
            },
        ):
            _log.warning("rule %s: the policy of queue %s does not let it send", rule.name, name)
            return
        deliver(rule, name, event, group_id)

    moto._send_to_sqs_queue = ask_first
