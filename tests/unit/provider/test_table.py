"""The table of providers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sls_ml.errors import UnsupportedError
from sls_ml.provider.table import PROVIDERS, provider


def test_every_provider_stands_under_its_name() -> None:
    # GIVEN the table
    # WHEN each name is looked up
    # THEN the provider answers to it
    assert {name: provider(name).NAME for name in PROVIDERS} == {name: name for name in PROVIDERS}


def test_a_provider_that_is_not_there_is_refused() -> None:
    # GIVEN a provider that this version has no folder for
    # WHEN it is looked up
    with pytest.raises(UnsupportedError) as caught:
        provider("knative")
    # THEN the error names those that there are
    assert caught.value.mend == "use one of: aws"


def test_the_table_loads_no_sdk() -> None:
    # GIVEN a fresh interpreter
    # WHEN the table is imported
    code = "import sys, sls_ml.provider.table; print(sorted({'boto3', 'botocore'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    # THEN AWS's SDK is not loaded
    assert done.stdout.strip() == "[]"
