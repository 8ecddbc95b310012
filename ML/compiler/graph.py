"""An ONNX graph under construction. Every number in it is float64, so that it computes what scikit-learn computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ML.schema.schema import Schema

TREES = "ai.onnx.ml"
OPSETS = {"": 20, TREES: 5}
IR_VERSION = 10
NUMBERS, TEXT = "numbers", "text"
TYPES = {NUMBERS: TensorProto.DOUBLE, TEXT: TensorProto.STRING, "label": TensorProto.INT64}


class Unsupported(Exception):
    """A model that has no compiled form, and why, in a sentence for its card."""


@dataclass(frozen=True)
class Origin:
    """How a column comes from the table: its place there, and what was subtracted and divided on the way."""

    place: int
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Column:
    """A column of a tensor. No node is spent on columns until somebody needs them in a tensor of their own."""

    name: str
    tensor: str
    place: int
    width: int
    """Of the tensor."""
    text: bool = False
    fill: str = ""
    """What a missing text stands for."""
    origin: Origin | None = None


Columns = list[Column]


class Graph:
    """Nodes that are appended one by one; `guards` tell rows that scikit-learn would refuse."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.guards: dict[str, str] = {}
        """Outputs that are 0 where all is well, and what to tell otherwise."""
        self.thresholds: dict[int, list[NDArray[np.float64]]] = {}
        """Where trees divide the values of a column of the table, to be probed."""
        self._tensors: dict[tuple[tuple[str, int], ...], str] = {}
        self._names = 0

    def name(self) -> str:
        """A new one."""
        self._names += 1
        return f"t{self._names}"

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Appends a node; the name of its output."""
        output = self.name()
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """A tensor of the graph's own; its name."""
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), self.name()))
        return self.constants[-1].name

    def tensor(self, columns: Columns) -> str:
        """The columns side by side, shape (rows, columns). Raises Unsupported for text."""
        for column in columns:
            if column.text:
                raise Unsupported(f"The text of {column.name} is not encoded before it meets numbers")
        if not columns:
            raise Unsupported("A step of it gets no columns")
        key = tuple((column.tensor, column.place) for column in columns)
        if key not in self._tensors:
            parts = [self._picked(list(run)) for _, run in groupby(columns, attrgetter("tensor"))]
            self._tensors[key] = self.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        return self._tensors[key]

    def one(self, column: Column) -> str:
        """One column, text too, shape (rows, 1)."""
        return self._picked([column])

    def _picked(self, run: Columns) -> str:
        places = [column.place for column in run]
        if places == list(range(run[0].width)):
            return run[0].tensor
        return self.add("Gather", run[0].tensor, self.constant(places, np.int64), axis=1)

    def refuse_unless_zero(self, tensor: str, message: str) -> None:
        """A guard: rows for which any element is not 0 are refused."""
        total = self.add("ReduceSum", self.add("Abs", tensor), keepdims=0)
        self.guards[total] = message

    def refuse_unless_finite(self, tensor: str) -> None:
        """A guard: scikit-learn refuses NaN and infinity here. Times 0 both are NaN, and all else is 0."""
        zeros = self.add("Mul", tensor, self.constant(0.0))
        self.guards[self.add("ReduceSum", zeros, keepdims=0)] = "a number is missing or too large for it"


def columns(tensor: str, names: Sequence[str]) -> Columns:
    """The columns of a tensor that a node made."""
    return [Column(name, tensor, place, len(names)) for place, name in enumerate(names)]


def table(schema: Schema) -> Columns:
    """The columns that a model learned, as the two inputs bring them: numbers, flags and dates; and text."""
    texts = [column.kind == "text" for column in schema.columns]
    found = []
    for place, (column, text) in enumerate(zip(schema.columns, texts, strict=True)):
        inside, width = sum(other == text for other in texts[:place]), sum(other == text for other in texts)
        found.append(
            Column(column.name, TEXT if text else NUMBERS, inside, width, text, origin=None if text else Origin(place))
        )
    return found


def model(graph: Graph, given: Columns, outputs: dict[str, str]) -> ModelProto:
    """The finished model: inputs that it reads, and `label` and `probabilities` or `value`, then its guards."""
    renamed = [helper.make_node("Identity", [tensor], [name]) for name, tensor in outputs.items()]
    nodes = graph.nodes + renamed
    read = {name for node in nodes for name in node.input}
    widths = {column.tensor: column.width for column in given if column.tensor in read}
    if not widths:
        raise Unsupported("It reads no column")
    inputs = [helper.make_tensor_value_info(name, TYPES[name], ["N", width]) for name, width in widths.items()]
    answers = [helper.make_tensor_value_info(name, TYPES.get(name, TensorProto.DOUBLE), None) for name in outputs]
    answers += [helper.make_tensor_value_info(name, TensorProto.DOUBLE, []) for name in graph.guards]
    whole = helper.make_graph(nodes, "model", inputs, answers, graph.constants)
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
    made = helper.make_model(whole, ir_version=IR_VERSION, opset_imports=opsets)
    helper.set_model_props(made, graph.guards)
    return made
