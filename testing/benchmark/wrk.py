"""The load: wrk, with a script that sends a different row and fresh ids in each request, as real proxies do."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# wrk.format() is slower than the fastest server, so each request is formatted once; then its ids go in behind the
# request line. https://www.w3.org/TR/trace-context/ has the format of traceparent.
SCRIPT = r"""
wrk.method, wrk.path = "POST", %s
%s
local bodies = {%s}
local starts, ends, run, count = {}, {}, "", 0
init = function()
  for n, body in ipairs(bodies) do
    local whole = wrk.format(nil, nil, nil, body)
    local _, line = whole:find("\r\n", 1, true)
    starts[n], ends[n] = whole:sub(1, line), whole:sub(line + 1)
  end
  local random = io.open("/dev/urandom", "rb")
  run = random:read(8):gsub(".", function(byte) return string.format("%%02x", byte:byte()) end)
  random:close()
end
request = function()
  local n, span = count %% #starts + 1, string.format("%%016x", count + 1)
  count = count + 1
  local ids = "X-Request-ID: " .. run .. span .. "\r\ntraceparent: 00-" .. run .. span .. "-" .. span .. "-01\r\n"
  return starts[n] .. ids .. ends[n]
end
done = function(all, latency)
  local e = all.errors
  local lost = e.connect + e.read + e.write + e.timeout
  local found = 'RESULT {"requests": %%d, "microseconds": %%d, "p50": %%d, "p99": %%d, "refused": %%d, "lost": %%d}'
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  io.write(string.format(found, all.requests, all.duration, p50, p99, e.status, lost))
end
"""


@dataclass(frozen=True)
class Load:
    """What to send: the bodies in turn, each request with ids of its own."""

    path: str
    headers: Mapping[str, str]
    bodies: Sequence[bytes]


@dataclass(frozen=True)
class Result:
    """Requests per second, latencies in ms, responses other than 2xx and 3xx (`refused`), and missing ones (`lost`)."""

    rate: float
    p50: float
    p99: float
    refused: int
    lost: int


def fire(load: Load, port: int, connections: int, seconds: float, core: str, file: Path) -> Result:
    """Send requests from one core for a number of seconds, over each connection the next one after each response."""
    file.write_text(script(load))
    command = ["taskset", "--cpu-list", core, "wrk", "--threads", "1", "--connections", str(connections)]
    options = ["--duration", f"{max(1, round(seconds))}s", "--timeout", "60s", "--script", str(file)]
    done = subprocess.run([*command, *options, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.partition("RESULT ")[2])
    return Result(
        rate=found["requests"] / found["microseconds"] * 1e6,
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        refused=found["refused"],
        lost=found["lost"],
    )


def script(load: Load) -> str:
    """Return the Lua script for wrk."""
    headers = (f"wrk.headers[{_lua(name.encode())}] = {_lua(value.encode())}" for name, value in load.headers.items())
    return SCRIPT % (_lua(load.path.encode()), "\n".join(headers), ", ".join(map(_lua, load.bodies)))


def _lua(text: bytes) -> str:
    """Return a Lua string literal of any bytes."""
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\{b:03d}" for b in text) + '"'
