"""Environments that are restored from one snapshot do not draw the same random numbers."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sls_ml_runtime import aws


def test_a_restored_snapshot_draws_numbers_of_its_own(
    tmp_path: Path, stored: Any, runtime: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a function with SnapStart that has started
    registered: list[Any] = []
    module = SimpleNamespace(register_after_restore=lambda *call: registered.append(call))
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    packaged = tmp_path / "artifacts" / stored.name / stored.digest
    packaged.parent.mkdir(parents=True)
    packaged.symlink_to(stored.folder)
    (tmp_path / "config.json").write_text(json.dumps(runtime.config(stored)))
    aws.boot(str(tmp_path))

    # WHEN two environments are restored from the same state
    drawn = []
    for _ in range(2):
        random.seed(7)
        np.random.seed(7)
        for call, *arguments in registered:
            call(*arguments)
        drawn.append((random.random(), np.random.random()))  # noqa: S311

    # THEN neither draws what the other does
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]
