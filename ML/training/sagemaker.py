"""A training job of SageMaker, from its input files to its output files: `python -m ML.training.sagemaker`.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

import argparse
import csv
import io
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from ML.config.config import settings
from ML.errors import Invalid, Problem
from ML.schema.cells import GAPS
from ML.tables import reading, upload
from ML.tables.csv_table import Table
from ML.tables.names import is_number
from ML.training import run

log = logging.getLogger("fast_ml.training")

CHANNELS = ("training", "train")
KNOWN = ("target", "model", "force")
LABEL = "target"
FAILURE_BYTES = 1024
"""How much of the file `failure` SageMaker shows."""


class Misplaced(Problem):
    """The input folders lack what a training needs."""


def train(root: Path) -> None:
    """Train from the channel below `root`, usually /opt/ml, into the store in MODELS_DIR. Raise Problem."""
    parameters = _hyperparameters(root / "input" / "config" / "hyperparameters.json")
    files = _files(root / "input" / "data")
    target = parameters.get("target", "")
    data = _joined(files, target)
    force = parameters.get("force", "").lower() in ("true", "1", "yes", "on")
    card = run.run(parameters.get("model", settings().default_model), data, target or _label(data), "command", force)
    log.info("trained from %s rows in %s files: %s", sum(card.rows.values()), len(files), card.metrics)


def _hyperparameters(path: Path) -> dict[str, str]:
    """Return the known hyperparameters as text, and log the others. The Python SDK sends JSON, the console text."""
    try:
        content = json.loads(path.read_bytes() or b"{}") if path.is_file() else {}
        given = {str(name): _plain(value) for name, value in content.items()}
    except (ValueError, AttributeError) as error:
        raise Misplaced(f"{path} is not a JSON object: {error}") from None
    if unknown := [name for name in given if name not in KNOWN and not name.startswith("sagemaker_")]:
        log.warning("unknown hyperparameters: %s; these are known: %s", ", ".join(unknown), ", ".join(KNOWN))
    return {name: given[name] for name in KNOWN if name in given}


def _plain(value: Any) -> str:
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _files(data: Path) -> list[Path]:
    """Return the CSV files of the first channel that exists, in order. Raise Misplaced if there are none."""
    folders = [data / name for name in CHANNELS if (data / name).is_dir()]
    files = sorted(path for folder in folders[:1] for path in folder.rglob("*") if ".csv" in path.suffixes)
    if not files:
        channels = ", ".join(sorted(path.name for path in data.glob("*"))) or "none"
        raise Misplaced(f"{data / CHANNELS[0]} contains no .csv file; the channels are: {channels}")
    return files


def _joined(files: list[Path], target: str) -> bytes:
    """Return all files as one CSV table under one header: theirs, or the label's name and x1, x2, ... Raise Invalid."""
    out, first = io.StringIO(newline=""), None
    writer = csv.writer(out, lineterminator="\n")
    for path in files:
        table = _table(path, target)
        if first is None:
            writer.writerow(first := table.header)
        if table.header != first:
            message = f"{path.name} has the columns {', '.join(table.header)}; {files[0].name} has {', '.join(first)}"
            raise Invalid.at(msg=message, type="csv_invalid")
        for _, chunk in table.chunks():
            writer.writerows(zip(*chunk, strict=True))
    return out.getvalue().encode()


def _table(path: Path, target: str) -> Table:
    found = upload.read(path.read_bytes(), settings().max_body_bytes)
    rows = reading.first_rows(found, ",", 2)
    if has_header(rows, target):
        return reading.of_upload(found, ",")
    return reading.under([target or LABEL, *(f"x{place}" for place in range(1, len(rows[0])))], found, ",")


def has_header(rows: list[list[str]], target: str) -> bool:
    """Return whether the first of two rows is a header: it contains the target, or text above numbers."""
    first = [cell.strip() for cell in rows[0]]
    if any(is_number(cell) or cell.lower() in GAPS for cell in first) or len(set(first)) < len(first):
        return False
    return target in first or any(map(is_number, rows[-1]))


def _label(data: bytes) -> str:
    """Return the name of the first column: SageMaker's tables begin with the label."""
    return reading.first_row(upload.Upload(data, 0), ",")[0]


def main() -> None:
    """Run the command line. A failure is written to the file that SageMaker reads."""
    parser = argparse.ArgumentParser(prog="python -m ML.training.sagemaker", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path("/opt/ml"))
    root = parser.parse_args().root
    # Process 1 of a container ignores SIGTERM unless it has a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        logging.basicConfig(
            level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
        )
        train(root)
    except (SystemExit, Exception) as error:
        if not isinstance(error, SystemExit) or isinstance(error.code, str):  # otherwise SIGTERM stopped it
            _fail(root / "output" / "failure", f"Training failed. {error}")
        if isinstance(error, Problem | OSError):
            sys.exit(f"Training failed. {error}")
        raise


def _fail(path: Path, message: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(message.encode("utf-8", "replace")[:FAILURE_BYTES])
    except OSError as error:
        log.error("%s can't be written: %s", path, error.strerror)


if __name__ == "__main__":
    main()
