"""An engine that does not load leaves the model to the next one, and a line in the log."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sls_ml_runtime import engines
from sls_ml_runtime.artifact import open_folder
from sls_ml_runtime.engines import ort_capi
from sls_ml_runtime.errors import EngineError


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort_capi.Library, "_loaded", None)
    monkeypatch.setenv("SLS_ML_ORT_LIBRARY", "/nowhere/libonnxruntime.so")


@pytest.mark.usefixtures("no_library")
def test_the_next_engine_takes_over_and_the_log_says_why(
    runtime: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a model that two engines can run, of which the first has no library here
    stored: Any = runtime.write(engines=["ort_capi", "ort_python"])
    artifact = open_folder(stored.folder, stored.digest)

    # WHEN it is loaded THEN the second runs it
    assert engines.load(artifact).name == "ort_python"

    # AND one line says so
    (text,) = capfd.readouterr().err.splitlines()
    line = json.loads(text)
    assert (line["level"], line["model"], line["engine"]) == ("WARN", stored.name, "ort_python")
    assert line["reason"].startswith("ort_capi: /nowhere/libonnxruntime.so does not load")


@pytest.mark.usefixtures("no_library")
def test_where_none_loads_the_error_tells_of_each(runtime: SimpleNamespace) -> None:
    # GIVEN a model that only an engine without its library runs WHEN it is loaded THEN that is the error
    stored: Any = runtime.write(engines=["ort_capi"])
    with pytest.raises(EngineError, match=f"no engine can run {stored.name}: ort_capi: /nowhere/"):
        engines.load(open_folder(stored.folder, stored.digest))
