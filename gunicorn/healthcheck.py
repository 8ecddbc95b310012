"""The container's health check: exit with 0 if the server is ready. It runs often, so it imports no libraries."""

import http.client
import os
import re
import sys
from pathlib import Path

# A .env in the project's folder sets what the environment does not.
try:
    text = (Path(__file__).parents[1] / ".env").read_text()
except OSError:
    text = ""
values = dict(re.findall(r"^\s*(?:export\s+)?(\w+)\s*=\s*['\"]?([^'\"#\n]*)", text, re.MULTILINE))
values |= {name: value for name, value in os.environ.items() if value}

# gunicorn's options win over PORT, and the last of several addresses wins.
bound = re.findall(r"(?:^|\s)(?:-b|--bind)[\s=]*\S*:(\d+)", values.get("GUNICORN_CMD_ARGS", ""))
given = [*bound[-1:], *filter(None, map(values.get, ("PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")))]
# The default is 8000, or 8080 when SageMaker starts the server.
for port in given[:1] or ["8000", "8080"]:
    server = http.client.HTTPConnection("127.0.0.1", int(port), timeout=4)
    try:
        server.request("GET", "/health/ready")
        sys.exit(server.getresponse().status != 200)
    except OSError:
        continue
sys.exit(1)
