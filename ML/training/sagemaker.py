"""A training as SageMaker runs it: files in, files out, `python -m ML.training.sagemaker`.

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
"""What SageMaker shows of the reason."""


class Misplaced(Problem):
    """The folders do not hold what a training needs."""


def train(root: Path) -> None:
    """Trains from the channel below `root`, `/opt/ml`, into the store of MODELS_DIR. Raises Problem."""
    wanted = _hyperparameters(root / "input" / "config" / "hyperparameters.json")
    files = _files(root / "input" / "data")
    target = wanted.get("target", "")
    data = _joined(files, target)
    force = wanted.get("force", "").lower() in ("true", "1", "yes", "on")
    card = run.run(wanted.get("model", settings().default_model), data, target or _label(data), "command", force)
    log.info("trained from %s rows in %s files: %s", sum(card.rows.values()), len(files), card.metrics)


def _hyperparameters(path: Path) -> dict[str, str]:
    """Those that are known, as text: the console sends text, the Python SDK JSON in it. Others are named in the log."""
    try:
        found = json.loads(path.read_bytes() or b"{}") if path.is_file() else {}
        given = {str(name): _plain(value) for name, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise Misplaced(f"{path} is not a JSON object: {error}") from None
    if unknown := [name for name in given if name not in KNOWN and not name.startswith("sagemaker_")]:
        log.warning("hyperparameters that are not known: %s; there are %s", ", ".join(unknown), ", ".join(KNOWN))
    return {name: given[name] for name in KNOWN if name in given}


def _plain(value: Any) -> str:
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _files(data: Path) -> list[Path]:
    """The CSV files of the channel, in order. Raises Misplaced."""
    folders = [data / name for name in CHANNELS if (data / name).is_dir()]
    found = sorted(path for folder in folders[:1] for path in folder.rglob("*") if ".csv" in path.suffixes)
    if not found:
        channels = ", ".join(sorted(path.name for path in data.glob("*"))) or "none"
        raise Misplaced(f"There is no .csv file in {data / CHANNELS[0]}; the channels are: {channels}")
    return found


def _joined(files: list[Path], target: str) -> bytes:
    """One table of them all, with a header: theirs, or the label's name and x1, x2, ... Raises Invalid."""
    out, first = io.StringIO(newline=""), None
    writer = csv.writer(out, lineterminator="\n")
    for path in files:
        found = _table(path, target)
        if first is None:
            writer.writerow(first := found.header)
        if found.header != first:
            message = f"{path.name} has the columns {', '.join(found.header)}; {files[0].name} has {', '.join(first)}"
            raise Invalid.at(path.name, msg=message, type="csv_invalid")
        for _, chunk in found.chunks():
            writer.writerows(zip(*chunk, strict=True))
    return out.getvalue().encode()


def _table(path: Path, target: str) -> Table:
    found = upload.read(path.read_bytes(), settings().max_body_bytes, path.name)
    rows = reading.first_rows(found, ",", 2)
    if has_header(rows, target):
        return reading.of_upload(found, ",")
    return reading.under([target or LABEL, *(f"x{place}" for place in range(1, len(rows[0])))], found, ",")


def has_header(rows: list[list[str]], target: str) -> bool:
    """Whether the first of two rows plainly names columns: the target is there, or there is text above numbers."""
    first = [cell.strip() for cell in rows[0]]
    if any(is_number(cell) or cell.lower() in GAPS for cell in first) or len(set(first)) < len(first):
        return False
    return target in first or any(map(is_number, rows[-1]))


def _label(data: bytes) -> str:
    """The first column: SageMaker's tables begin with the label."""
    return reading.first_row(upload.Upload(data, 0, "training"), ",")[0]


def main() -> None:
    """The command line. A failure is written where SageMaker looks for it."""
    parser = argparse.ArgumentParser(prog="python -m ML.training.sagemaker", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path("/opt/ml"))
    root = parser.parse_args().root
    # Process 1 of a container ignores it by default.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        logging.basicConfig(
            level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
        )
        train(root)
    except (SystemExit, Exception) as error:
        if not isinstance(error, SystemExit) or isinstance(error.code, str):  # else it was told to stop
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
