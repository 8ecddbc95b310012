"""The benchmark: fast-ml, the seed's design, other model servers and a raw ASGI function, in one run on pinned cores.

Each request carries a fresh X-Request-ID and traceparent, and another row than the one before.

python testing/benchmark/run.py [--rounds 3] [--seconds 2] [--systems fast-ml,LitServe] [--models svc,forest]
    [--connections 1,32,256] [--out FOLDER]
or one or more of --million, --memory, --logs, --freeze, --compiled, --image, --training; or --report
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from testing.benchmark import comparison, environments, extras, machine, plan
from testing.benchmark.results import FOLDER, Results
from testing.benchmark.systems import ALL


def main() -> None:
    """Run what the command line asks for, and publish the results."""
    asked = options()
    if missing := [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]:
        sys.exit(f"{' and '.join(missing)} not found. On Debian and Ubuntu: apt install wrk util-linux")
    found = Results(asked.out)
    extra = ("million", "memory", "logs", "freeze", "compiled", "image", "training")
    for name in extra:
        if (n := getattr(asked, name)) is not None:
            found.update(**{name: getattr(extras, name)(n, asked), f"{name}_machine": machine.describe()})
    if not any(getattr(asked, name) is not None for name in (*extra, "report")):
        shutil.rmtree(environments.FOLDER / "logs", ignore_errors=True)
        comparison.compare(asked, found)
    found.publish()


def options() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="duration of each measurement (%(default)s)")
    names = [system.name for system in ALL]
    parser.add_argument("--systems", type=_some(names), default=names, help=f"comma-separated: {', '.join(names)}")
    parser.add_argument("--models", type=_some(list(plan.MODELS)), default=plan.MODELS)
    parser.add_argument(
        "--connections",
        type=lambda text: tuple(map(int, text.split(","))),
        help="comma-separated (1,32; for SVC 256 too)",
    )
    parser.add_argument("--server-core", default="0", help="processor core for the servers (%(default)s)")
    parser.add_argument("--load-core", default="1", help="processor core for wrk (%(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the results")
    parser.add_argument(
        "--million", metavar="N", nargs="?", type=int, const=1_000_000, help="time N requests on two cores"
    )
    parser.add_argument(
        "--memory", metavar="WORKERS", nargs="?", type=int, const=4, help="memory of each additional worker"
    )
    parser.add_argument("--logs", metavar="ROUNDS", nargs="?", type=int, const=5, help="cost of a log line per request")
    parser.add_argument(
        "--freeze", metavar="ROUNDS", nargs="?", type=int, const=5, help="p99 with and without gc.freeze()"
    )
    parser.add_argument("--training", metavar="ROUNDS", nargs="?", type=int, const=5, help="p99 while a training runs")
    parser.add_argument("--compiled", action="store_const", const=1, help="speed of compiled models")
    parser.add_argument(
        "--image",
        metavar="STARTS",
        nargs="?",
        type=int,
        const=5,
        help="size and start time of the image with and without ONNX",
    )
    parser.add_argument(
        "--report", action="store_const", const=True, help="only write tables and plot from the stored results"
    )
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
