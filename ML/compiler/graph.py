"""An ONNX graph under construction. All its numbers are float64, as in scikit-learn."""

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
    """The model can't be compiled. The message is a sentence for its card."""


@dataclass(frozen=True)
class Origin:
    """How a column was made from one of the table: its place there, and what was subtracted and then divided by."""

    place: int
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Column:
    """A column of a tensor. Columns get nodes of their own only when a step needs them as a tensor."""

    name: str
    tensor: str
    place: int
    width: int
    """The number of columns of the tensor."""
    text: bool = False
    fill: str = ""
    """The text that replaces a missing one."""
    origin: Origin | None = None


Columns = list[Column]


class Graph:
    """The nodes of a graph, appended one by one. Its `guards` detect rows that scikit-learn would refuse."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.guards: dict[str, str] = {}
        """Outputs that are 0 for valid rows, and the error message for others."""
        self.thresholds: dict[int, list[NDArray[np.float64]]] = {}
        """The thresholds of trees for columns of the table, by place. The proof probes them."""
        self._tensors: dict[tuple[tuple[str, int], ...], str] = {}
        self._names = 0

    def name(self) -> str:
        """Return a new name for a tensor."""
        self._names += 1
        return f"t{self._names}"

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = self.name()
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """Add a constant tensor and return its name."""
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), self.name()))
        return self.constants[-1].name

    def tensor(self, columns: Columns) -> str:
        """Return a tensor of the columns, shape (rows, columns). Raise Unsupported for text."""
        for column in columns:
            if column.text:
                raise Unsupported(f"The text of {column.name} is not encoded before it meets numbers")
        if not columns:
            raise Unsupported("One of its steps gets no columns")
        key = tuple((column.tensor, column.place) for column in columns)
        if key not in self._tensors:
            parts = [self._picked(list(run)) for _, run in groupby(columns, attrgetter("tensor"))]
            self._tensors[key] = self.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        return self._tensors[key]

    def one(self, column: Column) -> str:
        """Return a tensor of one column of numbers or text, shape (rows, 1)."""
        return self._picked([column])

    def _picked(self, run: Columns) -> str:
        places = [column.place for column in run]
        if places == list(range(run[0].width)):
            return run[0].tensor
        return self.add("Gather", run[0].tensor, self.constant(places, np.int64), axis=1)

    def refuse_unless_zero(self, tensor: str, message: str) -> None:
        """Add a guard that refuses the rows if any element of the tensor is not 0."""
        total = self.add("ReduceSum", self.add("Abs", tensor), keepdims=0)
        self.guards[total] = message

    def refuse_unless_finite(self, tensor: str) -> None:
        """Add a guard against NaN and infinity, which scikit-learn refuses: times 0 both are NaN, all else is 0."""
        zeros = self.add("Mul", tensor, self.constant(0.0))
        self.guards[self.add("ReduceSum", zeros, keepdims=0)] = "a number is missing or too large for the model"


def columns(tensor: str, names: Sequence[str]) -> Columns:
    """Return the columns of a tensor."""
    return [Column(name, tensor, place, len(names)) for place, name in enumerate(names)]


def table(schema: Schema) -> Columns:
    """Return the columns of a schema as those of the two inputs: one of numbers, flags and dates, one of text."""
    texts = [column.kind == "text" for column in schema.columns]
    columns_of_inputs = []
    for place, (column, text) in enumerate(zip(schema.columns, texts, strict=True)):
        inside, width = sum(other == text for other in texts[:place]), sum(other == text for other in texts)
        columns_of_inputs.append(
            Column(column.name, TEXT if text else NUMBERS, inside, width, text, origin=None if text else Origin(place))
        )
    return columns_of_inputs


def model(graph: Graph, columns: Columns, outputs: dict[str, str]) -> ModelProto:
    """Return the finished model: used inputs, the outputs, then its guards. Raise Unsupported if it uses no input."""
    renamed = [helper.make_node("Identity", [tensor], [name]) for name, tensor in outputs.items()]
    nodes = graph.nodes + renamed
    read = {name for node in nodes for name in node.input}
    widths = {column.tensor: column.width for column in columns if column.tensor in read}
    if not widths:
        raise Unsupported("It reads no column")
    inputs = [helper.make_tensor_value_info(name, TYPES[name], ["N", width]) for name, width in widths.items()]
    answers = [helper.make_tensor_value_info(name, TYPES.get(name, TensorProto.DOUBLE), None) for name in outputs]
    answers += [helper.make_tensor_value_info(name, TensorProto.DOUBLE, []) for name in graph.guards]
    graph_proto = helper.make_graph(nodes, "model", inputs, answers, graph.constants)
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
    model_proto = helper.make_model(graph_proto, ir_version=IR_VERSION, opset_imports=opsets)
    helper.set_model_props(model_proto, graph.guards)
    return model_proto
