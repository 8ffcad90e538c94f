"""Read rows of any form that a user has into a table, and take the wanted columns of it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sls_ml.artifact.extras import need
from sls_ml.errors import ExternalError, ModelError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between columns in files that are no CSV."""

_NUMBER = re.compile(r"-?\d+(\.\d+)*(e[+-]?\d+)?", re.IGNORECASE)
"""A number as a header; pandas appends ``.1`` to one that stands there twice."""


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
                return _csv(pd.read_csv(path), path)
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
    except UnicodeDecodeError as error:
        raise ModelError(
            "The sample file is not in UTF-8.",
            code="sample-corrupt",
            where=str(path),
            why=str(error),
            mend="save it in UTF-8, as to_csv does; in a spreadsheet: CSV UTF-8",
        ) from error
    except (ValueError, OSError) as error:
        raise ModelError(
            "The sample file cannot be read.",
            code="sample-corrupt",
            where=str(path),
            why=" ".join(str(error).split())[:300],
            mend="check that the file is what its suffix says, in UTF-8, with a header line",
        ) from error


def _csv(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table as it was read, unless its first line shows that it was meant otherwise.

    Raises:
        ModelError: The columns are not separated by commas, or there is no header.
    """
    names = [str(name) for name in frame.columns]
    if len(names) == 1 and (mark := next((each for each in _SEPARATORS if each in names[0]), None)):
        raise ModelError(
            f"The columns of {path.name} are separated by {_SEPARATORS[mark]}.",
            code="sample-separator",
            where=str(path),
            why=f"its first line is {names[0][:80]!r}",
            mend="save it with commas, and numbers with a point, as to_csv(index=False) does",
        )
    if all(_NUMBER.fullmatch(name) for name in names) and not _counted(names):
        raise ModelError(
            f"The first line of {path.name} is a row, not the names of the columns.",
            code="sample-header",
            where=str(path),
            why=f"it begins with {', '.join(names[:3])}",
            mend="write the names of the columns into a line above it",
        )
    return frame


def _counted(names: list[str]) -> bool:
    """Whether names are what pandas calls columns without names: 0, 1, 2."""
    return names in ([str(at) for at in range(len(names))], [str(at + 1) for at in range(len(names))])


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
