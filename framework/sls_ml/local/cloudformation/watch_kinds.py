"""Resource types of CloudWatch and its logs."""

# ruff: noqa: ARG002 - every kind has the same methods

from __future__ import annotations

from contextlib import suppress

from sls_ml.local.cloudformation.kind import (
    Kind,
    Made,
    Properties,
    PutWhole,
    Site,
    document,
    numbers,
    picked,
    tag_map,
)


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
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=made.physical)

    @staticmethod
    def _retain(site: Site, group: str, properties: Properties) -> None:
        logs = site.client("logs")
        if "RetentionInDays" in properties:
            days = int(properties["RetentionInDays"])
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
        else:
            logs.delete_retention_policy(logGroupName=group)


class Alarm(PutWhole):
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

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the alarm."""
        site.client("cloudwatch").delete_alarms(AlarmNames=[made.physical])


class Dashboard(PutWhole):
    """``AWS::CloudWatch::Dashboard``."""

    carried = frozenset({"DashboardName", "DashboardBody"})
    replaces = frozenset({"DashboardName"})

    def create(self, site: Site, name: str, properties: Properties) -> Made:
        """Put the dashboard."""
        dashboard = properties.get("DashboardName", name)
        site.client("cloudwatch").put_dashboard(
            DashboardName=dashboard, DashboardBody=document(properties["DashboardBody"])
        )
        return Made(dashboard)

    def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Delete the dashboard."""
        site.client("cloudwatch").delete_dashboards(DashboardNames=[made.physical])
