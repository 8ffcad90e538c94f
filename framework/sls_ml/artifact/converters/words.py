"""Counts of n-grams of words and letters that skl2onnx has no form for: tokens become numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np

from sls_ml.artifact.converters.categories import positions
from sls_ml.artifact.converters.conversion import WORD_PATTERN
from sls_ml.artifact.converters.graph import Graph, Tensor

_PAD = "\ufdd0"
"""Fills short rows of tokens: one letter that is in no text."""

_SPACES = r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""Python's white space in a class of RE2, which knows that of ASCII only."""

_LETTER = "(?s:.)"
_CLASSES = {
    sre.CATEGORY_WORD: r"\p{L}\p{N}_",
    sre.CATEGORY_DIGIT: r"\p{Nd}",
    sre.CATEGORY_SPACE: _SPACES,
}


def needed(model: Any) -> bool:
    """Whether a vectorizer needs this form; the others keep skl2onnx's, which the lite engine knows."""
    longest = max(len(key.split(" ")) for key in model.vocabulary_)
    return bool(
        model.analyzer != "word"
        or model.token_pattern != WORD_PATTERN
        or (model.stop_words is not None and model.ngram_range[1] > 1)
        or longest < model.ngram_range[1]
    )


def counts(model: Any, texts: Tensor, graph: Graph) -> Tensor:
    """How often each n-gram of the vocabulary is in each text, float64 ``[N, vocabulary]``."""
    texts = texts.reshape(-1)
    if model.lowercase:
        texts = graph.op(
            "StringNormalizer", texts, case_change_action="LOWER", is_case_sensitive=0, locale="C.UTF-8"
        )
    grams = {key: tuple(key if model.analyzer != "word" else _split(model, key)) for key in model.vocabulary_}
    symbols = np.asarray(sorted({symbol for gram in grams.values() for symbol in gram}), dtype=object)
    match model.analyzer:
        case "word":
            numbers = _words(model, texts, symbols, graph)
        case "char":
            numbers = _letters(texts, symbols, graph)
        case _:
            numbers = _letters_in_words(texts, symbols, graph)
    found = _counted(model, numbers, grams, symbols, graph)
    return (found > 0.0).cast("float64") if model.binary else found


def _split(model: Any, key: str) -> list[str]:
    return key.split(" ") if model.ngram_range[1] > 1 else [key]


def _tokens(texts: Tensor, pattern: str, graph: Graph) -> Tensor:
    """The matches in each text, strings ``[N, most]``, short rows filled up; one filler at least."""
    found = graph.op(
        "Tokenizer",
        texts,
        domain="com.microsoft",
        mark=0,
        mincharnum=1,
        pad_value=_PAD,
        tokenexp=pattern,
    )
    filler = graph.op("Expand", graph.constant(np.asarray([[_PAD]], dtype=object)), _rows(texts, 1, graph))
    return graph.op("Concat", found, filler, axis=1)


def _rows(texts: Tensor, last: int, graph: Graph) -> Tensor:
    """The shape ``[N, last]``."""
    many = graph.op("Shape", texts, kind="int64", start=0, end=1)
    return graph.op("Concat", many, np.asarray([last]), axis=0)


def _words(model: Any, texts: Tensor, symbols: Any, graph: Graph) -> Tensor:
    pattern = pattern_of(model.token_pattern)
    assert pattern is not None  # noqa: S101 - others are refused before
    tokens = _tokens(texts, pattern, graph)
    numbers = positions(graph, tokens, symbols)
    stops = model.get_stop_words()
    if not stops:
        return numbers
    # Words behind a stop word close up: n-grams reach over it.
    stopped = positions(graph, tokens, np.asarray(sorted(stops), dtype=object)) >= np.asarray(0)
    numbers = graph.where(stopped, np.asarray(-1), numbers)
    width = graph.op("Shape", tokens, kind="int64", start=1, end=2)
    zero, one = graph.constant(np.asarray(0)), graph.constant(np.asarray(1))
    places = graph.op("Range", zero, graph.op("Squeeze", width), one, kind="int64")
    order = graph.where(stopped, places + width, places)
    _, chosen = graph.ops("TopK", order, width, kinds=("int64", "int64"), axis=1, largest=0)
    return graph.op("GatherElements", numbers, chosen, axis=1)


def _letters(texts: Tensor, symbols: Any, graph: Graph) -> Tensor:
    """Each letter's number; runs of white space count as one space."""
    tokens = _tokens(texts, f"[{_SPACES}]{{2,}}|{_LETTER}", graph)
    inner = _tokens(tokens.reshape(-1), _LETTER, graph)
    full = (positions(graph, inner, np.asarray([_PAD], dtype=object)) < np.asarray(0)).cast("int64")
    several = graph.op("Reshape", graph.total(full) > np.asarray(1), _rows(texts, -1, graph))
    space = np.asarray(_place(symbols, " "))
    return graph.where(several, space, positions(graph, tokens, symbols))


