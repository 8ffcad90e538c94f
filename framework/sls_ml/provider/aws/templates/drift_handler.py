"""Watches the models of `$project` for drift: compares what functions have seen with the models' samples.

Functions count what they see, and write the counts to their logs. Each hour this function reads the new
lines, notes their sum in its own log, adds up the sums of the last day, and tells the log and CloudWatch how
far each input and the predictions are from the sample: the population stability index. Too few rows say
nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from functools import cache
from math import log
from typing import Any

import boto3
from botocore.exceptions import ClientError

WATCH = json.loads(r"""$watch""")
COUNTS, HOUR = "sls-ml.drift", "sls-ml.drift.hour"
SLICE = 10 * 60 * 1000
"""Milliseconds of log that are read at a time: what was read is noted, though time may run out."""
LATE = 60 * 1000
"""Milliseconds that a line may need until it can be read."""
LEFT = 20 * 1000
"""Milliseconds that it takes to judge and tell."""
BIN = 50
"""Rows of the sample that a bin holds at least: smaller ones are joined, for chance moves them too much."""

LOGS, S3 = boto3.client("logs"), boto3.client("s3")
Sums = dict[str, dict[str, Any]]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Read what is new, judge the last day, and tell.

    Args:
        event: ``{"now": true}`` reads up to this moment, and leaves the reading in the log to the next hour.
        context: Lambda's context; its clock says how long there is to read.

    Returns:
        By model: the largest index and what has it, the rows it was found in, and the table of all.
    """
    now = int(time.time() * 1000)
    begin = now - WATCH["hours"] * 3600 * 1000
    hours = [json.loads(text) for text in lines(os.environ["AWS_LAMBDA_LOG_GROUP_NAME"], HOUR, begin, now)]
    read = max([begin, *(hour["until"] for hour in hours)])
    sums: Sums = {}
    until = now if event.get("now") else now - LATE
    while read < until and context.get_remaining_time_in_millis() > LEFT:
        piece = until if event.get("now") else min(read + SLICE, until)
        for function, group in WATCH["groups"].items():
            for text in lines(group, COUNTS, read, piece - 1):
                add(sums, function, json.loads(text))
        read = piece
    if not event.get("now"):
        say({"type": HOUR, "until": read, "sums": sums})
    for hour in hours:
        for line in hour["sums"].values():
            add(sums, line["function"], line)
    return {model["name"]: tell(model, sums, now) for model in WATCH["models"]}


def lines(group: str, kind: str, begin: int, end: int) -> Iterator[str]:
    """Lines of a log that have this type, from `begin` to `end` in milliseconds."""
    pages = LOGS.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=f'"{kind}"', startTime=begin, endTime=end
    )
    for page in pages:
        for each in page["events"]:
            if f'"type":"{kind}"' in each["message"]:
                yield each["message"]


def add(sums: Sums, function: str, line: dict[str, Any]) -> None:
    """Add the counts of a line to those of the same function and model."""
    key = f"{function} {line['model']} {line['digest']}"
    if key not in sums:
        kept = ("model", "digest", "rows", "counts", "predicted")
        sums[key] = {"function": function, **{name: line[name] for name in kept if name in line}}
        return
    known = sums[key]
    known["rows"] += line["rows"]
    for name in ("counts", "predicted"):
        if name in line:
            groups = zip(groups_of(known[name]), groups_of(line[name]), strict=True)
            known[name] = ";".join(
                " ".join(str(a + b) for a, b in zip(*pair, strict=True)) for pair in groups
            )


def groups_of(text: str) -> list[list[int]]:
    """The counts of a line: a list for each input."""
    return [[int(number) for number in group.split()] for group in text.split(";")]


