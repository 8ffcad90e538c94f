"""Trains the breast-cancer sample: python samples/breast-cancer/train.py.

Writes model.skops (the pipeline), sample.csv (rows for the signature and the parity gate) and
incoming.csv (rows that neither the training nor the sample holds, two of them broken on purpose).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(__file__).parent


def load() -> tuple[pd.DataFrame, pd.Series]:
    """The 569 rows of 30 measurements that ship with scikit-learn, and their diagnosis."""
    bunch = load_breast_cancer(as_frame=True)
    features = bunch.data.rename_axis("id")
    features.index = [f"T{number:04d}" for number in features.index]
    diagnosis = bunch.target.map({0: "malignant", 1: "benign"}).astype(object)
    diagnosis.index = features.index
    return features.rename_axis("id"), diagnosis


def train(features: pd.DataFrame, diagnosis: pd.Series) -> Pipeline:
    """A scaled logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, diagnosis)


def main() -> None:
    """Train on three quarters of the rows and write the files of the sample."""
    features, diagnosis = load()
    seen, held_out, answers, truth = train_test_split(
        features, diagnosis, test_size=0.25, random_state=7, stratify=diagnosis
    )
    model = train(seen, answers)
    skops.io.dump(model, FOLDER / "model.skops", compresslevel=9, compression=8)
    seen.head(100).to_csv(FOLDER / "sample.csv")

    incoming = held_out.astype(object)
    incoming.iloc[3, incoming.columns.get_loc("mean area")] = "about 600"
    incoming.iloc[11, incoming.columns.get_loc("mean radius")] = None
    incoming.to_csv(FOLDER / "incoming.csv")
    print(f"accuracy on {len(held_out)} held-out rows: {model.score(held_out, truth):.3f}")


if __name__ == "__main__":
    main()
