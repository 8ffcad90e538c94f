"""Trains the penguins sample: python samples/penguins/train.py.

Mixed columns with missing values, a ColumnTransformer and a random forest. Writes model.skops, sample.csv
and incoming.csv (rows that the sample does not hold). The data ships in the package palmerpenguins.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

FOLDER = Path(__file__).parent
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
CATEGORIES = ["island", "sex"]


def load() -> pd.DataFrame:
    """The 344 penguins; 11 of them miss a measurement or the sex. The column year is no feature."""
    with (files("palmerpenguins") / "data" / "penguins.csv").open() as file:
        return pd.read_csv(file)


def train(penguins: pd.DataFrame) -> Pipeline:
    """Impute, encode, and grow a forest on four measurements and two categories."""
    prepare = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
    )
    forest = RandomForestClassifier(n_estimators=60, max_depth=8, random_state=3)
    return make_pipeline(prepare, forest).fit(penguins.drop(columns="species"), penguins["species"])


def main() -> None:
    """Train on three quarters of the rows and write the files of the sample."""
    seen, held_out = train_test_split(load(), test_size=0.25, random_state=3)
    model = train(seen)
    skops.io.dump(model, FOLDER / "model.skops", compresslevel=9, compression=8)
    seen.to_csv(FOLDER / "sample.csv", index=False)
    held_out.drop(columns="species").rename_axis("id").to_csv(FOLDER / "incoming.csv")
    print(f"accuracy on {len(held_out)} held-out rows: {model.score(held_out, held_out['species']):.3f}")


if __name__ == "__main__":
    main()
