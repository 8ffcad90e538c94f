"""The sample: rows in the columns of the model's inputs, given to it the way it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sls_ml.artifact import structure
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.table import read_table, select
from sls_ml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["frame", "matrix", "texts"]


@dataclass(frozen=True)
class Sample:
    """Rows of a model's inputs.

    Attributes:
        frame: One column per input that the model reads, float32 widened to float64.
        dtypes: The manifest's dtype of each column.
        form: How the model was trained: on a DataFrame, a matrix, or a sequence of texts.
        positions: The columns' positions in the model's own input; others are not read by it.
        width: The number of columns of the model's own input.
        categories: Known values of the columns that the model takes as pandas' categories, by name.
        mixed: Whether the model tells integers from floats in a matrix.
    """

    frame: pd.DataFrame
    dtypes: tuple[str, ...]
    form: Form
    positions: tuple[int, ...]
    width: int
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    mixed: bool = False

    def native(self, frame: pd.DataFrame) -> Any:
        """Give rows, in the columns of this sample, as the model itself takes them."""
        import numpy as np

        if self.form == "frame":
            return frame.assign(
                **{name: _categorical(frame[name], known) for name, known in self.categories.items()}
            )
        if self.form == "texts":
            return frame.iloc[:, 0].tolist()
        numeric = not self.mixed and all(dtype != "string" for dtype in self.dtypes)
        matrix = np.zeros((len(frame), self.width), dtype=np.float64 if numeric else object)
        matrix[:, list(self.positions)] = frame.to_numpy(dtype=matrix.dtype)
        return matrix

    def rows(self, columns: Sequence[list[Any]]) -> pd.DataFrame:
        """Build further rows from one list of values per column, keeping each column's type if it fits."""
        import pandas as pd

        built = {}
        for place, values in enumerate(columns):
            like = self.frame.iloc[:, place]
            built[like.name] = _column_like(like, pd.Series(values, dtype=object))
        return pd.DataFrame(built)


def _categorical(column: pd.Series[Any], known: Sequence[Any]) -> pd.Series[Any]:
    """Give a column as pandas' categories: the known ones first, those that nobody knows after them."""
    import pandas as pd

    values = column.astype(object).where(column.notna(), None)
    strangers = [value for value in values.dropna().unique() if value not in known]
    return values.astype(pd.CategoricalDtype([*known, *strangers]))


def _column_like(like: pd.Series[Any], plain: pd.Series[Any]) -> pd.Series[Any]:
    """Give values the type of another column, unless that would change one of them."""
    import pandas as pd

    if isinstance(like.dtype, pd.CategoricalDtype):
        present = plain.dropna()
        return plain.astype(like.dtype if present.isin(like.cat.categories).all() else "category")
    # A type inferred for texts would make NaN of None, which models tell apart.
    kept = isinstance(like.dtype, pd.StringDtype) or pd.api.types.is_object_dtype(like.dtype)
    if pd.api.types.is_bool_dtype(like.dtype):
        kept = all(isinstance(value, bool) for value in plain)
    elif pd.api.types.is_integer_dtype(like.dtype):
        kept = all(isinstance(value, int) and not isinstance(value, bool) for value in plain)
    elif pd.api.types.is_float_dtype(like.dtype):
        kept = True
    return plain.astype(like.dtype) if kept else plain.infer_objects()


def fit_sample(model: Any, source: object) -> Sample:
    """Bring a sample into the model's own inputs: its columns, in its order.

    Raises:
        ModelError: The sample lacks columns, has too few, or holds values that no input can hold.
    """
    frame, named = read_table(source)
    if isinstance(model, GraphModel):
        return _of_graph(model, frame, named)
    if structure.reads_text(model):
        chosen = _text_column(frame)
        text = frame[[chosen]].rename(columns=str)
        if text.iloc[:, 0].isna().any():
            raise ModelError(
                f"The sample has missing texts in column {chosen!r}.",
                code="sample-missing-text",
                mend="leave these rows out",
            )
        return Sample(text, ("string",), "texts", (0,), 1)
    names = structure.feature_names(model)
    width = structure.width(model)
    form: Form
    if names is not None:
        names = _spelt(names, frame)
        used = structure.used_columns(model, len(names))
        wanted = [names[position] for position in used]
        if not named and frame.shape[1] == len(names):
            frame = frame.set_axis(names, axis=1)
        chosen_frame = select(frame, wanted)
        width, form = len(names), "frame"
    elif width is not None:
        used = structure.used_columns(model, width)
        if frame.shape[1] < width:
            raise ModelError(
                f"The model takes {width} columns; the sample has {frame.shape[1]}.",
                code="sample-columns",
                mend="give a sample with the columns that the model was trained on, in their order",
            )
        if frame.shape[1] > width:
            raise _too_wide(frame, width)
        chosen_frame = frame.iloc[:, used]
        if not named:
            chosen_frame = chosen_frame.set_axis([f"x{position}" for position in used], axis=1)
        form = "matrix"
    else:
        raise ModelError(
            f"{structure.describe(model)} does not say which columns it takes.",
            code="model-not-fitted",
            why="it has neither n_features_in_ nor feature_names_in_",
            mend="fit the model, and hand over one that reads a table or a list of texts",
        )
    integers = {
        position
        for encoder, positions in structure.encoders(model, range(width))
        for place, position in enumerate(positions)
        if encoder.categories_[place].dtype.kind in "iu"
    }
    known = structure.own_categories(structure.steps(model)[0][1]) if form == "frame" else {}
    hashed = structure.hashed(model)
    chosen_frame = chosen_frame.astype(dict.fromkeys(chosen_frame.columns[[*known, *hashed]], object))
    sample = _typed(chosen_frame, form, tuple(used), width, integers.union(hashed))
    categories = {sample.frame.columns[at]: values for at, values in known.items()}
    return replace(sample, categories=categories, mixed=bool(hashed))


