"""p99 of predictions while a training runs on the same cores, and without one."""

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
    """Return the median p99 in ms of JSON rows, alternately idle and while 100,000 rows train, and their ratio."""
    cores = f"{asked.server_core},{asked.load_core}"
    found: dict[str, dict[str, list[float]]] = {str(n): {"idle": [], "training": []} for n in CONNECTIONS}
    table = _table()
    with case.start(cores, WEB_CONCURRENCY="2") as running:
        case.check(running)
        _fire(case, running, 32, cores, WARM_UP_SECONDS)  # so that the first measurement has no cold workers
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
    """Start a training, wait until it fits, and stop it at the end."""
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", auth=(USER, PASSWORD), timeout=120) as client:
        answer = client.post("/train_model", files={"csv_file": table}, data={"target_variable": "y", "force": "true"},
                             headers={"Prefer": "respond-async"})  # fmt: skip
        version = answer.headers["location"]
        while client.get(version).json()["stage"] not in ("fit", "score", "compare", "save", "compile"):
            time.sleep(0.1)
        yield
        if client.get(version).json()["status"] != "training":
            raise SystemExit("The training ended during the measurement. Use fewer --seconds, or more ROWS.")
        client.delete(version)


def _table() -> bytes:
    """Return a CSV of nine random columns and six classes, which takes long to fit."""
    chance = random.Random(1)
    rows = (",".join(f"{chance.random():.6f}" for _ in range(9)) + f",{chance.choice('uvwxyz')}" for _ in range(ROWS))
    return ("a,b,c,d,e,f,g,h,i,y\n" + "\n".join(rows)).encode()
