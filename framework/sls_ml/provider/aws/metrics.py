"""Where CloudWatch has each signal: the functions' own EMF metrics, and those of Lambda and SQS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sls_ml.intent.model import Deployment, Function, Measure, Signal
from sls_ml.provider.aws import names
from sls_ml.provider.aws.cloudformation import Value, attribute


@dataclass(frozen=True)
class Metric:
    """One metric of CloudWatch, and how a period of it becomes a number (``Sum``, ``Maximum``, ``p99``)."""

    namespace: str
    name: str
    dimensions: Mapping[str, Value]
    statistic: str


@dataclass(frozen=True)
class Series:
    """Numbers over time: one metric, or an expression over several.

    Attributes:
        metrics: By the ids that the expression uses.
        expression: In CloudWatch's metric math; None where the one metric says it all.
    """

    metrics: Mapping[str, Metric]
    expression: str | None = None


_OWN: Mapping[Signal, str] = {
    "cold_starts": "cold_start",
    "failed": "failed",
    "failed_follows": "follow_failed",
    "failed_starts": "init_failed",
    "init": "init",
    "latency": "latency",
    "objects": "objects",
    "rejected": "rejected",
    "requests": "requests",
    "rows": "rows",
}
"""Names that sls_ml_runtime/metrics.py and the generated batch handler write."""

_LAMBDA: Mapping[Signal, str] = {"concurrency": "ConcurrentExecutions", "throttles": "Throttles"}

_QUEUES: Mapping[Signal, tuple[str, str]] = {
    "dead_letters": ("DeadLetters", "ApproximateNumberOfMessagesVisible"),
    "queue_age": ("Queue", "ApproximateAgeOfOldestMessage"),
    "queued": ("Queue", "ApproximateNumberOfMessagesVisible"),
}
"""The suffix of a queue's logical id, and the metric of SQS."""

_STATISTICS = {"sum": "Sum", "maximum": "Maximum", "p50": "p50", "p99": "p99"}


class Watch:
    """Finds the metrics of one function of a deployment."""

    def __init__(self, deployment: Deployment, function: Function) -> None:
        self._namespace = names.metrics_namespace(deployment.project, deployment.stage)
        self._function = function
        stack = names.stack_name(deployment.project, deployment.stage)
        self._name = names.function_name(stack, function.name)

    def series(self, measure: Measure) -> Series:
        """The metrics behind a measure."""
        if measure.statistic == "share":
            return self._share(measure)
        if measure.signal == "failed":
            return Series(*self._failed())
        if measure.signal == "refused_objects":
            metrics = {name: self._own(name, "Sum") for name in ("refused", "too_many_rejected")}
            return Series(metrics, "FILL(refused, 0) + FILL(too_many_rejected, 0)")
        if measure.signal == "gb_seconds":
            share = self._function.memory / 1024 / 1000
            return Series({"ms": self._lambda("Duration", "Sum", alias=True)}, f"ms * {share:g}")
        if measure.model:
            return Series({measure.signal: self._of_model(measure)})
        return Series({measure.signal: self._metric(measure)})

    def _metric(self, measure: Measure) -> Metric:
        signal, statistic = measure.signal, _STATISTICS[measure.statistic]
        if signal in _QUEUES:
            suffix, name = _QUEUES[signal]
            queue = names.logical_id(self._function.name, suffix)
            return Metric("AWS/SQS", name, {"QueueName": attribute(queue, "QueueName")}, statistic)
        if signal in _LAMBDA:
            return self._lambda(_LAMBDA[signal], statistic)
        if signal == "rejected" and self._function.batch:
            return self._own("rejected_rows", statistic)
        # A start belongs to no alias yet when it fails, nor does a look beside the requests.
        return self._own(_OWN[signal], statistic, alias=signal not in {"failed_follows", "failed_starts"})

    def _share(self, measure: Measure) -> Series:
        if measure.signal == "failed":
            metrics, failed = self._failed()
            metrics |= {"calls": self._lambda("Invocations", "Sum", alias=True)}
            return Series(metrics, _ratio(f"({failed})", "calls", measure.least))
        metrics = {name: self._own(name, "Sum") for name in ("rejected", "requests")}
        return Series(metrics, _ratio("rejected", "requests", measure.least))

    def _failed(self) -> tuple[dict[str, Metric], str]:
        """Calls without an answer: those that Lambda saw fail, and of an endpoint those answered 500.

        A batch function raises what fails, and counts it besides: Lambda's number is all of them.
        """
        metrics = {"errors": self._lambda("Errors", "Sum", alias=True)}
        if self._function.batch:
            return metrics, "FILL(errors, 0)"
        return {"failed": self._own("failed", "Sum"), **metrics}, "FILL(failed, 0) + FILL(errors, 0)"

    def _own(self, name: str, statistic: str, *, alias: bool = True) -> Metric:
        dimensions: dict[str, Value] = {"function": self._function.name}
        if alias:
            dimensions["alias"] = names.ALIAS
        return Metric(self._namespace, name, dimensions, statistic)

    def _of_model(self, measure: Measure) -> Metric:
        dimensions = {"function": self._function.name, "model": measure.model}
        return Metric(self._namespace, measure.signal, dimensions, _STATISTICS[measure.statistic])

    def _lambda(self, name: str, statistic: str, *, alias: bool = False) -> Metric:
        dimensions: dict[str, Value] = {"FunctionName": self._name}
        if alias:
            dimensions["Resource"] = f"{self._name}:{names.ALIAS}"
        return Metric("AWS/Lambda", name, dimensions, statistic)


def _ratio(part: str, whole: str, least: int) -> str:
    """A share, without a value where nothing was called, and 0 where too little was."""
    return f"{part} / {whole}" if not least else f"IF({whole} >= {least}, {part} / {whole}, 0)"


def query(series: Series, seconds: int) -> list[dict[str, Any]]:
    """The series as an alarm's metric queries."""
    queries: list[dict[str, Any]] = [
        {
            "Id": id_,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": dimensions(metric),
                },
                "Period": seconds,
                "Stat": metric.statistic,
            },
            "ReturnData": False,
        }
        for id_, metric in series.metrics.items()
    ]
    return [*queries, {"Id": "value", "Expression": series.expression, "ReturnData": True}]


def dimensions(metric: Metric) -> list[dict[str, Any]]:
    """A metric's dimensions as CloudFormation lists them."""
    return [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