def _too_wide(frame: pd.DataFrame, width: int) -> ModelError:
    """Without names nobody knows which columns the model was trained on: the first ones, or others."""
    names = [str(name) for name in frame.columns]
    index = [name for name in names if name.startswith("Unnamed: ")]
    shown = ", ".join(map(repr, names[:10])) + (" and more" if len(names) > 10 else "")
    return ModelError(
        f"The model takes {width} columns; the sample has {len(names)}: {shown}.",
        code="sample-columns",
        why="it was trained without names of columns, so that nobody can tell which ones it takes",
        mend=(f"leave {index[0]!r} out, which is an index: to_csv(index=False); " if index else "")
        + "give a sample of its columns alone, in their order, or train it on a DataFrame",
    )


def _of_graph(model: GraphModel, frame: pd.DataFrame, named: bool) -> Sample:
    """Give the columns that a graph takes, which knows their types and sometimes their names."""
    import pandas as pd

    model = model.columns(frame.shape[1])
    if model.names is not None and named:
        chosen = select(frame, model.names)
    elif frame.shape[1] != len(model.dtypes):
        raise ModelError(
            f"The graph takes {len(model.dtypes)} columns; the sample has {frame.shape[1]}.",
            code="sample-columns",
            mend="give a sample with the graph's columns alone, in their order",
        )
    elif named:
        chosen = frame
    else:
        chosen = frame.set_axis(model.names or [f"x{at}" for at in range(frame.shape[1])], axis=1)
    columns = {}
    for (name, column), dtype in zip(chosen.items(), model.dtypes, strict=True):
        try:
            kind: Any = {"string": "object", "int64": "int64", "bool": "bool"}.get(dtype, "float64")
            columns[str(name)] = column.astype(kind)
            if dtype == "int64" and (columns[str(name)] != column).any():
                raise ValueError("some are fractions")
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"Column {name!r} of the sample holds values that the graph's input of {dtype} cannot take.",
                code="sample-type",
                why=" ".join(str(error).split())[:300],
                mend="give a sample with rows like those that the graph was made for",
            ) from error
    places = tuple(range(len(columns)))
    return Sample(pd.DataFrame(columns), tuple(model.dtypes), "frame", places, len(places))


def _spelt(names: list[str], frame: pd.DataFrame) -> list[str]:
    """Spell a model's names as the sample does: LightGBM writes those with spaces otherwise."""
    spelt = {"_".join(str(name).split()): str(name) for name in frame.columns}
    return [name if name in frame.columns else spelt.get(name, name) for name in names]


def _text_column(frame: pd.DataFrame) -> Any:
    texts = [name for name in frame.columns if _is_text(frame[name])]
    if "text" in texts:
        return "text"
    if len(texts) == 1:
        return texts[0]
    raise ModelError(
        "The model reads one text per row; the sample has "
        + (f"{len(texts)} columns of text." if texts else "no column of text."),
        code="sample-columns",
        why=f"its columns are {', '.join(map(str, frame.columns[:10]))}",
        mend="name the column of texts 'text', or give a list of texts",
    )


def _is_text(column: pd.Series[Any]) -> bool:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return all(isinstance(value, str) for value in column.cat.categories)
    if not (pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)):
        return False
    present = column.dropna()
    return len(present) > 0 and all(isinstance(value, str) for value in present)


def _bare(column: pd.Series[Any]) -> pd.Series[Any]:
    """Give one of pandas' own nullable columns of numbers as numpy's, a missing value as NaN."""
    import pandas as pd

    types = pd.api.types
    if not types.is_extension_array_dtype(column.dtype) or not types.is_numeric_dtype(column.dtype):
        return column
    if types.is_float_dtype(column.dtype) or column.isna().any():
        return column.astype("float64")
    return column.astype("bool" if types.is_bool_dtype(column.dtype) else "int64")


def _typed(
    frame: pd.DataFrame, form: Form, positions: tuple[int, ...], width: int, integers: set[int]
) -> Sample:
    import pandas as pd

    types = pd.api.types
    columns, dtypes = {}, []
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if types.is_object_dtype(column.dtype) and not _is_text(column):
            column = column.infer_objects()
            if types.is_object_dtype(column.dtype) and column.isna().all():
                column = column.astype("float64")
        column = _bare(column)
        if _is_text(column):
            dtype = "string"
        elif types.is_bool_dtype(column.dtype):
            dtype = "bool"
        elif types.is_integer_dtype(column.dtype):
            dtype = "int64" if positions[place] in integers and not column.isna().any() else "float64"
        elif types.is_float_dtype(column.dtype):
            dtype = "float32" if str(column.dtype) in ("float32", "float16") else "float64"
            column = column.astype("float64")
        else:
            raise ModelError(
                f"Column {name!r} of the sample holds values of a type that no model input has.",
                code="sample-type",
                why=f"its type is {column.dtype}; known are numbers, booleans and texts",
                mend="turn dates into numbers before the model, and do not mix texts with numbers",
            )
        columns[str(name)] = column
        dtypes.append(dtype)
    return Sample(pd.DataFrame(columns), tuple(dtypes), form, positions, width)
