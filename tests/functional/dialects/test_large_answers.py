"""Bodies and answers at Lambda's limits, through a function URL of the embedded cloud."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from command_line import copy_sample, run

MB = 1 << 20
HOOKS = """
import random
wanted = [0, ""]


def before(rows):
    wanted[:] = [rows[0].pop("size", 0), rows[0].pop("kind", "x")]
    return rows


def after(result):
    size, kind = wanted
    note = random.Random(7).randbytes(size // 2).hex() if kind == "noise" else kind * size
    return result | {"note": [note]}
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """A function whose hook makes answers of the size that a row asks for, and a row."""
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("large"))
    spec = sample / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("{auth: iam}", "{auth: public, max_body: 5MB}"))
    hooks = sample / "../../handlers/breast-cancer/aws/predict/hooks.py"
    hooks.write_text(HOOKS)
    (artifact,) = (Path(sample) / "../../artifacts/tumour").iterdir()
    row = json.loads((artifact / "manifest.json").read_text())["example"][0]
    try:
        done = run(sample, "deploy", "--stage", "local", "--json")
        assert done.code == 0, done.out + done.err
        yield done.document["functions"]["predict"]["endpoint"].rstrip("/"), row
    finally:
        run(sample, "local", "down")


def ask(endpoint: tuple[str, dict[str, Any]], size: int, kind: str, **headers: str) -> httpx.Response:
    """Ask for an answer with so many characters of a kind."""
    address, row = endpoint
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{address}/predict", json=[row | {"size": size, "kind": kind}], headers=named, timeout=60
    )


@pytest.mark.parametrize(
    ("size", "kind", "accepted"),
    [
        (5 * MB, "x", "identity"),
        (5 * MB // 3, "\n", "identity"),  # two bytes in the answer, three in the JSON around it
        (7 * MB // 8, "\N{SNOWMAN}", "identity"),  # three bytes, or six in the JSON of Python 3.11
        (50 * MB, "x", "gzip"),
        (7 * MB, "noise", "gzip"),
    ],
    ids=["text", "lines", "signs", "compressed", "noise"],
)
def test_an_answer_within_the_limit_arrives_whole(
    endpoint: tuple[str, dict[str, Any]], size: int, kind: str, accepted: str
) -> None:
    # GIVEN an answer that Lambda carries WHEN it is asked for THEN it arrives whole
    answer = ask(endpoint, size, kind, accept_encoding=accepted)
    assert answer.status_code == 200, answer.text[:500]
    (note,) = answer.json()["note"]
    assert len(note) == size


@pytest.mark.parametrize(
    ("size", "kind", "accepted"),
    [
        (6 * MB, "x", "identity"),
        (2 * MB + MB // 5, "\n", "identity"),
        (2 * MB + MB // 5, "\N{SNOWMAN}", "identity"),
        (12 * MB, "noise", "gzip"),
    ],
    ids=["text", "lines", "signs", "noise"],
)
def test_an_answer_beyond_the_limit_is_refused_before_it_is_cut_off(
    endpoint: tuple[str, dict[str, Any]], size: int, kind: str, accepted: str
) -> None:
    # GIVEN an answer that Lambda does not carry WHEN it is asked for
    answer = ask(endpoint, size, kind, accept_encoding=accepted)

    # THEN the function says so itself, and what to do
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "answer-too-large"
    assert "accept gzip, or send fewer rows" in answer.json()["error"]["message"]

    # AND the next request is served
    assert ask(endpoint, 1, "x").status_code == 200


def test_a_body_is_refused_in_turn_by_function_and_provider(endpoint: tuple[str, dict[str, Any]]) -> None:
    # GIVEN bodies beyond the function's limit, and beyond Lambda's
    address, _ = endpoint
    json_ = {"content-type": "application/json"}
    ours = httpx.post(f"{address}/predict", content=b" " * (5 * MB + 1), headers=json_)
    bomb = httpx.post(
        f"{address}/predict",
        content=gzip.compress(b" " * (5 * MB + 1), mtime=0),
        headers=json_ | {"content-encoding": "gzip"},
    )
    theirs = httpx.post(f"{address}/predict", content=b" " * (6 * MB + 1), headers=json_)

    # THEN the first are refused by the function, the last by the provider
    assert (ours.status_code, ours.json()["error"]["code"]) == (413, "too-large")
    assert (bomb.status_code, bomb.json()["error"]["code"]) == (413, "too-large")
    assert theirs.status_code == 413
    assert "error" not in theirs.json()
