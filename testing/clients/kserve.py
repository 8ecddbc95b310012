"""kserve's InferenceRESTClient, V1: python kserve.py URL USER PASSWORD MODEL INSTANCES"""

import asyncio
import json
import sys

import httpx  # type: ignore[import-not-found]
from kserve import InferenceRESTClient, RESTConfig  # type: ignore[import-not-found]


async def main(url: str, user: str, password: str, model: str, instances: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v1", auth=httpx.BasicAuth(user, password), timeout=60))
    body = {"instances": json.loads(instances)}
    found = {
        "ready": await client.is_model_ready(url, model),
        "predicted": await client.infer(url, body, model_name=model),
    }
    print(json.dumps(found))
    await client.close()


asyncio.run(main(*sys.argv[1:]))
