"""Measurements beside the comparison: a million requests, memory per worker, log lines, gc.freeze() and others."""

import argparse
import os
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Any

from testing.benchmark import compiling, prepare, tables, wrk
from testing.benchmark import image as container
from testing.benchmark import training as trainings
from testing.benchmark.prepare import WORK, Case
from testing.benchmark.server import Server
from testing.benchmark.systems import ALL, PASSWORD, USER


def million(n: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds that the load test takes for n JSON requests, sharing two cores with the server."""
    cores = f"{asked.server_core},{asked.load_core}"
    seed = _seed_rate(asked, cores)
    found: dict[str, Any] = {"requests": n, "seed_rate": seed}
    for workers in ("1", "2"):
        seconds = _shots(_case("fast-ml", "row"), n, cores, workers)
        found[workers] = {"seconds": seconds, "ratio": n / seconds / seed}
        print(f"{n:,} requests, {workers} workers: {seconds:.1f} s, {n / seconds:.0f} a second", flush=True)
    print(f"the seed's design: {seed:.0f} a second, {n / seed:.0f} s", flush=True)
    return found


def _seed_rate(asked: argparse.Namespace, cores: str) -> float:
    """Return requests per second of the seed's design: two workers on the same cores, and wrk, the cheapest client."""
    case = _case("seed's design", "csv")
    with case.start(cores, WEB_CONCURRENCY="2") as running:
        case.check(running)
        return wrk.fire(case.load, running.port, 32, 3 * asked.seconds, cores, WORK / "wrk.lua").rate


def _shots(case: Case, n: int, cores: str, workers: str) -> float:
    tool = tables.ROOT / "testing" / "async_predictions.py"
    environment = {**os.environ, "SERVICE_USER": USER, "SERVICE_PASS": PASSWORD}
    with case.start(cores, WEB_CONCURRENCY=workers) as running:
        case.check(running)
        command: list[str | Path] = ["taskset", "--cpu-list", cores, case.python, tool, str(n)]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, "--url", f"http://127.0.0.1:{running.port}"], env=environment, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"The load test failed: {done.stdout} {done.stderr}")
    print(done.stdout, flush=True)
    return seconds


def memory(workers: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return MB of fast-ml with one worker and with several, under load, and again after a new version went live."""
    case = _case("fast-ml", "row")
    weighed = {n: _weigh(case, n, asked) for n in (1, workers)}
    found: dict[str, Any] = {"workers": workers}
    for when in ("at start", "after a swap"):
        one, many = weighed[1][when], weighed[workers][when]
        further = (many - one) / (workers - 1)
        found[when] = {"one": one, "all": many, "further": further, "share": further / one}
        print(f"{when}: one worker {one:.0f} MB, each further {further:.0f} MB, {further / one:.0%}", flush=True)
    return found


def _weigh(case: Case, workers: int, asked: argparse.Namespace) -> dict[str, float]:
    with case.start(f"{asked.server_core},{asked.load_core}", WEB_CONCURRENCY=str(workers)) as running:
        case.check(running)
        found = {"at start": _exercise(case, running, asked)}
        prepare.train(case.python, case.folder)
        return found | {"after a swap": _exercise(case, running, asked)}


def _exercise(case: Case, running: Server, asked: argparse.Namespace) -> float:
    """Return MB after a load during which every worker takes the live version, if it has not preloaded it."""
    wrk.fire(case.load, running.port, 128, 4, asked.load_core, WORK / "wrk.lua")
    time.sleep(1)
    return running.pss()


def logs(rounds: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return requests per second of fast-ml with a log line for each and without, medians of interleaved rounds."""
    case = _case("fast-ml", "row")
    rates: dict[str, list[float]] = {"info": [], "warning": []}
    for _ in range(rounds):
        for level, measured in rates.items():
            measured.append(_fired(case, asked, LOG_LEVEL=level).rate)
            print(f"LOG_LEVEL={level}: {measured[-1]:.0f} a second", flush=True)
    cost = [1 - on / off for on, off in zip(rates["info"], rates["warning"], strict=True)]
    print(f"log lines cost {median(cost):.1%} of the throughput ({min(cost):.1%} to {max(cost):.1%})", flush=True)
    return {"on": median(rates["info"]), "off": median(rates["warning"]), "cost": median(cost), "costs": cost}


def compiled(_: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the speed of compiled and original estimators, from their cards."""
    return compiling.cards(_case("fast-ml", "row").python)


def image(starts: int, _: argparse.Namespace) -> dict[str, Any]:
    """Return size and start time of the container image with and without the ONNX packages."""
    return container.measure(starts)


def training(rounds: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return p99 of predictions while a training runs, and without one."""
    return trainings.p99(_case("fast-ml", "row"), rounds, asked)


def freeze(rounds: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return p99 in ms with gc.freeze() after loading, and in a copy without it, medians of interleaved rounds."""
    case = _case("fast-ml", "row")
    files = [case.folder / place for place in ("rest_api/serving/loading.py", "gunicorn/gunicorn-config.py")]
    frozen = [file.read_text() for file in files]
    sources = {"frozen": frozen, "not frozen": [source.replace("gc.freeze()", "pass") for source in frozen]}
    found: dict[str, list[float]] = {name: [] for name in sources}
    for _ in range(rounds):
        for name, source in sources.items():
            for file, text in zip(files, source, strict=True):
                file.write_text(text)
            found[name].append(_fired(case, asked).p99)
            print(f"{name}: p99 {found[name][-1]:.1f} ms", flush=True)
    return {name: median(p99) for name, p99 in found.items()}


def _fired(case: Case, asked: argparse.Namespace, **environment: str) -> wrk.Result:
    with case.start(asked.server_core, **environment) as running:
        case.check(running)
        wrk.fire(case.load, running.port, 32, 1, asked.load_core, WORK / "wrk.lua")
        return wrk.fire(case.load, running.port, 32, asked.seconds, asked.load_core, WORK / "wrk.lua")


def _case(name: str, shape: str) -> Case:
    return prepare.case(next(system for system in ALL if system.name == name), "svc", shape)
