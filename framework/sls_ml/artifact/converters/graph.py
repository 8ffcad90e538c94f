"""The small operator set that converters build ONNX graphs with: tensors that know their dtype and width."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto
from skl2onnx._parse import _parse_sklearn
from skl2onnx.common import data_types
from skl2onnx.common.utils_sklearn import enumerate_model_names
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from sls_ml.artifact.converters import aside
from sls_ml.artifact.converters.conversion import options

Kind = str
"""The element type of a tensor: ``float64``, ``float32``, ``int64``, ``bool`` or ``string``."""

_ELEMENT: dict[Kind, int] = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
_DECLARED: dict[Kind, type[data_types.TensorType]] = {
    "float64": data_types.DoubleTensorType,
    "float32": data_types.FloatTensorType,
    "int64": data_types.Int64TensorType,
    "bool": data_types.BooleanTensorType,
    "string": data_types.StringTensorType,
}
_YES_OR_NO = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"})


class Tensor:
    """A named tensor of the graph under construction.

    ``+ - * /``, unary minus, ``< <= > >=``, ``& | ~`` and ``@`` add the operator to the graph;
    the other side may be a tensor, a number or an array. Compare for equality with `Graph.equal`.

    Attributes:
        name: Name in the ONNX graph.
        kind: ``float64``, ``float32``, ``int64``, ``bool`` or ``string``.
        width: Number of columns of a ``[N, width]`` tensor; None for a tensor of one dimension ``[N]``
            or of a width that is not known.
    """

    __slots__ = ("graph", "kind", "name", "width")
    __array_ufunc__ = None  # an array on the left leaves the operator to the tensor on the right

    def __init__(self, graph: Graph, name: str, kind: Kind, width: int | None) -> None:
        self.graph = graph
        self.name = name
        self.kind = kind
        self.width = width

    def __add__(self, other: Any) -> Tensor:
        return self.graph.op("Add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Any) -> Tensor:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return self.graph.op("Sub", self.graph.constant(other, self.kind), self)

    def __mul__(self, other: Any) -> Tensor:
        return self.graph.op("Mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return self.graph.op("Div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self.graph.op("Div", self.graph.constant(other, self.kind), self)

    def __neg__(self) -> Tensor:
        return self.graph.op("Neg", self)

    def __matmul__(self, other: Any) -> Tensor:
        width = None if isinstance(other, Tensor) else int(np.asarray(other).shape[-1])
        return self.graph.op("MatMul", self, other, width=width)

    def __lt__(self, other: Any) -> Tensor:
        return self.graph.op("Less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return self.graph.op("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return self.graph.op("Greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return self.graph.op("GreaterOrEqual", self, other)

    def __and__(self, other: Tensor) -> Tensor:
        return self.graph.op("And", self, other)

    def __or__(self, other: Tensor) -> Tensor:
        return self.graph.op("Or", self, other)

    def __invert__(self) -> Tensor:
        return self.graph.op("Not", self)

    def cast(self, kind: Kind) -> Tensor:
        """The same values as another kind; itself where the kind is already right."""
        if kind == self.kind:
            return self
        return self.graph.op("Cast", self, kind=kind, to=_ELEMENT[kind])

    def columns(self, indices: Sequence[int]) -> Tensor:
        """The columns at these indices, ``[N, len(indices)]``."""
        if self.width is not None and list(indices) == list(range(self.width)):
            return self
        at = self.graph.constant(np.asarray(indices, dtype=np.int64))
        return self.graph.op("Gather", self, at, axis=1, width=len(indices))

    def split(self) -> list[Tensor]:
        """Every column of its own, ``[N, 1]`` each; the width must be known."""
        if self.width == 1:
            return [self]
        count = self.width or 0
        return list(
            self.graph.ops("Split", self, kinds=[self.kind] * count, width=1, axis=1, num_outputs=count)
        )

    def reshape(self, *shape: int) -> Tensor:
        """Another shape; -1 stands for the rows. The width is the last number of a two-dimensional shape."""
        *_, last = shape
        width = last if len(shape) == 2 and last > 0 else None
        return self.graph.op("Reshape", self, np.asarray(shape, dtype=np.int64), width=width)


class Graph:
    """Adds operators to the ONNX graph that skl2onnx is building.

    Constants take the kind of the tensor that they meet, so that ``x * 2`` stays in double precision.

    Attributes:
        counted: Whether another model goes on with the labels of the estimator that is converted, so that
            they must be the original's even where rounding decides between two classes.
    """

    def __init__(self, scope: Any, container: Any, *, counted: bool = False) -> None:
        self.counted = counted
        self._scope = scope
        self._container = container
        # skl2onnx names estimators by id, so those made on the way must live as long as the container.
        self._keep: list[Any] = vars(container).setdefault("sls_parts", [])

    def constant(self, value: Any, kind: Kind | None = None) -> Tensor:
        """A tensor of fixed values.

        Args:
            value: A number, string, or array of them.
            kind: The kind to store; None keeps the kind of the array.
        """
        array: npt.NDArray[Any] = np.asarray(value)
        if array.dtype.kind in "OUS":
            return self._strings(array)
        kind = kind or array.dtype.name
        shape: tuple[int, ...] = array.shape
        array = np.ascontiguousarray(array, dtype=kind).reshape(shape)
        name = self._scope.get_unique_variable_name("constant")
        proto = onnx.numpy_helper.from_array(array, name)
        self._container.add_initializer(name, proto.data_type, list(shape), proto)
        return Tensor(self, name, kind, shape[1] if len(shape) == 2 else None)

    def _strings(self, array: npt.NDArray[Any]) -> Tensor:
        name = self._scope.get_unique_variable_name("constant")
        values = [str(value).encode() for value in array.ravel()]
        self._container.add_initializer(name, TensorProto.STRING, list(array.shape), values)
        return Tensor(self, name, "string", array.shape[1] if array.ndim == 2 else None)

    def op(
        self,
        operator: str,
        *inputs: Any,
        kind: Kind | None = None,
        width: int | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> Tensor:
        """Add an operator with one output.

        Args:
            operator: Name of the ONNX operator, such as ``Log``.
            inputs: Tensors; numbers and arrays become constants of the first tensor's kind.
            kind: Kind of the output; None: bool for comparisons, else that of the first tensor
                (of the second for ``Where``).
            width: Columns of the output; None: the largest of the inputs'.
            domain: Domain of the operator.
            attributes: Its attributes.
        """
        return self.ops(operator, *inputs, kinds=(kind,), width=width, domain=domain, **attributes)[0]

    def ops(
        self,
        operator: str,
        *inputs: Any,
        kinds: Sequence[Kind | None],
        width: int | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> tuple[Tensor, ...]:
        """Add an operator with several outputs, one for each of `kinds`; see `op`."""
        position = 1 if operator == "Where" else 0
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        like = tensors[min(position, len(tensors) - 1)].kind
        fed = [value if isinstance(value, Tensor) else self._meet(value, like) for value in inputs]
        if width is None:
            width = max((t.width for t in fed if t.width is not None), default=None)
        default = "bool" if operator in _YES_OR_NO else like
        outputs = tuple(
            Tensor(self, self._scope.get_unique_variable_name(operator.lower()), kind or default, width)
            for kind in kinds
        )
        self._container.add_node(
            operator,
            [t.name for t in fed],
            [t.name for t in outputs],
            op_domain=domain,
            name=self._scope.get_unique_operator_name(operator),
            **attributes,
        )
        return outputs

    def _meet(self, value: Any, like: Kind) -> Tensor:
        array = np.asarray(value)
        keep = array.dtype.kind in "OUSb" or (isinstance(value, np.ndarray) and array.dtype.kind == "i")
        return self.constant(array, None if keep else like)

    def add(self, node: onnx.NodeProto, version: int) -> None:
        """Add a finished node: one with attributes too large, or of a set too new, for skl2onnx's own way.

        Args:
            node: The node, all its names taken from `name`.
            version: The version of its domain from which its form is known.
        """
        container = self._container
        targets = container.target_opset_all
        container.target_opset_all = {**targets, node.domain: max(version, targets.get(node.domain, 1))}
        container.node_domain_version_pair_sets.add((node.domain, version))
        container.nodes.append(aside.light(node))

    def name(self, seed: str) -> str:
        """A name that is free in the graph."""
        return str(self._scope.get_unique_variable_name(seed))

    def equal(self, left: Tensor, right: Any) -> Tensor:
        """Where two tensors are equal, element by element."""
        return self.op("Equal", left, right)

    def where(self, condition: Tensor, yes: Any, no: Any) -> Tensor:
        """`yes` where the condition holds, else `no`; at least one of them must be a tensor."""
        if not isinstance(yes, Tensor):
            yes = self._meet(yes, no.kind)
        return self.op("Where", condition, yes, no)

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Tensors side by side, ``[N, sum of the widths]``; all must be of one kind."""
        if len(tensors) == 1:
            return tensors[0]
        widths = [t.width for t in tensors]
        width = None if None in widths else sum(w for w in widths if w is not None)
        return self.op("Concat", *tensors, axis=1, width=width)

    def repeated(self, row: npt.ArrayLike, x: Tensor) -> Tensor:
        """The same numbers for every row of `x`, float64 ``[N, len(row)]``, whatever is in `x`."""
        first = x.columns([0])
        zero = first * 0 if first.kind in {"int64", "bool"} else self.op("IsNaN", first).cast("float64") * 0.0
        return zero.cast("float64") + np.asarray(row, dtype=np.float64).reshape(1, -1)

    def total(self, x: Tensor) -> Tensor:
        """Sum of each row, ``[N, 1]``."""
        return self.op("ReduceSum", x, np.asarray([1], dtype=np.int64), width=1)

    def argmax(self, x: Tensor) -> Tensor:
        """Position of the first largest value of each row, int64 ``[N]``."""
        position = self.op("ArgMax", x, kind="int64", axis=1, keepdims=0)
        position.width = None
        return position

    def pick(self, values: npt.ArrayLike, position: Tensor) -> Tensor:
        """The values at these positions: class labels by class numbers."""
        table = self.constant(values)
        picked = self.op("Gather", table, position, axis=0)
        picked.width = position.width
        return picked

    def apply(
        self, estimator: Any, inputs: Tensor | list[Tensor], *, counted: bool = False
    ) -> tuple[Tensor, ...]:
        """Convert another fitted estimator on the same columns, through its own converter.

        Args:
            estimator: The estimator.
            inputs: Its features.
            counted: Whether the model goes on with its labels.

        Returns:
            Its outputs: one tensor for a regressor or transformer, label and scores for a classifier.
        """
        return self._part(estimator, inputs, {"zipmap": False, "counted": counted})

    def decision(self, estimator: Any, inputs: Tensor | list[Tensor]) -> Tensor:
        """A classifier's `decision_function`: ``[N, 1]`` for two classes, else ``[N, classes]``."""
        found = self._part(estimator, inputs, {"zipmap": False, "raw_scores": True})[1].cast("float64")
        # Of two columns for two classes, as some converters of skl2onnx give, the last one counts.
        return found if len(estimator.classes_) > 2 else found.columns([-1])

    def _part(
        self, estimator: Any, inputs: Tensor | list[Tensor], wanted: dict[str, bool]
    ) -> tuple[Tensor, ...]:
        fed = inputs if isinstance(inputs, list) else [inputs]
        if all(tensor.kind != "string" for tensor in fed):
            fed = [self.concat([tensor.cast("float64") for tensor in fed])]
        # skl2onnx takes options by the id of the estimator, so a copy keeps those of two uses apart.
        part = copy.copy(_unwrapped(estimator))
        self._keep.append(part)
        variables = []
        for tensor in fed:
            shape = [None] if tensor.width is None and tensor.kind == "string" else [None, tensor.width]
            variable = self._scope.declare_local_variable("part_input", declared(tensor.kind, shape))
            self._container.add_node("Identity", tensor.name, variable.onnx_name, name=self.name("part"))
            variables.append(variable)
        last = part
        while isinstance(last, Pipeline):
            name, step = last.steps[-1]
            last.steps = [*last.steps[:-1], (name, copy.copy(_unwrapped(step)))]
            last = last.steps[-1][1]
        inside = [step for _, step in enumerate_model_names(part)]
        for step in [part, last, *inside]:
            allowed = self._scope._get_allowed_options(step, fail=False) or {}
            chosen: dict[str, Any] = options(step)
            chosen |= {
                name: value
                for name, value in wanted.items()
                if name in allowed and (name == "zipmap" or step is last)
            }
            for holder in (self._scope, self._container):
                holder.add_options(id(step), chosen)
        found = _parse_sklearn(self._scope, part, variables)
        tensors = tuple(Tensor(self, v.onnx_name, kind_of(v.type), _width_of(v.type)) for v in found)
        if is_classifier(part) and len(tensors) > 1:
            # skl2onnx finds out only later that labels are strings.
            tensors[0].kind = "string" if part.classes_.dtype.kind in "OUS" else "int64"
        return tensors


def _unwrapped(estimator: Any) -> Any:
    """The estimator that a search found or that is frozen."""
    while isinstance(estimator, BaseSearchCV | FrozenEstimator):
        estimator = estimator.best_estimator_ if isinstance(estimator, BaseSearchCV) else estimator.estimator
    return estimator


def kind_of(declared: Any) -> Kind:
    """The kind of a skl2onnx type."""
    for kind, cls in _DECLARED.items():
        if isinstance(declared, cls):
            return kind
    msg = f"a tensor of {type(declared).__name__} has no place in a graph of ours"
    raise TypeError(msg)


def declared(kind: Kind, shape: Sequence[int | None]) -> data_types.TensorType:
    """The skl2onnx type of a tensor of this kind and shape."""
    return _DECLARED[kind](list(shape))


def _width_of(type_: Any) -> int | None:
    shape = type_.shape
    return shape[1] if shape is not None and len(shape) == 2 else None
