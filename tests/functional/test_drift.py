"""What somebody changed past sls-ml is shown: a function's memory, and an alias that was moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from command_line import copy_sample, run

LOCAL = ("--stage", "local")
FUNCTION = "sls-ml-breast-cancer-local-predict"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A project with two releases on an embedded cloud of its own, and a client of its Lambda."""
    folder = copy_sample("breast-cancer", tmp_path_factory.mktemp("drift"))
    spec = folder / "sls-ml.yaml"
    try:
        assert run(folder, "deploy", *LOCAL).code == 0
        spec.write_text(spec.read_text().replace("memory: 512", "memory: 1024"))
        assert run(folder, "deploy", *LOCAL).code == 0
        found = run(folder, "local", "up", "--json").document
        yield (
            folder,
            boto3.client(
                "lambda",
                endpoint_url=found["endpoint_url"],
                region_name=found["region"],
                aws_access_key_id=found["access_key"],
                aws_secret_access_key=found["secret_key"],
            ),
        )
    finally:
        run(folder, "local", "down")


def test_a_changed_memory_is_drift(cloud: tuple[Path, Any]) -> None:
    # GIVEN a stack as it was deployed THEN nothing has drifted
    folder, functions = cloud
    done = run(folder, "status", "--drift", *LOCAL, "--json")
    assert (done.code, done.document["drift"], done.document["moved"]) == (0, [], [])
    # WHEN somebody changes the memory of a function by hand
    functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=256)
    # THEN the resource is named, with both values, and the exit code is that of a drifted stack
    done = run(folder, "status", "--drift", *LOCAL, "--json")
    assert done.code == 5, done.err
    (found,) = done.document["drift"]
    assert (found["resource"], found["kind"]) == ("PredictFunction", "modified")
    assert found["detail"] == "MemorySize: 1024 -> 256"
    text = run(folder, "status", "--drift", *LOCAL)
    assert (text.code, "MemorySize: 1024 -> 256" in text.out) == (5, True)
    # WHEN it is changed back THEN all is well
    functions.update_function_configuration(FunctionName=FUNCTION, MemorySize=1024)
    assert run(folder, "status", "--drift", *LOCAL).code == 0


def test_a_moved_alias_is_always_shown_and_can_be_made_the_stacks_own(cloud: tuple[Path, Any]) -> None:
    # GIVEN an alias that somebody moved to the first release
    folder, functions = cloud
    functions.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")
    # THEN every command that looks says so
    for words in (("status",), ("releases",), ("plan",), ("deploy",)):
        done = run(folder, *words, *LOCAL)
        assert done.code == 0
        assert "predict: version 1 is live, but the stack says 2" in done.err
    assert run(folder, "status", *LOCAL, "--json").document["moved"] == ["predict"]
    listed = run(folder, "releases", "predict", *LOCAL, "--json").document["releases"]
    assert [(each["version"], each["live"], each["deployed"]) for each in listed] == [
        ("2", False, True),
        ("1", True, False),
    ]
    # WHEN the stack is made to say the same THEN nothing is moved any more
    assert run(folder, "rollback", "predict", "1", *LOCAL).code == 0
    done = run(folder, "status", "--drift", *LOCAL, "--json")
    assert (done.code, done.document["moved"], done.document["drift"]) == (0, [], [])
