"""The comparison: in each round, start each system, check its predictions, and measure its speed and memory."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from testing.benchmark import environments, machine, plan, prepare, report, server, wrk
from testing.benchmark.prepare import Case
from testing.benchmark.results import Results
from testing.benchmark.server import Server
from testing.benchmark.systems import ALL


class Task(NamedTuple):
    """A case to measure over each of these numbers of connections."""

    case: Case
    connections: tuple[int, ...]


Start = list[Task]
"""The tasks for one system with one model, between its start and its end."""


def compare(asked: argparse.Namespace, results: Results) -> None:
    """Measure all systems in each round, so that a slow moment of the machine affects all of them."""
    unavailable: dict[str, str] = {}
    found = list(starts(asked, unavailable))
    print(f"{len(found)} starts a round, {asked.rounds} rounds: about {minutes(found, asked):.0f} minutes", flush=True)
    measured: list[dict[str, Any]] = []
    for number in range(1, asked.rounds + 1):
        for each in found:
            measured += measure(each, number, asked, unavailable)
        results.update(
            measured=measured,
            unavailable=unavailable,
            machine=machine.describe(),
            versions=versions(found),
            asked={"rounds": asked.rounds, "seconds": asked.seconds, "fresh_ids": True},
        )


def starts(asked: argparse.Namespace, unavailable: dict[str, str]) -> Iterator[Start]:
    """Yield the starts that the command line asks for. Note the reason for those that are not possible here."""
    for model in asked.models:
        for system in (each for each in ALL if each.name in asked.systems and each.name not in unavailable):
            parts = [part for part in plan.PARTS if part.model == model and system.name in part.systems]
            print(f"preparing {system.name}, {model}", flush=True)
            try:
                found = [Task(prepare.case(system, model, p.shape), asked.connections or p.connections) for p in parts]
            except environments.Unavailable as error:
                unavailable[system.name] = str(error)
                print(f"{system.name} is left out: {error}", flush=True)
            else:
                yield from [found] if found else []


def minutes(found: list[Start], asked: argparse.Namespace) -> float:
    """Return the estimated duration of all rounds in minutes."""
    points = [len(task.connections) for start in found for task in start]
    loaded = sum(points) * (asked.seconds + plan.CHECK_SECONDS) + len(points) * plan.WARM_UP_SECONDS
    return float(asked.rounds * (loaded + len(found) * plan.START_SECONDS) / 60)


def versions(found: list[Start]) -> dict[str, dict[str, str]]:
    """Return the package versions of each system."""
    systems = {start[0].case.system.name: start[0].case.system for start in found}
    return {name: environments.versions(system.venv, system.packages) for name, system in systems.items()}


def measure(start: Start, number: int, asked: argparse.Namespace, unavailable: dict[str, str]) -> list[dict[str, Any]]:
    """Start a system, and return its measurements. Note the reason where it fails or predicts wrongly."""
    rows: list[dict[str, Any]] = []
    first = start[0].case
    try:
        with first.start(asked.server_core) as running:
            for task in start:
                try:
                    rows += loaded(running, task, number, asked)
                except server.Broken as error:
                    _note(task.case, error, unavailable)
    except server.Broken as error:
        _note(first, error, unavailable)
    return rows


def loaded(running: Server, task: Task, number: int, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Check the predictions, warm up, and yield a measurement for each number of connections. Raise server.Broken."""
    case, script = task.case, prepare.WORK / "wrk.lua"
    case.check(running)
    wrk.fire(case.load, running.port, 32, plan.WARM_UP_SECONDS, asked.load_core, script)
    for connections in task.connections:
        case.check(running)
        result = wrk.fire(case.load, running.port, connections, asked.seconds, asked.load_core, script)
        row = {"system": case.system.name, "model": case.model, "shape": case.shape, "round": number}
        row |= {"connections": connections, "memory": running.pss(), **asdict(result)}
        print(report.line(row), flush=True)
        yield row


def _note(case: Case, error: server.Broken, unavailable: dict[str, str]) -> None:
    unavailable[f"{case.system.name}, {case.model}, {case.shape}"] = str(error)
    print(f"{case.system.name}, {case.model}, {case.shape}: {error}", flush=True)
