"""The benchmark: fast-ml beside the seed's design, its peers and a raw ASGI function, in one run on pinned cores.

python testing/benchmark/run.py [--rounds 3] [--seconds 5] [--systems fast-ml,LitServe] [--models svc,forest]
    [--connections 1,32,256] [--out FOLDER]; or one of --million, --memory, --logs, --freeze,
    --training, --compiled, --report
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from testing.benchmark import environments, extras, machine, prepare, report, server, wrk
from testing.benchmark.prepare import Case
from testing.benchmark.systems import ALL

WARM_UP_SECONDS = 1


def main() -> None:
    """The command line."""
    asked = options()
    if missing := [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]:
        sys.exit(f"{' and '.join(missing)} not found. On Debian and Ubuntu: apt install wrk util-linux")
    shutil.rmtree(prepare.WORK / "logs", ignore_errors=True)
    results = report.Results(asked.out)
    extra = ("million", "memory", "logs", "freeze", "training", "compiled")
    for name in extra:
        if (n := getattr(asked, name)) is not None:
            results.update(**{name: getattr(extras, name)(n, asked), f"{name}_machine": machine.describe()})
    if not any(getattr(asked, name) is not None for name in (*extra, "report")):
        compare(asked, results)
    results.publish()


def compare(asked: argparse.Namespace, results: report.Results) -> None:
    """Measures every system in turn, round after round, so that what the machine does meanwhile hits all alike."""
    found, unavailable = cases(asked)
    measured: list[dict[str, Any]] = []
    for number in range(1, asked.rounds + 1):
        for each in found:
            measured += rounds_of(each, number, asked, unavailable)
        results.update(
            measured=measured,
            unavailable=unavailable,
            machine=machine.describe(),
            versions={c.system.name: environments.versions(c.system.venv, c.system.packages) for c in found},
            asked={"rounds": asked.rounds, "seconds": asked.seconds},
        )


def cases(asked: argparse.Namespace) -> tuple[list[Case], dict[str, str]]:
    """What was asked for and can be had here; and what can't, with the reason."""
    found, unavailable = [], {}
    for model in asked.models:
        for system in ALL:
            for shape in system.shapes if system.name in asked.systems and system.name not in unavailable else ():
                # The seed's request is one of iris, and the limit knows no model.
                if model != "svc" and (shape == "csv" or system.name == "raw ASGI"):
                    continue
                try:
                    found.append(prepare.case(system, model, shape))
                except environments.Unavailable as error:
                    unavailable[system.name] = str(error)
                    print(f"{system.name} is left out: {error}", flush=True)
    return found, unavailable


def rounds_of(case: Case, number: int, asked: argparse.Namespace, unavailable: dict[str, str]) -> list[dict[str, Any]]:
    """One start of a system and its measurements; none, and the reason noted, where it answers wrongly."""
    try:
        return list(measure(case, number, asked))
    except server.Broken as error:
        unavailable[f"{case.system.name}, {case.model}, {case.shape}"] = str(error)
        print(f"{case.system.name}, {case.model}: {error}", flush=True)
        return []


def measure(case: Case, number: int, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Starts, checks, warms up, loads and weighs a system."""
    script = prepare.WORK / "wrk.lua"
    with case.start(asked.server_core) as running:
        case.check(running)
        wrk.fire(case.load, running.port, 32, WARM_UP_SECONDS, asked.load_core, script)
        for connections in asked.connections:
            case.check(running)
            result = wrk.fire(case.load, running.port, connections, asked.seconds, asked.load_core, script)
            row = {"system": case.system.name, "model": case.model, "shape": case.shape, "round": number}
            row |= {"connections": connections, "memory": running.pss(), **asdict(result)}
            print(report.line(row), flush=True)
            yield row


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (%(default)s)")
    names = [system.name for system in ALL]
    parser.add_argument("--systems", type=_some(names), default=names, help=f"some of: {', '.join(names)}")
    parser.add_argument("--models", type=_some(list(prepare.MODELS)), default=list(prepare.MODELS))
    parser.add_argument("--connections", type=lambda text: list(map(int, text.split(","))), default=[1, 32, 256])
    parser.add_argument("--server-core", default="0", help="core of the system (%(default)s)")
    parser.add_argument("--load-core", default="1", help="core of wrk (%(default)s)")
    parser.add_argument("--out", type=Path, default=prepare.HERE / "results", help="folder of the results")
    parser.add_argument("--million", metavar="N", nargs="?", type=int, const=1_000_000, help="N requests, two cores")
    parser.add_argument("--memory", metavar="WORKERS", nargs="?", type=int, const=4, help="of each further worker")
    parser.add_argument("--logs", metavar="ROUNDS", nargs="?", type=int, const=5, help="what log lines cost")
    parser.add_argument("--freeze", metavar="ROUNDS", nargs="?", type=int, const=5, help="what freezing the heap saves")
    parser.add_argument("--training", metavar="ROUNDS", nargs="?", type=int, const=5, help="what a training costs p99")
    parser.add_argument("--compiled", action="store_const", const=1, help="what compiling brings")
    parser.add_argument("--report", action="store_const", const=True, help="only write the tables and the plot anew")
    return parser.parse_args()


def _some(known: list[str]) -> Any:
    def parse(text: str) -> list[str]:
        chosen = [name for name in known if name.lower().replace(" ", "-") in text.lower().replace(" ", "-").split(",")]
        if len(chosen) != len(text.split(",")):
            raise argparse.ArgumentTypeError(f"{text}: choose from {', '.join(known)}")
        return chosen

    return parse


if __name__ == "__main__":
    main()
