"""Functions that follow an alias: promoted without a deploy, and never to what they cannot serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from command_line import Done, copy_sample, run
from sls_ml import promotion
from sls_ml.errors import ApplyError
from sls_ml.provider.aws import connect
from sls_ml.provider.base import Target

LOCAL = ("--stage", "local")
HTTP = "    memory: 512\n"
BATCH = "    timeout: 5m\n"


class Following:
    """A project on an embedded cloud of its own, whose functions follow an alias."""

    def __init__(self, folder: Path, *, start: str = "plain") -> None:
        self.folder = folder
        spec = folder / "sls-ml.yaml"
        text = spec.read_text()
        assert HTTP in text
        assert BATCH in text
        text = text.replace(HTTP, f"{HTTP}    follow: {{alias: champion, seconds: 1}}\n    start: {start}\n")
        spec.write_text(text.replace(BATCH, f"{BATCH}    follow: {{alias: champion, seconds: 1}}\n"))
        self.first = self.do("deploy", *LOCAL).document["artifacts"]["tumour"]["digest"]
        cloud = self.do("local", "up").document
        self.target = Target(
            cloud["region"], "local", cloud["endpoint_url"], cloud["access_key"], cloud["secret_key"]
        )
        self.bucket = connect(self.target).store.removeprefix("s3://")

    def do(self, *words: str) -> Done:
        """Run a command that must go well."""
        done = run(self.folder, *words, "--json")
        assert done.code == 0, done.out + done.err
        return done

    def promote(self, *words: str) -> Done:
        """Promote the model, and take what comes."""
        return run(self.folder, "promote", "tumour", "--to", "champion", *words, *LOCAL, "--json")

    def trained(self, columns: int = 30) -> str:
        """Train again, with less freedom, on the first columns; the digest of the artifact."""
        sample = pd.read_csv(self.folder / "sample.csv", index_col="id")
        features = sample.iloc[:, :columns]
        ill = features["mean radius"] > features["mean radius"].median()
        labels = ill.map({True: "malignant", False: "benign"}).astype(object)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features, labels)
        features.to_csv(self.folder / "sample.csv")
        skops.io.dump(model, self.folder / "model.skops")
        (converted,) = self.do("convert").document["models"].values()
        digest: str = converted["digest"]
        return digest

    def answers(self) -> str:
        """The beginning of the digest that answers."""
        digest: str = self.do("invoke", "predict", "--sample", "1", *LOCAL).document["digest"]
        return digest

    def answers_with(self, digest: str) -> bool:
        """Whether this digest answers soon."""
        return any(self.answers() == digest[:12] for _ in range(20))

    def log(self, function: str = "predict") -> str:
        """The raw log of a function, a JSON document a line."""
        return run(self.folder, "logs", function, *LOCAL, "--json").out

    def put(self, body: bytes) -> None:
        """Write to the alias as somebody would who knows of no promotion."""
        s3: Any = boto3.client(
            "s3",
            endpoint_url=self.target.endpoint_url,
            region_name=self.target.region,
            aws_access_key_id=self.target.access_key,
            aws_secret_access_key=self.target.secret_key,
        )
        s3.put_object(Bucket=self.bucket, Key="_aliases/tumour/champion", Body=body)


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Following]:
    folder = copy_sample("breast-cancer", tmp_path_factory.mktemp("following"))
    try:
        yield Following(folder)
    finally:
        run(folder, "local", "down")


def test_another_artifact_answers_without_a_deploy_and_back(following: Following) -> None:
    # GIVEN a deployed project whose functions follow an alias, and a model that was trained again
    assert following.answers() == following.first[:12]
    releases = following.do("releases", *LOCAL).document
    second = following.trained()
    # WHEN the alias is moved to it
    moved = following.promote("--digest", second[:10]).document
    # THEN it says from where to where, and for whom
    assert (moved["before"], moved["after"], moved["changed"]) == (following.first, second, True)
    assert moved["functions"] == ["predict", "score"]
    # AND the endpoint answers with it, the batch scores with it, and no release was made
    assert following.answers_with(second)
    scored = following.do("score", "score", "incoming.csv", *LOCAL).document
    assert scored["manifest"]["digest"] == second
    assert following.do("releases", *LOCAL).document == releases
    aliases = following.do("status", *LOCAL).document["aliases"]
    assert {(each["digest"], each["packaged"]) for each in aliases} == {(second, following.first)}
    # AND promoting it again changes nothing
    assert following.promote("--digest", second).document["changed"] is False
    # AND rows that it has answered are judged by its own sample
    rows = pd.read_csv(following.folder / "sample.csv", index_col="id").to_json(orient="records")
    for _ in range(6):
        run(following.folder, "invoke", "predict", "--rows", "-", *LOCAL, stdin=rows)
    judged = following.do("drift", *LOCAL).document["models"]["tumour"]
    assert judged["digests"]["predict"] == second
    assert judged["rows"]["predict"] >= 500
    assert judged["psi"] < 0.2
    # WHEN it goes back
    back = following.promote("--back").document
    # THEN the first answers again
    assert (back["before"], back["after"]) == (second, following.first)
    assert following.answers_with(following.first)
    assert "follow_failed" not in following.log()


def test_what_a_package_cannot_serve_is_refused(following: Following) -> None:
    # GIVEN an artifact with fewer inputs
    other = following.trained(columns=20)
    # WHEN it is promoted
    done = run(following.folder, "promote", "tumour", "--to", "champion", "--digest", other, *LOCAL)
    # THEN it is refused, with the reason and what to do instead
    assert done.code == 9
    assert "[not-promotable]" in done.err
    assert "its inputs are" in done.err
    assert "deploy it" in done.err
    # AND what is wrong in the request itself is said, too
    for words, code in (
        (("--digest", "ffff"), "digest-unknown"),
        (("--digest", "f" * 64), "artifact-unknown"),
        (("--digest", "f" * 64, "--back"), "digest-twice"),
        (("--to", "shadow"), "alias-unknown"),
    ):
        refused = run(following.folder, "promote", "tumour", "--to", "champion", *words, *LOCAL)
        assert (refused.code, f"[{code}]" in refused.err) == (2, True), refused.err


def test_of_two_promotions_at_once_one_is_told(following: Following) -> None:
    # GIVEN two people who looked at an alias at the same time
    aliases = connect(following.target).aliases
    uri = f"s3://{following.bucket}/_aliases/tumour/champion"
    seen = aliases.find(uri)
    assert seen is not None
    # WHEN both move it
    aliases.move(uri, "ab" * 32, before=seen)
    with pytest.raises(ApplyError) as caught:
        aliases.move(uri, "cd" * 32, before=seen)
    # THEN the first has, and the second is told
    assert caught.value.code == "alias-moved"
    now = aliases.find(uri)
    assert now is not None
    assert (now.digest, now.previous) == ("ab" * 32, seen.digest)
    # AND the same where there was none
    with pytest.raises(ApplyError):
        aliases.move(uri, "cd" * 32, before=None)
    aliases.move(uri, seen.digest, before=now)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"champion!", "holds no digest"),
        (json.dumps({"digest": "ab" * 32}).encode(), "does not exist"),
    ],
)
def test_an_alias_that_points_nowhere_leaves_the_model_in_place(
    following: Following, body: bytes, reason: str
) -> None:
    # GIVEN a function that answers
    before = following.answers()
    # WHEN somebody writes to the alias by hand
    following.put(body)
    # THEN the function says so in its log, counts it, and answers as before
    assert any(reason in following.log() for _ in range(20) if following.answers() == before)
    assert '\\"follow_failed\\":[1.0]' in following.log()
    following.put(json.dumps({"digest": following.first}).encode())


def test_a_restored_snapshot_looks_before_its_first_request(tmp_path: Path) -> None:
    # GIVEN a snapshot that was taken when the alias pointed to the first model
    folder = copy_sample("breast-cancer", tmp_path)
    try:
        following = Following(folder, start="snapstart")
        second = following.trained()
        # WHEN the alias is moved before anybody asked
        following.promote("--digest", second)
        # THEN the first answer is of the second model
        assert following.answers() == second[:12]
    finally:
        run(folder, "local", "down")


def test_what_callers_would_notice() -> None:
    # GIVEN two manifests
    field = {"name": "age", "dtype": "float64", "nullable": True, "finite": False, "range": None}
    old = {
        "kind": "classifier",
        "classes": ["no", "yes"],
        "inputs": [field | {"categories": ["a", "b"]}],
        "outputs": [{"key": "label", "columns": None}],
    }

    def said(**changes: Any) -> list[str]:
        new = {**old, **changes}
        return list(promotion.differences(old, new))

    def narrowed(**changes: Any) -> list[str]:
        return said(inputs=[old["inputs"][0] | changes])  # type: ignore[index]

    # THEN one that accepts as much or more differs in nothing
    assert said() == []
    assert narrowed(categories=None) == narrowed(categories=["b", "a", "c"]) == []
    # AND each difference in form, or in what is accepted, is said
    assert said(kind="regressor") == ["it is a regressor, not a classifier"]
    assert said(classes=["yes", "no"]) == ["its classes are ['yes', 'no'], not ['no', 'yes']"]
    assert said(outputs=[]) == ["its inputs or outputs have other types"]
    assert said(inputs=[]) == ["its inputs are , not age"]
    assert narrowed(dtype="string") == ["its inputs or outputs have other types"]
    assert narrowed(nullable=False) == ["age may no longer be missing"]
    assert narrowed(finite=True) == ["age may no longer be infinite"]
    assert narrowed(range=[0, 1]) == ["age must now lie in [0, 1]"]
    assert narrowed(categories=["a"]) == ["age no longer knows b"]
