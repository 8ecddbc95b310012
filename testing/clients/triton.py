"""tritonclient over HTTP: python triton.py HOST:PORT USER PASSWORD MODELS, which is JSON: the rows of each by name."""

import json
import sys
from itertools import product

import numpy as np
import tritonclient.http as triton  # type: ignore[import-not-found]
from tritonclient.http.auth import BasicAuth  # type: ignore[import-not-found]
from tritonclient.utils import InferenceServerException  # type: ignore[import-not-found]

DTYPES: dict = {"FP64": np.float64, "BOOL": np.bool_, "BYTES": np.object_}


def tensors(rows, described, binary):
    """Return one input for each column, as the model's metadata describes it."""
    for each in described:
        values: np.ndarray = np.array([row[each["name"]] for row in rows], dtype=DTYPES[each["datatype"]])
        tensor = triton.InferInput(each["name"], list(values.shape), each["datatype"])
        yield tensor.set_data_from_numpy(values, binary_data=binary)


def matrix(rows, binary):
    """Return all columns as one input."""
    values = np.array([list(row.values()) for row in rows])
    return [triton.InferInput("x", list(values.shape), "FP64").set_data_from_numpy(values, binary_data=binary)]


def predicted(client, model, inputs, **options):
    return client.infer(model, inputs, request_id="7", **options).as_numpy("predict").tolist()


def texts(values):
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def every_way(client, model, rows):
    """Return the distinct predictions of all ways to request them."""
    told = client.get_model_metadata(model)
    ways = []
    for binary_in, binary_out, packing in product((True, False), (True, False), (None, "gzip", "deflate")):
        packed = {"request_compression_algorithm": packing, "response_compression_algorithm": packing}
        outputs = [triton.InferRequestedOutput("predict", binary_data=binary_out)]
        asked = [list(tensors(rows, told["inputs"], binary_in))]
        if all(each["datatype"] == "FP64" for each in told["inputs"]):
            asked.append(matrix(rows, binary_in))
        ways += [texts(predicted(client, model, inputs, outputs=outputs, **packed)) for inputs in asked]
        ways += [texts(predicted(client, model, inputs, **packed)) for inputs in asked]
    return [list(way) for way in dict.fromkeys(map(tuple, ways))]


def shares(client, model, rows):
    """Return the shape of the probabilities, and whether each row sums to 1."""
    outputs = [triton.InferRequestedOutput("probabilities")]
    found = client.infer(model, list(tensors(rows, client.get_model_metadata(model)["inputs"], True)), outputs=outputs)
    array = found.as_numpy("probabilities")
    return [*array.shape, bool(np.allclose(array.sum(axis=1), 1))]


def refusal(call, *arguments):
    try:
        call(*arguments)
    except InferenceServerException as error:
        return [error.status(), error.message()]


def main(url, user, password, models):
    client = triton.InferenceServerClient(url)
    client.register_plugin(BasicAuth(user, password))
    found = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "server": client.get_server_metadata(),
        "index": client.get_model_repository_index(),
        "refusal": refusal(
            client.infer,
            "classifier",
            [triton.InferInput("x", [1, 1], "FP64").set_data_from_numpy(np.ones((1, 1)))],
        ),
        "load": refusal(client.load_model, "classifier"),
        "load of none": refusal(client.load_model, "nope"),
        "unload": refusal(client.unload_model, "classifier"),
        "shared memory": [client.get_system_shared_memory_status(), client.get_cuda_shared_memory_status()],
        "statistics": client.get_inference_statistics(),
        "models": {
            name: {
                "ready": client.is_model_ready(name),
                "metadata": client.get_model_metadata(name),
                "config": client.get_model_config(name),
                "statistics": client.get_inference_statistics(name),
                "predictions": every_way(client, name, rows),
                "other version": client.is_model_ready(name, "77"),
            }
            for name, rows in json.loads(models).items()
        },
        "probabilities": shares(client, "classifier", json.loads(models)["classifier"]),
    }
    print(json.dumps(found))


main(*sys.argv[1:])
