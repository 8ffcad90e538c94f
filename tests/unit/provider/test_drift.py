"""The drift watch: counts of a day are added up, and judged as numpy judges them.

The function's code is run as rendered, against moto's logs and objects.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pytest
from moto import mock_aws

from sls_ml.provider.aws import render
from sls_ml.spec.model import Follow

REGION = "eu-west-1"
STORE = "sls-ml-store-123456789012-eu-west-1"
EDGES = [float(edge) for edge in range(10, 100, 10)]
MANIFEST = {
    "name": "credit",
    "inputs": [{"name": "age"}, {"name": "city"}],
    "drift": {
        "rows": 1000,
        "features": [
            {"edges": EDGES, "counts": [100] * 10, "nulls": 0},
            {"top": ["Bern", "Basel", "Uri"], "counts": [600, 370, 20], "rest": 10, "nulls": 0},
        ],
        "prediction": {"top": ["no", "yes"], "counts": [700, 300], "rest": 0, "nulls": 0},
    },
}
MANIFEST_TEXT = json.dumps(MANIFEST).encode()
DIGEST = hashlib.sha256(MANIFEST_TEXT).hexdigest()
OWN = "/aws/lambda/sls-ml-credit-risk-dev--drift"
GROUPS = {name: f"/aws/lambda/sls-ml-credit-risk-dev-{name}" for name in ("predict", "score")}
HOUR = 3_600_000


class Watch:
    """The function with its surroundings: the logs of two functions, the store, and its own log."""

    def __init__(self, code: str) -> None:
        self.logs = boto3.client("logs")
        self.s3 = boto3.client("s3")
        for group in (OWN, *GROUPS.values()):
            self.logs.create_log_group(logGroupName=group)
            self.logs.create_log_stream(logGroupName=group, logStreamName="one")
        self.s3.create_bucket(Bucket=STORE, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.put_manifest(MANIFEST_TEXT)
        self._code = code
        self.now = int(time.time() * 1000)

    def put_manifest(self, content: bytes, digest: str = DIGEST) -> None:
        """Put a manifest into the store, or what stands in its place."""
        self.s3.put_object(Bucket=STORE, Key=f"credit/{digest}/manifest.json", Body=content)

    def point(self, body: bytes) -> None:
        """Let the alias of the model hold these bytes."""
        self.s3.put_object(Bucket=STORE, Key="_aliases/credit/champion", Body=body)

    def write(self, group: str, *lines: dict[str, Any], at: int = 1000) -> None:
        """Put lines into a log, `at` milliseconds before now."""
        stamp = self.now - at
        events = [{"timestamp": stamp, "message": json.dumps(line, separators=(",", ":"))} for line in lines]
        self.logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)

    def run(self, capsys: pytest.CaptureFixture[str], *, left: int = 300_000, **event: Any) -> Any:
        """Run it once: what it answers, and the lines that it writes, which end up in its log."""
        module: dict[str, Any] = {"__name__": "index"}
        exec(compile(self._code, "index.py", "exec"), module)  # noqa: S102 - the code under test
        module["time"] = SimpleNamespace(time=lambda: self.now / 1000)
        capsys.readouterr()
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: left)
        answer = module["handler"](event, context)
        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        self.write(OWN, *said)
        return answer, said


@pytest.fixture
def watch(make: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """The watch; where the test has a parameter for it, `score` follows that alias."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_LOG_GROUP_NAME": OWN,
        "SLS_ML_STORE": f"s3://{STORE}",
    }.items():
        monkeypatch.setenv(name, value)
    model = make.model(watched=True, digest=DIGEST)
    alias: str | None = getattr(request, "param", None)
    deployment = make.deployment(
        make.function("predict", models=(model,)),
        make.function("score", models=(model,), follow=Follow(alias=alias) if alias else None),
    )
    packages = {name: make.package(name) for name in GROUPS}
    body = json.loads(render(deployment, packages).template)["Resources"]["DriftWatch"]["Properties"]
    with mock_aws():
        yield Watch(body["Code"]["ZipFile"])


def line(
    ages: Sequence[int], cities: Sequence[int], labels: Sequence[int], digest: str = DIGEST
) -> dict[str, Any]:
    def text(counts: Sequence[int]) -> str:
        return " ".join(str(int(count)) for count in counts)

    return {
        "type": "sls-ml.drift",
        "function": "predict",
        "model": "credit",
        "digest": digest,
        "rows": int(sum(ages)),
        "counts": f"{text(ages)};{text(cities)}",
        "predicted": text(labels),
    }


USUAL = line([60] * 10 + [0], [360, 222, 12, 6, 0], [420, 180, 0, 0])