def _letters_in_words(texts: Tensor, symbols: Any, graph: Graph) -> Tensor:
    """The numbers of the letters of each word, with a space before and behind it."""
    words = _tokens(texts, f"[^{_SPACES}]+", graph)
    letters = _tokens(words.reshape(-1), _LETTER, graph)
    end, space = np.asarray(len(symbols)), np.asarray(_place(symbols, " "))
    numbers = positions(graph, letters, np.append(symbols, _PAD))
    first = graph.op("Gather", numbers, np.asarray([0]), axis=1)
    none = graph.equal(first, end)
    last = first * np.asarray(0) + end
    before = graph.where(none, last, last - end + space)
    here = graph.op("Concat", before, numbers, last, axis=1)
    previous = graph.op("Concat", last, before, numbers, axis=1)
    behind = graph.equal(here, end) & ~graph.equal(previous, end)
    return graph.op("Reshape", graph.where(behind, space, here), _rows(texts, -1, graph))


def _place(symbols: Any, symbol: str) -> int:
    found = np.flatnonzero(symbols == symbol)
    return int(found[0]) if len(found) else -2


def _counted(
    model: Any, numbers: Tensor, grams: dict[str, tuple[str, ...]], symbols: Any, graph: Graph
) -> Tensor:
    number = {symbol: at for at, symbol in enumerate(symbols.tolist())}
    ordered = sorted(grams, key=lambda key: (len(grams[key]), model.vocabulary_[key]))
    sizes = [len(grams[key]) for key in ordered]
    starts = [sum(size for size in sizes if size < n) for n in range(1, sizes[-1] + 1)]
    found = graph.op(
        "TfIdfVectorizer",
        numbers,
        kind="float32",
        width=len(grams),
        min_gram_length=sizes[0],
        max_gram_length=sizes[-1],
        max_skip_count=0,
        mode="TF",
        ngram_counts=starts,
        ngram_indexes=[int(model.vocabulary_[key]) for key in ordered],
        pool_int64s=[number[symbol] for key in ordered for symbol in grams[key]],
    )
    return found.cast("float64")


def pattern_of(pattern: str) -> str | None:
    """A token pattern of Python as ONNX Runtime's tokenizer takes it; None where it has no such form.

    Known are sequences of classes of letters, repeated greedily; word boundaries stand around words alone.
    """
    try:
        parsed = _parser.parse(pattern)
    except re.error:
        return None
    if parsed.state.flags & (re.IGNORECASE | re.ASCII | re.VERBOSE) or parsed.state.groups > 1:
        return None
    items = list(parsed)
    edges = [(at, item) for at, item in enumerate(items) if item[0] is sre.AT]
    if edges:
        boundary = (sre.AT, sre.AT_BOUNDARY)
        if [item for _, item in edges] != [boundary, boundary] or [at for at, _ in edges] != [
            0,
            len(items) - 1,
        ]:
            return None
        items = items[1:-1]
    parts = [_repeated(item) for item in items]
    if not parts or None in parts:
        return None
    known = [part for part in parts if part is not None]
    if edges and (
        any(inside != _CLASSES[sre.CATEGORY_WORD] for inside, _, _ in known)
        or not any(most is None for _, _, most in known)
    ):
        return None  # a boundary is that of words only where the run of letters is one word
    return "".join(
        f"[{inside}]" + (f"{{{least},{'' if most is None else most}}}" if (least, most) != (1, 1) else "")
        for inside, least, most in known
    )


def _repeated(item: Any) -> tuple[str, int, int | None] | None:
    """A class, and how often it stands at least and at most."""
    least, most = 1, 1
    if item[0] is sre.MAX_REPEAT:
        least, most, inner = item[1]
        if len(inner) != 1:
            return None
        [item] = inner
    inside = _class(item[1] if item[0] is sre.IN else [item])
    return None if inside is None else (inside, int(least), None if most is sre.MAXREPEAT else int(most))


def _class(items: Iterable[Any]) -> str | None:
    found: list[str] = []
    items = list(items)
    if items == [(sre.CATEGORY, sre.CATEGORY_NOT_SPACE)]:
        return f"^{_SPACES}"
    for kind, value in items:
        match kind:
            case sre.NEGATE if not found:
                found.append("^")
            case sre.LITERAL:
                found.append(f"\\x{{{value:x}}}")
            case sre.RANGE:
                found.append(f"\\x{{{value[0]:x}}}-\\x{{{value[1]:x}}}")
            case sre.CATEGORY if value in _CLASSES:
                found.append(_CLASSES[value])
            case _:
                return None
    return "".join(found)


def ambiguous(model: Any) -> bool:
    """Whether the words of an n-gram of the vocabulary cannot be told from its text."""
    if model.analyzer != "word" or model.ngram_range[1] == 1:
        return False
    find = model.build_tokenizer()
    return any(_found(find, key) != key.split(" ") for key in model.vocabulary_)


def _found(find: Any, key: str) -> Sequence[str]:
    return list(find(key))
