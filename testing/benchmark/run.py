"""The benchmark: fast-ml beside the seed's design, its peers and a raw ASGI function, in one run on pinned cores.

python testing/benchmark/run.py [--rounds 3] [--seconds 2] [--systems fast-ml,LitServe] [--models svc,forest]
    [--connections 1,32,256] [--out FOLDER]
or some of --million, --memory, --logs, --freeze, --compiled, --image, --training; or --report
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
    """The command line."""
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
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement (%(default)s)")
    names = [system.name for system in ALL]
    parser.add_argument("--systems", type=_some(names), default=names, help=f"some of: {', '.join(names)}")
    parser.add_argument("--models", type=_some(list(plan.MODELS)), default=plan.MODELS)
    parser.add_argument("--connections", type=lambda text: tuple(map(int, text.split(","))), help="1, 32; for SVC 256")
    parser.add_argument("--server-core", default="0", help="core of the system (%(default)s)")
    parser.add_argument("--load-core", default="1", help="core of wrk (%(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    parser.add_argument("--million", metavar="N", nargs="?", type=int, const=1_000_000, help="N requests, two cores")
    parser.add_argument("--memory", metavar="WORKERS", nargs="?", type=int, const=4, help="of each further worker")
    parser.add_argument("--logs", metavar="ROUNDS", nargs="?", type=int, const=5, help="what log lines cost")
    parser.add_argument("--freeze", metavar="ROUNDS", nargs="?", type=int, const=5, help="what freezing the heap saves")
    parser.add_argument("--training", metavar="ROUNDS", nargs="?", type=int, const=5, help="what a training costs p99")
    parser.add_argument("--compiled", action="store_const", const=1, help="what compiling brings")
    parser.add_argument(
        "--image", metavar="STARTS", nargs="?", type=int, const=5, help="what its packages cost the image"
    )
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