def index(was: Sequence[int], seen: Sequence[int]) -> float:
    """The population stability index by numpy, over bins of which each holds a row on one side at least."""
    before, after = (np.asarray(counts) + 0.5 for counts in (was, seen))
    p, q = before / before.sum(), after / after.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def test_the_index_is_that_of_numpy(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN counts of values that have moved, in two lines of a function's log
    values = np.random.default_rng(3).normal(70, 25, size=900)
    ages = np.bincount(np.searchsorted(EDGES, values, side="right"), minlength=10)
    for part in (ages // 3, ages - ages // 3):
        total = int(part.sum())
        watch.write(
            GROUPS["predict"], line([*part, 0], [total, 0, 0, 0, 0], [total // 2, total - total // 2, 0, 0])
        )
    # WHEN the watch looks
    answer, said = watch.run(capsys, now=True)
    table = {each["of"]: each for each in answer["credit"]["table"]}
    # THEN the index of each is that of numpy; small bins of the sample count together
    assert table["age"]["psi"] == pytest.approx(index([100] * 10, ages), abs=1e-4)
    assert table["city"]["psi"] == pytest.approx(index([600, 370, 30], [900, 0, 0]), abs=1e-4)
    assert table["(prediction)"]["psi"] == pytest.approx(index([700, 300], [450, 450]), abs=1e-4)
    assert table["city"]["moved"] == "Bern"
    # AND the largest is the one metric of the model, with the rows that it was found in
    (emf,) = [each for each in said if "_aws" in each]
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("sls-ml/credit-risk/dev", [["model"]])
    assert (emf["drift"], emf["drift_rows"]) == (max(each["psi"] for each in table.values()), 900)
    assert answer["credit"]["psi"] == emf["drift"]
    # AND the table is in the log
    assert [each["of"] for each in said if each.get("type") == "sls-ml.drift.table"] == list(table)


def test_usual_rows_have_no_drift(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    watch.write(GROUPS["predict"], USUAL)
    answer, _ = watch.run(capsys, now=True)
    assert 0 <= answer["credit"]["psi"] < 0.001


def test_values_that_the_sample_did_not_have_are_drift(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN rows of which a tenth lack the age, where none did in the sample
    watch.write(GROUPS["predict"], line([54] * 10 + [60], [360, 222, 12, 6, 0], [420, 180, 0, 0]))
    # WHEN the watch looks
    answer, _ = watch.run(capsys, now=True)
    # THEN that is what has moved most
    first = answer["credit"]["table"][0]
    assert (first["of"], first["moved"]) == ("age", "missing")
    assert first["psi"] > 0.2


def test_few_rows_are_no_metric(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN fewer rows than say anything, wherever they fall
    few_rows = line([499, *[0] * 10], [0, 0, 0, 499, 0], [0, 0, 499, 0])
    watch.write(GROUPS["predict"], few_rows, at=120_000)
    # WHEN the watch looks
    answer, said = watch.run(capsys)
    # THEN there is no index and no metric, and the log says why
    assert (answer["credit"]["psi"], answer["credit"]["table"]) == (None, [])
    assert not [each for each in said if "_aws" in each]
    (few,) = [each for each in said if each["type"] == "sls-ml.drift.few"]
    assert (few["rows"], few["least"]) == ({"predict": 499}, 500)


def test_hours_are_added_up_and_no_line_is_counted_twice(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN lines of three hours, and a watch that has run after each but the last
    start = watch.now
    rows = []
    for hour in range(3):
        watch.now = start - (2 - hour) * HOUR
        watch.write(GROUPS["predict"], USUAL, at=HOUR // 2)
        # WHEN it runs
        answer, said = watch.run(capsys)
        rows.append(answer["credit"]["rows"]["predict"])
        notes = [each for each in said if each.get("type") == "sls-ml.drift.hour"]
        assert len(notes) == 1
    # THEN it adds up what was seen until then
    assert rows[-1] == 1800
    # AND looking again changes nothing
    assert watch.run(capsys, now=True)[0]["credit"]["rows"] == {"predict": 1800}


def test_what_is_a_day_old_is_forgotten(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    watch.write(GROUPS["predict"], USUAL, at=25 * HOUR)
    watch.write(
        OWN, {"type": "sls-ml.drift.hour", "until": watch.now - 25 * HOUR, "sums": {"x": {}}}, at=25 * HOUR
    )
    assert watch.run(capsys, now=True)[0]["credit"]["rows"] == {}


def test_a_look_leaves_the_reading_to_the_next_hour(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN a line of some minutes ago
    watch.write(GROUPS["predict"], USUAL, at=120_000)
    # WHEN somebody looks WHEN the hour comes
    _, said = watch.run(capsys, now=True)
    answer, _ = watch.run(capsys)
    # THEN the look has noted nothing, and the line counts once
    assert not [each for each in said if each.get("type") == "sls-ml.drift.hour"]
    assert answer["credit"]["rows"] == {"predict": 600}


def test_without_time_the_rest_waits_for_the_next_hour(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a line that could not be read in time
    watch.write(GROUPS["predict"], USUAL, at=HOUR)
    answer, _ = watch.run(capsys, left=0)
    assert answer["credit"]["rows"] == {}
    # WHEN there is time THEN it is read
    assert watch.run(capsys)[0]["credit"]["rows"] == {"predict": 600}


def test_each_function_is_judged_by_itself_and_the_worst_tells(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a function whose rows are usual, another whose rows are not, and rows of a release before
    watch.write(GROUPS["predict"], USUAL)
    watch.write(GROUPS["score"], line([600, *[0] * 10], [360, 222, 12, 6, 0], [420, 180, 0, 0]))
    watch.write(
        GROUPS["score"], line([0, 900, *[0] * 9], [900, 0, 0, 0, 0], [900, 0, 0, 0], digest="cd" * 32)
    )
    # WHEN the watch looks
    answer, _ = watch.run(capsys, now=True)
    # THEN the worst is that of the other, and the earlier release is not judged by this reference
    assert answer["credit"]["rows"] == {"predict": 600, "score": 600}
    assert answer["credit"]["table"][0]["function"] == "score"
    assert answer["credit"]["psi"] > 1


@pytest.mark.parametrize("watch", ["champion"], indirect=True)
def test_a_function_that_follows_is_judged_by_the_artifact_that_answers(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN another artifact, in whose sample everybody was young, and as many rows of both in each function
    young = {"edges": EDGES, "counts": [991, *[1] * 9], "nulls": 0}
    other = {
        **MANIFEST,
        "drift": {**MANIFEST["drift"], "features": [young, MANIFEST["drift"]["features"][1]]},
    }
    text = json.dumps(other).encode()
    promoted = hashlib.sha256(text).hexdigest()
    watch.put_manifest(text, promoted)
    for group in GROUPS.values():
        watch.write(group, USUAL, {**USUAL, "digest": promoted, "rows": 601})
    # WHEN the alias that one of them follows points to it
    watch.point(json.dumps({"digest": promoted, "previous": DIGEST}).encode())
    answer = watch.run(capsys, now=True)[0]["credit"]
    # THEN that function alone is judged by it
    assert answer["rows"] == {"predict": 600, "score": 601}
    assert answer["digests"] == {"predict": DIGEST, "score": promoted}
    assert [(each["function"], each["of"]) for each in answer["table"] if each["psi"] > 0.2] == [
        ("score", "age")
    ]
    # WHEN it points back, nowhere, or is gone THEN it is the deployed artifact that answers
    for body in (json.dumps({"digest": DIGEST}).encode(), b"champion", b"{}"):
        watch.point(body)
        assert watch.run(capsys, now=True)[0]["credit"]["digests"]["score"] == DIGEST
    watch.s3.delete_object(Bucket=STORE, Key="_aliases/credit/champion")
    assert watch.run(capsys, now=True)[0]["credit"]["digests"]["score"] == DIGEST


@pytest.mark.parametrize("watch", ["champion"], indirect=True)
def test_a_promoted_artifact_with_a_small_sample_is_not_judged(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an artifact with a sample of 99 rows
    text = json.dumps({**MANIFEST, "drift": {**MANIFEST["drift"], "rows": 99}}).encode()
    small = hashlib.sha256(text).hexdigest()
    watch.put_manifest(text, small)
    watch.write(GROUPS["score"], {**USUAL, "digest": small})
    # WHEN it is promoted THEN its rows are counted and not judged
    watch.point(json.dumps({"digest": small}).encode())
    answer = watch.run(capsys, now=True)[0]["credit"]
    assert (answer["psi"], answer["rows"]) == (None, {"score": 600})


def test_a_reference_that_is_not_what_its_digest_says_is_refused(
    watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch.write(GROUPS["predict"], USUAL)
    watch.put_manifest(MANIFEST_TEXT.replace(b"100", b"101"))
    with pytest.raises(ValueError, match="is not what its digest says"):
        watch.run(capsys, now=True)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (60, ["any"]),
        (100, ["below 50", "from 50"]),
        (260, ["below 20", "20 to 40", "40 to 60", "60 to 80", "from 80"]),
        (1000, ["below 10", *[f"{edge} to {edge + 10}" for edge in range(10, 90, 10)], "from 90"]),
    ],
)
def test_a_small_sample_has_fewer_bins(
    watch: Watch, capsys: pytest.CaptureFixture[str], rows: int, names: list[str]
) -> None:
    # GIVEN a sample of so many rows
    module: dict[str, Any] = {"__name__": "index"}
    exec(compile(watch._code, "index.py", "exec"), module)  # noqa: S102 - the code under test
    # WHEN its bins are joined
    ranges: Callable[..., Any] = module["ranges"]
    found = list(ranges(EDGES, [rows // 10] * 10, [1] * 11))
    # THEN each is large enough, and no row is lost
    assert [name for name, _, _ in found] == names
    assert sum(before for _, before, _ in found) == rows // 10 * 10
    assert sum(after for _, _, after in found) == 10


def test_nothing_watches_where_nothing_is_to_be_watched(make: Any) -> None:
    resources = json.loads(
        render(make.deployment(make.function()), {"predict": make.package("predict")}).template
    )["Resources"]
    assert not [name for name in resources if "Drift" in name]
