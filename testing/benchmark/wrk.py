"""The load: wrk, fed by a script that sends the given bodies in turn, so that batches hold different rows."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
wrk.method, wrk.path = "POST", %s
%s
local bodies = {%s}
local requests, turn = {}, 0
init = function()
  for n, body in ipairs(bodies) do requests[n] = wrk.format(nil, nil, nil, body) end
end
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
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
    """What to send, one body after the other."""

    path: str
    headers: Mapping[str, str]
    bodies: Sequence[bytes]


@dataclass(frozen=True)
class Result:
    """What came back. Latencies in ms; `refused` answers were not 2xx or 3xx, `lost` ones did not come."""

    rate: float
    p50: float
    p99: float
    refused: int
    lost: int


def fire(load: Load, port: int, connections: int, seconds: float, core: str, file: Path) -> Result:
    """Sends as fast as the server answers, for so many seconds over so many connections, from one core."""
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
    """The Lua that wrk runs."""
    headers = (f"wrk.headers[{_lua(name.encode())}] = {_lua(value.encode())}" for name, value in load.headers.items())
    return SCRIPT % (_lua(load.path.encode()), "\n".join(headers), ", ".join(map(_lua, load.bodies)))


def _lua(text: bytes) -> str:
    """A Lua string, whatever bytes are in it."""
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\{b:03d}" for b in text) + '"'
