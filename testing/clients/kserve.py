"""kserve's InferenceRESTClient: python kserve.py URL USER PASSWORD MODEL ROWS, which are JSON objects."""

import asyncio
import json
import sys

import httpx  # type: ignore[import-not-found]
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # type: ignore[import-not-found]


def client(protocol, user, password):
    return InferenceRESTClient(RESTConfig(protocol=protocol, auth=httpx.BasicAuth(user, password), timeout=60))


async def v1(url, user, password, model, rows):
    async with client("v1", user, password) as asked:
        answer = await asked.infer(url, {"instances": rows}, model_name=model)
        return {
            "live": await asked.is_server_live(url),
            "ready": await asked.is_model_ready(url, model),
            "predictions": answer["predictions"],
        }


def tensors(rows, binary):
    for name in rows[0]:
        values = [row[name] for row in rows]
        text = isinstance(values[0], str)
        tensor = InferInput(name, [len(rows)], "BYTES" if text else "FP64")
        tensor.set_data_from_numpy(np.array(values, dtype=object if text else float), binary_data=binary)
        yield tensor


async def v2(url, user, password, model, rows):
    async with client("v2", user, password) as asked:
        found = {
            "live": await asked.is_server_live(url),
            "ready": await asked.is_server_ready(url),
            "model ready": await asked.is_model_ready(url, model),
        }
        for name, binary in (("JSON", False), ("binary", True)):
            request = InferRequest(model, list(tensors(rows, binary)), request_id="7")
            answer = await asked.infer(url, request, model_name=model)
            found[name] = [answer.id, answer.model_name, answer.outputs[0].data]
        as_dict = await asked.infer(url, request_of(rows), model_name=model)
        return found | {"dict": as_dict.outputs[0].data}


def request_of(rows):
    """Return the request as plain JSON with one matrix."""
    data = [list(row.values()) for row in rows]
    return {"inputs": [{"name": "x", "shape": [len(rows), len(data[0])], "datatype": "FP64", "data": data}]}


async def main(url, user, password, model, rows):
    asked = (url, user, password, model, json.loads(rows))
    print(json.dumps({"v1": await v1(*asked), "v2": await v2(*asked)}))


asyncio.run(main(*sys.argv[1:]))
