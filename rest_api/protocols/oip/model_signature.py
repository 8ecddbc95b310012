"""What a model takes and gives, in the words of the Open Inference Protocol."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import to_json

from ML.prediction.predictor import Predictor
from ML.schema.json_values import ColumnValidator
from ML.schema.schema import Schema

PREDICT, PROBABILITIES = "predict", "probabilities"
SHARES = (PROBABILITIES, "predict_proba")
"""Names of the probabilities: ours, and that of MLServer's scikit-learn runtime, whose callers keep their requests."""
PLATFORM = "sklearn"

INPUTS = {"number": "FP64", "flag": "BOOL", "date": "BYTES", "text": "BYTES"}
OUTPUTS = {"integer": "INT64", "number": "FP64", "boolean": "BOOL", "string": "BYTES"}


@dataclass(frozen=True, eq=False)
class ModelSignature:
    """That of one version."""

    name: str
    version: str
    schema: Schema
    datatype: str
    """Of the predictions."""
    classes: tuple[Any, ...] | None
    """In the order of the probabilities; None where there are none."""

    @cached_property
    def columns(self) -> ColumnValidator:
        """Checks and converts the inputs; made with the first, as it takes milliseconds."""
        return ColumnValidator(self.schema)

    @cached_property
    def names(self) -> list[str]:
        """The columns'."""
        return self.schema.names

    @cached_property
    def head(self) -> bytes:
        """How each answer begins."""
        return b'{"model_name":%s,"model_version":"%s",' % (to_json(self.name), self.version.encode())

    @cached_property
    def alone(self) -> bytes:
        """An answer that has the predictions alone, in JSON: the id, the rows and the predictions are to be put in."""
        output = b'{"name":"predict","shape":[%%d],"datatype":"%s","data":%%s}' % self.datatype.encode()
        return self.head + b'%s"outputs":[' + output + b"]}"

    @cached_property
    def labels(self) -> str:
        """The classes as JSON: the protocol's parameters hold no list."""
        return to_json(self.classes or ()).decode()

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """One for each column; a matrix of all of them, in this order, is taken too."""
        return [{"name": c.name, "datatype": INPUTS[c.kind], "shape": [-1]} for c in self.schema.columns]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The predictions, and the probabilities where the model has some."""
        found: list[dict[str, Any]] = [{"name": PREDICT, "datatype": self.datatype, "shape": [-1]}]
        if self.classes is not None:
            shape, told = [-1, len(self.classes)], {"classes": self.labels}
            found.append({"name": PROBABILITIES, "datatype": "FP64", "shape": shape, "parameters": told})
        return found

    @property
    def config(self) -> dict[str, Any]:
        """The little of Triton's model configuration that there is: no batch dimension beside those of the shapes."""
        tensors = {
            key: [{"name": t["name"], "data_type": f"TYPE_{_triton(t['datatype'])}", "dims": t["shape"]} for t in each]
            for key, each in (("input", self.inputs), ("output", self.outputs))
        }
        return {"name": self.name, "platform": PLATFORM, "backend": PLATFORM, "max_batch_size": 0, **tensors}


def _triton(datatype: str) -> str:
    return "STRING" if datatype == "BYTES" else datatype


_contracts: WeakKeyDictionary[Predictor, ModelSignature] = WeakKeyDictionary()


def of(live: Predictor) -> ModelSignature:
    """The contract of a version, made once."""
    found = _contracts.get(live)
    if found is None:
        target = live.target
        datatype = "FP64" if target.task == "regression" else OUTPUTS[target.type]
        classes = (target.classes or ()) if live.card.probabilities else None
        found = ModelSignature(live.card.model, str(live.card.version), live.schema, datatype, classes)
        _contracts[live] = found
    return found