def tell(model: dict[str, Any], sums: Sums, now: int) -> dict[str, Any]:
    """Judge a model in each function that serves it, write the table, and the metric of the largest index."""
    found: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    digests = {function: answering(model, function) for function in WATCH["groups"]}
    for line in sums.values():
        if line["model"] == model["name"] and line["digest"] == digests[line["function"]]:
            rows[line["function"]] = line["rows"]
            if line["rows"] >= WATCH["least"]:
                manifest = reference(model["name"], line["digest"])
                if manifest["drift"]["rows"] < WATCH["reference"]:
                    continue
                found += table(manifest, line)
                for share in predicted(manifest, line):
                    say({"type": "sls-ml.drift.predicted", "model": model["name"], **share})
    found.sort(key=lambda each: -each["psi"])
    for each in found:
        say({"type": "sls-ml.drift.table", "model": model["name"], **each})
    answer = {"rows": rows, "digests": {name: digests[name] for name in rows}, "least": WATCH["least"]}
    if not found:
        say({"type": "sls-ml.drift.few", "model": model["name"], **answer})
        return {"psi": None, "table": [], **answer}
    judged = sum(count for count in rows.values() if count >= WATCH["least"])
    metrics = [{"Name": "drift", "Unit": "None"}, {"Name": "drift_rows", "Unit": "Count"}]
    directive = {"Namespace": WATCH["namespace"], "Dimensions": [["model"]], "Metrics": metrics}
    values = {"drift": found[0]["psi"], "drift_rows": judged, "of": found[0]["of"]}
    say({"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, "model": model["name"], **values})
    return {"psi": found[0]["psi"], "table": found, **answer}


def answering(model: dict[str, Any], function: str) -> str:
    """The artifact that answers in a function: the deployed one, or that to which its alias points."""
    key = model["aliases"].get(function)
    return (key and pointed(key)) or model["digest"]


def pointed(key: str) -> str | None:
    """The digest that an alias in the store holds; None where it cannot be followed."""
    try:
        return str(json.loads(stored(key))["digest"])
    except (ClientError, ValueError, KeyError, TypeError):
        return None


@cache
def reference(name: str, digest: str) -> dict[str, Any]:
    """The manifest of a model, which holds how its sample is spread, from the store."""
    key = f"{name}/{digest}/manifest.json"
    content = stored(key)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{key} in the store is not what its digest says")
    manifest: dict[str, Any] = json.loads(content)
    return manifest


def stored(key: str) -> bytes:
    """An object of the store."""
    bucket, _, prefix = os.environ["SLS_ML_STORE"].removeprefix("s3://").partition("/")
    content: bytes = S3.get_object(Bucket=bucket, Key=f"{prefix}/{key}" if prefix else key)["Body"].read()
    return content


def table(manifest: dict[str, Any], line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The index of each input and of the predictions, and the bin that has moved most."""
    drift = manifest["drift"]
    names = [field["name"] for field in manifest["inputs"]]
    entries = list(zip(names, drift["features"], groups_of(line["counts"]), strict=True))
    if "predicted" in line:
        entries.append(("(prediction)", drift["prediction"], groups_of(line["predicted"])[0]))
    for name, entry, seen in entries:
        bins = merged(entry, seen)
        was, is_ = shares([before for _, before, _ in bins]), shares([after for *_, after in bins])
        moved = max(range(len(bins)), key=lambda place: abs(is_[place] - was[place]))
        yield {
            "function": line["function"],
            "of": name,
            "psi": round(sum((b - a) * log(b / a) for a, b in zip(was, is_, strict=True)), 4),
            "rows": line["rows"],
            "moved": bins[moved][0],
            "before": round(was[moved], 4),
            "now": round(is_[moved], 4),
        }


def predicted(manifest: dict[str, Any], line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The share of each prediction in the sample, and now."""
    if "predicted" in line:
        bins = merged(manifest["drift"]["prediction"], groups_of(line["predicted"])[0])
        was, is_ = shares([before for _, before, _ in bins]), shares([after for *_, after in bins])
        for (value, *_), before, now in zip(bins, was, is_, strict=True):
            yield {
                "function": line["function"],
                "value": value,
                "before": round(before, 4),
                "now": round(now, 4),
            }


def shares(counts: list[int]) -> list[float]:
    """Shares of a whole, with half a row more in each so that none is zero."""
    return [(count + 0.5) / (sum(counts) + 0.5 * len(counts)) for count in counts]


def merged(entry: dict[str, Any], seen: list[int]) -> list[tuple[str, int, int]]:
    """The bins of an input: their names, their rows in the sample, and now; small ones are joined."""
    bins = list(labels(entry, seen) if "top" in entry else ranges(entry["edges"], entry["counts"], seen))
    bins.append(("missing", entry["nulls"], seen[-1]))
    return [each for each in bins if each[1] or each[2]]


def labels(entry: dict[str, Any], seen: list[int]) -> Iterator[tuple[str, int, int]]:
    """The values that have a bin of their own, and all others."""
    before, after = entry["rest"], seen[-2]
    for value, was, is_ in zip(entry["top"], entry["counts"], seen, strict=False):
        if was >= BIN:
            yield str(value), was, is_
        else:
            before, after = before + was, after + is_
    yield "others", before, after


def ranges(edges: list[float], counts: list[int], seen: list[int]) -> Iterator[tuple[str, int, int]]:
    """Neighbouring bins joined into as many of about the same size as the rows of the sample allow."""
    total, made, passed = sum(counts), 0, 0
    wanted = max(1, total // BIN)
    low, before, after = "", 0, 0
    for place, count in enumerate(counts):
        before, after, passed = before + count, after + seen[place], passed + count
        if place == len(edges):
            yield f"from {low}" if low else "any", before, after
        elif passed * wanted >= (made + 1) * total:
            high = f"{edges[place]:.6g}"
            yield f"{low} to {high}" if low else f"below {high}", before, after
            low, before, after, made = high, 0, 0, passed * wanted // total


def say(line: dict[str, Any]) -> None:
    """Write a line of JSON to the log."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
