"""The container's health check: whether the server on its port can answer. Only the standard library: it runs often."""

import http.client
import os
import sys

# Without a port in the environment it is 8000, or, served as SageMaker wants it, 8080.
given = os.environ.get("PORT") or os.environ.get("AIP_HTTP_PORT") or os.environ.get("SAGEMAKER_BIND_TO_PORT")
for port in [int(given)] if given else [8000, 8080]:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        server.request("GET", "/health/ready")
        sys.exit(server.getresponse().status != 200)
    except OSError:
        continue
sys.exit(1)
