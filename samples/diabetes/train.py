"""Trains the diabetes sample: python samples/diabetes/train.py.

A gradient boosting regressor, scored in batches. Writes model.skops, sample.csv and incoming.csv (rows
that neither the training nor the sample holds). The data ships with scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import skops.io
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(__file__).parent


def load() -> tuple[pd.DataFrame, pd.Series]:
    """The 442 patients with ten unscaled measurements, and how the disease went on within a year."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    return bunch.data.rename_axis("patient"), bunch.target


def train(features: pd.DataFrame, progress: pd.Series) -> Pipeline:
    """Scaled measurements into 150 small trees."""
    trees = GradientBoostingRegressor(n_estimators=150, max_depth=3, learning_rate=0.05, random_state=5)
    return make_pipeline(StandardScaler(), trees).fit(features, progress)


def main() -> None:
    """Train on three quarters of the rows and write the files of the sample."""
    seen, held_out, answers, truth = train_test_split(*load(), test_size=0.25, random_state=5)
    model = train(seen, answers)
    skops.io.dump(model, FOLDER / "model.skops", compresslevel=9, compression=8)
    seen.head(150).to_csv(FOLDER / "sample.csv")
    held_out.to_csv(FOLDER / "incoming.csv")
    print(f"R2 on {len(held_out)} held-out rows: {model.score(held_out, truth):.3f}")


if __name__ == "__main__":
    main()
