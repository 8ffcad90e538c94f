"""Bring sample rows into one form, and give them to the original model the way it was trained."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sls_ml.artifact import structure
from sls_ml.artifact.exporters.graph_model import GraphModel
from sls_ml.artifact.extras import need
from sls_ml.errors import ExternalError, ModelError

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
    """

    frame: pd.DataFrame
    dtypes: tuple[str, ...]
    form: Form
    positions: tuple[int, ...]
    width: int
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def native(self, frame: pd.DataFrame) -> Any:
        """Give rows, in the columns of this sample, as the model itself takes them."""
        import numpy as np

        if self.form == "frame":
            return frame.assign(
                **{name: _categorical(frame[name], known) for name, known in self.categories.items()}
            )
        if self.form == "texts":
            return frame.iloc[:, 0].tolist()
        numeric = all(dtype != "string" for dtype in self.dtypes)
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
    kept = isinstance(like.dtype, pd.StringDtype)
    if pd.api.types.is_bool_dtype(like.dtype):
        kept = all(isinstance(value, bool) for value in plain)
    elif pd.api.types.is_integer_dtype(like.dtype):
        kept = all(isinstance(value, int) and not isinstance(value, bool) for value in plain)
    elif pd.api.types.is_float_dtype(like.dtype):
        kept = True
    return plain.astype(like.dtype) if kept else plain.infer_objects()


def read_table(source: object) -> tuple[pd.DataFrame, bool]:
    """Bring a sample into a DataFrame.

    Args:
        source: A DataFrame, a 2-D array, a list of mappings, a list of texts, or the path of a .csv, .jsonl
            or .parquet file.

    Returns:
        The rows, and whether their columns have names of their own.

    Raises:
        ModelError: The sample is absent, empty, or in no form that we know.
        ExternalError: A library that reads the file is not installed.
    """
    need("pandas")
    import numpy as np
    import pandas as pd

    named = True
    if isinstance(source, (str, Path)):
        frame = _read_file(Path(source))
    elif isinstance(source, pd.DataFrame):
        frame = source
    elif isinstance(source, pd.Series):
        frame, named = (
            source.to_frame("text" if source.name is None else source.name),
            source.name is not None,
        )
    elif isinstance(source, (list, tuple)) and source and all(isinstance(row, str) for row in source):
        frame, named = pd.DataFrame({"text": list(source)}), False
    elif isinstance(source, (list, tuple)) and source and all(isinstance(row, dict) for row in source):
        frame = pd.DataFrame.from_records(list(source))
    else:
        named = False
        try:
            array = np.asarray(source.toarray() if hasattr(source, "toarray") else source)
        except ValueError as error:
            raise _no_table(source, str(error)) from error
        if array.ndim == 1 and array.dtype.kind in "OU" and all(isinstance(row, str) for row in array):
            frame = pd.DataFrame({"text": array.tolist()})
        elif array.ndim == 2:
            frame = pd.DataFrame(array).infer_objects()
        else:
            raise _no_table(source, f"it has {array.ndim} dimensions")
    if not len(frame):
        raise ModelError(
            "The sample has no rows.",
            code="sample-empty",
            mend="give at least a few rows like those that the model will see",
        )
    return frame.reset_index(drop=True), named and all(isinstance(name, str) for name in frame.columns)


def _no_table(source: object, why: str) -> ModelError:
    return ModelError(
        f"A sample cannot be made from this {type(source).__name__}.",
        code="sample-form",
        why=why,
        mend="give a DataFrame, a 2-D array, a list of dicts, a list of texts, or a .csv, .jsonl or .parquet",
    )


def _read_file(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise ModelError(
            "The sample file does not exist.",
            code="sample-missing",
            where=str(path),
            mend="check the path of `sample`",
        )
    try:
        match path.suffix.lower():
            case ".csv":
                return pd.read_csv(path)
            case ".jsonl" | ".ndjson":
                return pd.read_json(path, lines=True, dtype=None, convert_dates=False)
            case ".parquet":
                return pd.read_parquet(path)
            case other:
                raise ModelError(
                    f"A sample of the type {other or 'without a suffix'} cannot be read.",
                    code="sample-form",
                    where=str(path),
                    mend="save the sample as .csv, .jsonl or .parquet",
                )
    except ImportError as error:
        raise ExternalError(
            "Reading a parquet sample needs pyarrow, which is not installed.",
            code="extra-missing",
            where=str(path),
            mend="pip install pyarrow, or save the sample as .csv",
        ) from error
    except (ValueError, OSError) as error:
        raise ModelError(
            "The sample file cannot be read.",
            code="sample-corrupt",
            where=str(path),
            why=" ".join(str(error).split())[:300],
            mend="check that the file is what its suffix says, in UTF-8, with a header line",
        ) from error


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
    chosen_frame = chosen_frame.astype(dict.fromkeys(chosen_frame.columns[list(known)], object))
    sample = _typed(chosen_frame, form, tuple(used), width, integers)
    return replace(sample, categories={sample.frame.columns[at]: values for at, values in known.items()})


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


def select(frame: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    """Give the wanted columns in their order.

    Raises:
        ModelError: Some are not there; the error says which others may have been meant.
    """
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        spare = [str(name) for name in frame.columns if name not in wanted]
        hints = [
            f"{name!r}: did you mean {close[0]!r}?"
            for name in missing
            if (close := difflib.get_close_matches(name, spare, n=1))
        ]
        more = " and more" if len(missing) > 10 else ""
        raise ModelError(
            f"The sample lacks {', '.join(map(repr, missing[:10]))}{more}.",
            code="sample-columns",
            why=f"it has columns that the model does not know: {', '.join(spare[:10])}" if spare else None,
            mend="; ".join(hints) or "give a sample with the columns that the model was trained on",
        )
    doubled = frame.columns[frame.columns.duplicated()].intersection(wanted)
    if len(doubled):
        raise ModelError(
            f"The sample has the column {doubled[0]!r} twice.",
            code="sample-columns",
            mend="name columns once",
        )
    return frame[wanted]


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
