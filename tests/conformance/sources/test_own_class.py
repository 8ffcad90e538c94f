"""A class of the user's own converts by the converter that its module registers, as docs/sources.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sls_ml.artifact import build
from sls_ml.errors import ModelError

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"
TRAIN = """
import joblib, numpy as np, pandas as pd, skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from ratios import LogRatio
x = pd.DataFrame(np.random.default_rng(0).uniform(1, 9, (60, 2)), columns=["a", "b"])
model = make_pipeline(LogRatio(), LinearRegression()).fit(x, np.log(x.a / x.b) * 3)
joblib.dump(model, "model.joblib")
skops.io.dump(model, "model.skops")
x.to_csv("sample.csv", index=False)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's module, and a model that was trained with it."""
    folder = tmp_path_factory.mktemp("ratios")
    [module] = re.findall(r"```python\n(# ratios\.py.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "ratios.py").write_text(module, encoding="utf-8")
    subprocess.run([sys.executable, "-c", TRAIN], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("file", ["model.joblib", "model.skops"])
def test_the_pages_class_converts(project: Path, file: str) -> None:
    # GIVEN a trusted model of a class whose module lies beside the file
    sample = pd.read_csv(project / "sample.csv")

    # WHEN it is converted
    artifact = build(project / file, project / "sample.csv", name="ratio", trust=True)

    # THEN it answers as the class does
    found = artifact.predict(sample)["value"]
    np.testing.assert_allclose(found, np.log(sample.a / sample.b) * 3, atol=1e-9)
    assert str(project) not in sys.path


def test_without_trust_it_is_refused(project: Path) -> None:
    # GIVEN a file that names a class which skops does not know
    # WHEN it is converted without trust
    # THEN it is refused, and the class is named
    with pytest.raises(ModelError, match=r"ratios\.LogRatio") as caught:
        build(project / "model.skops", project / "sample.csv", name="ratio")
    assert caught.value.code == "model-untrusted"
