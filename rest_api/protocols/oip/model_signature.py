"""The signature of a model, its inputs and outputs, in the terms of the Open Inference Protocol."""

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
"""Accepted names of the probabilities. The second is that of MLServer's scikit-learn runtime, for its clients."""
PLATFORM = "sklearn"

INPUTS = {"number": "FP64", "flag": "BOOL", "date": "BYTES", "text": "BYTES"}
OUTPUTS = {"integer": "INT64", "number": "FP64", "boolean": "BOOL", "string": "BYTES"}


@dataclass(frozen=True, eq=False)
class ModelSignature:
    """The signature of one version."""

    name: str
    version: str
    schema: Schema
    datatype: str
    """The datatype of the predictions."""
    classes: tuple[Any, ...] | None
    """In the order of the probabilities; None if the model has no probabilities."""

    @cached_property
    def columns(self) -> ColumnValidator:
        """Checks and converts the inputs. Created with the first request, because that takes milliseconds."""
        return ColumnValidator(self.schema)

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.schema.names

    @cached_property
    def head(self) -> bytes:
        """The beginning of every response."""
        return b'{"model_name":%s,"model_version":"%s",' % (to_json(self.name), self.version.encode())

    @cached_property
    def json_predictions(self) -> bytes:
        """A response with predictions only, in JSON: a template for the id, the number of rows and the predictions."""
        output = b'{"name":"predict","shape":[%%d],"datatype":"%s","data":%%s}' % self.datatype.encode()
        return self.head + b'%s"outputs":[' + output + b"]}"

    @cached_property
    def labels(self) -> str:
        """The classes as a JSON text, because parameters of the protocol can't be lists."""
        return to_json(self.classes or ()).decode()

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """One input for each column. A matrix of all columns in this order is accepted too."""
        return [{"name": c.name, "datatype": INPUTS[c.kind], "shape": [-1]} for c in self.schema.columns]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The predictions, and the probabilities if the model has them."""
        outputs: list[dict[str, Any]] = [{"name": PREDICT, "datatype": self.datatype, "shape": [-1]}]
        if self.classes is not None:
            shape, parameters = [-1, len(self.classes)], {"classes": self.labels}
            outputs.append({"name": PROBABILITIES, "datatype": "FP64", "shape": shape, "parameters": parameters})
        return outputs

    @property
    def config(self) -> dict[str, Any]:
        """A minimal Triton model configuration. The shapes include the rows, so there is no batch dimension."""
        tensors = {
            key: [{"name": t["name"], "data_type": f"TYPE_{_triton(t['datatype'])}", "dims": t["shape"]} for t in each]
            for key, each in (("input", self.inputs), ("output", self.outputs))
        }
        return {"name": self.name, "platform": PLATFORM, "backend": PLATFORM, "max_batch_size": 0, **tensors}


def _triton(datatype: str) -> str:
    return "STRING" if datatype == "BYTES" else datatype


_signatures: WeakKeyDictionary[Predictor, ModelSignature] = WeakKeyDictionary()


def of(live: Predictor) -> ModelSignature:
    """Return the signature of a version, created once."""
    signature = _signatures.get(live)
    if signature is None:
        target = live.target
        datatype = "FP64" if target.task == "regression" else OUTPUTS[target.type]
        classes = (target.classes or ()) if live.card.probabilities else None
        signature = ModelSignature(live.card.model, str(live.card.version), live.schema, datatype, classes)
        _signatures[live] = signature
    return signature
