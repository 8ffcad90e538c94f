"""Carries out schedules: at their times, and as their role, it calls a function or sends a message."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from sls_ml.local.account import Account
from sls_ml.local.authorisation import allows, statements_of
from sls_ml.spec import timetable

SERVICE: Final = "scheduler.amazonaws.com"

_log = logging.getLogger(__name__)


@dataclass
class _Waiting:
    schedule: Any
    due: datetime | None


class Scheduler:
    """All schedules, and one thread that waits for the next.

    As with AWS, a rate begins as soon as its schedule is made; a flexible window is waited for in full.

    Args:
        account: Whose schedules they are.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._waiting: dict[str, _Waiting] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self, schedule: Any) -> None:
        """Carry out a schedule of moto's from now on; one of the same name is carried out no more."""
        now = datetime.now(UTC)
        first = now if schedule.schedule_expression.startswith("rate") else self._next(schedule, now)
        with self._changed:
            self._waiting[schedule.name] = _Waiting(schedule, _later(schedule, first))
            self._changed.notify()

    def end(self, name: str) -> None:
        """Carry out a schedule no more."""
        with self._changed:
            self._waiting.pop(name, None)

    @staticmethod
    def _next(schedule: Any, after: datetime) -> datetime | None:
        zone = ZoneInfo(schedule.schedule_expression_timezone)
        return timetable.following(schedule.schedule_expression, zone, after)

    def _run(self) -> None:
        while True:
            for schedule in self._due():
                try:
                    self._carry_out(schedule)
                    _log.info("schedule %s: %s is called", schedule.name, schedule.target["Arn"])
                except (ClientError, BotoCoreError, NotFoundException, PermissionError) as error:
                    _log.warning("schedule %s: %s", schedule.name, error)

    def _due(self) -> list[Any]:
        """Wait until something is due, and note when that is due next."""
        with self._changed:
            now = datetime.now(UTC)
            coming = [each.due for each in self._waiting.values() if each.due is not None]
            if not coming or min(coming) > now:
                self._changed.wait((min(coming) - now).total_seconds() if coming else None)
                return []
            due = [each for each in self._waiting.values() if each.due is not None and each.due <= now]
            for each in due:
                each.due = _later(each.schedule, self._next(each.schedule, now))
            return [each.schedule for each in due if each.schedule.state != "DISABLED"]

    def _carry_out(self, schedule: Any) -> None:
        target = schedule.target
        self._require_trust(target["RoleArn"])
        client = self._account.client(target["Arn"].split(":")[2], target["RoleArn"], "scheduler")
        if ":sqs:" in target["Arn"]:
            account, name = target["Arn"].split(":")[4:]
            url = f"{self._account.url}/{account}/{name}"
            client.send_message(QueueUrl=url, MessageBody=target.get("Input", "{}"))
        else:
            payload = target.get("Input", "{}").encode()
            client.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)

    def _require_trust(self, role: str) -> None:
        """See that a role lets the scheduler take it.

        Raises:
            PermissionError: It does not.
        """
        number = self._account.number
        group = f"arn:aws:scheduler:{self._account.region}:{number}:schedule-group/default"
        trust = iam_backends[number]["aws"].get_role_by_arn(role).assume_role_policy_document
        context = {"aws:SourceArn": group, "aws:SourceAccount": number}
        if not allows(
            "sts:AssumeRole", role, resource_policy=statements_of(trust), service=SERVICE, context=context
        ):
            raise PermissionError(f"the role {role} does not let the scheduler take it")


def _later(schedule: Any, due: datetime | None) -> datetime | None:
    minutes = schedule.flexible_time_window.get("MaximumWindowInMinutes", 0)
    return None if due is None else due + timedelta(minutes=minutes)
