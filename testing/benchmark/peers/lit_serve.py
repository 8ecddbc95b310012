"""LitServe with its batching: lightning.ai/docs/litserve/features/batching."""

import sys

import litserve  # type: ignore[import-not-found]
from _model import Model  # type: ignore[import-not-found]


class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = Model(sys.argv[1])

    def decode_request(self, request):
        return request

    def batch(self, inputs):
        return inputs

    def predict(self, rows):
        return self.model.predict(rows)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"prediction": output}


if __name__ == "__main__":
    api = Api(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, log_level="warning", generate_client_file=False
    )
