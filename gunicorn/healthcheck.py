"""The container's health check: whether the server on its port can answer. Only the standard library: it runs often."""

import http.client
import os
import re
import sys

# gunicorn's own options win; of several addresses the last is the one.
bound = re.findall(r"(?:^|\s)(?:-b|--bind)[\s=]*\S*:(\d+)", os.environ.get("GUNICORN_CMD_ARGS", ""))
given = [*bound[-1:], *filter(None, map(os.environ.get, ("PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")))]
# Without any it is 8000, or, served as SageMaker wants it, 8080.
for port in given[:1] or ["8000", "8080"]:
    server = http.client.HTTPConnection("127.0.0.1", int(port), timeout=4)
    try:
        server.request("GET", "/health/ready")
        sys.exit(server.getresponse().status != 200)
    except OSError:
        continue
sys.exit(1)
