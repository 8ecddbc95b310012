"""What a training costs those who are served meanwhile: p99 with and without one, on the same cores."""

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx2 as httpx

from testing.benchmark import wrk
from testing.benchmark.prepare import WORK, Case
from testing.benchmark.server import Server
from testing.benchmark.systems import PASSWORD, USER

ROWS, CONNECTIONS = 100_000, (8, 32)
WARM_UP_SECONDS = 3


def p99(case: Case, rounds: int, asked: argparse.Namespace) -> dict[str, Any]:
    """p99 in ms of JSON rows, idle and while a table of 100,000 rows trains, in turn; medians and their ratio."""
    cores = f"{asked.server_core},{asked.load_core}"
    found: dict[str, dict[str, list[float]]] = {str(n): {"idle": [], "training": []} for n in CONNECTIONS}
    table = _table()
    with case.start(cores, WEB_CONCURRENCY="2") as running:
        case.check(running)
        _fire(case, running, 32, cores, WARM_UP_SECONDS)  # else the first measurement has the workers' first requests
        for _ in range(rounds):
            for name, measured in found.items():
                measured["idle"].append(_fire(case, running, int(name), cores, asked.seconds))
                with _trained(running, table):
                    measured["training"].append(_fire(case, running, int(name), cores, asked.seconds))
                print(f"{name} connections: p99 {measured['idle'][-1]:.1f} ms idle, "
                      f"{measured['training'][-1]:.1f} ms while a table trains", flush=True)  # fmt: skip
    return {n: {**(m := {k: median(v) for k, v in of.items()}), "ratio": m["training"] / m["idle"]}
            for n, of in found.items()}  # fmt: skip


def _fire(case: Case, running: Server, connections: int, cores: str, seconds: float) -> float:
    return wrk.fire(case.load, running.port, connections, seconds, cores, WORK / "wrk.lua").p99


@contextmanager
def _trained(running: Server, table: bytes) -> Iterator[None]:
    """The fit of a training is under way; it is stopped at the end."""
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", auth=(USER, PASSWORD), timeout=120) as client:
        answer = client.post("/train_model", files={"csv_file": table}, data={"target_variable": "y", "force": "true"},
                             headers={"Prefer": "respond-async"})  # fmt: skip
        version = answer.headers["location"]
        while client.get(version).json()["stage"] not in ("fit", "score", "compare", "save", "compile"):
            time.sleep(0.1)
        yield
        if client.get(version).json()["status"] != "training":
            raise SystemExit("the training ended before the measurement did: more rows, or fewer --seconds")
        client.delete(version)


def _table() -> bytes:
    """Nine columns of noise and six classes, so that its fit lasts."""
    chance = random.Random(1)
    rows = (",".join(f"{chance.random():.6f}" for _ in range(9)) + f",{chance.choice('uvwxyz')}" for _ in range(ROWS))
    return ("a,b,c,d,e,f,g,h,i,y\n" + "\n".join(rows)).encode()
