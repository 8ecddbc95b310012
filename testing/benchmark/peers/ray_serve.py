"""Ray Serve with @serve.batch, in the high-throughput mode of its docs: HAProxy and direct ingress.

docs.ray.io/en/master/cluster/kubernetes/user-guides/kuberay-serve-high-throughput.html
"""

import os
import sys

os.environ.update(RAY_SERVE_THROUGHPUT_OPTIMIZED="1", RAY_SERVE_ENABLE_HA_PROXY="1", RAY_USAGE_STATS_ENABLED="0")

import ray  # type: ignore[import-not-found]
from _model import Model  # type: ignore[import-not-found]
from ray import serve
from ray.serve.schema import LoggingConfig  # type: ignore[import-not-found]
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=1000, logging_config=LoggingConfig(enable_access_log=False))
class Predictor:
    def __init__(self, folder: str) -> None:
        self.model = Model(folder)

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def predict(self, rows: list):
        return self.model.predict(rows)

    async def __call__(self, request: Request):
        return {"prediction": await self.predict(await request.json())}


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Predictor.bind(sys.argv[1]), blocking=True)  # type: ignore[attr-defined]
