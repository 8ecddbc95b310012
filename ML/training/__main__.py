"""Trains a version and publishes it: `python -m ML.training MODEL TABLE.csv TARGET`; `--bootstrap` for the samples."""

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

from ML.config.config import settings
from ML.errors import Problem
from ML.training import failures, process
from ML.training.bootstrap import bootstrap
from ML.training.run import run, train
from ML.versions import catalog, store

log = logging.getLogger("fast_ml.training")


def _job(model: str, version: int) -> None:
    """Trains a version that a server claimed. Its card says how it went, or, where that can't be written, its code."""
    importlib.import_module("ML.training.stages.sequence")  # before its time is measured, and before it steps back
    process.obey_limits(model, version)
    try:
        train(store.read(model, version))
    except OSError:
        sys.exit(os.EX_IOERR)
    except Exception:  # noqa: BLE001 - it is logged, and on the card
        sys.exit(1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ML.training", description=__doc__)
    parser.add_argument("model", nargs="?", help="a module of ML/src")
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file")
    parser.add_argument("target", nargs="?", help="the column to learn to predict")
    parser.add_argument("--bootstrap", action="store_true", help="train the samples of models that have no version yet")
    parser.add_argument("--seal", action="store_true", help="accept the cards of versions that have no checksum")
    parser.add_argument("--force", action="store_true", help="make it live even where it scores worse than before")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.basicConfig(
        level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    if given.job:
        _job(given.model, given.job)
        return
    if given.seal:
        for model in catalog.names():
            log.info("%s: sealed versions: %s", model, store.seal_unsealed(model) or "none")
        return
    if not given.bootstrap and not given.target:
        parser.error("name a model, a table and a target, or --bootstrap")
    try:
        if not given.bootstrap:
            run(given.model, given.table.read_bytes(), given.target, "command", given.force)
        elif settings().training:
            for model in catalog.names():
                failures.clear_at_start(model)
                bootstrap(model) if settings().bootstrap else None
    except PermissionError as error:
        sys.exit(
            f"User {os.getuid()} may not use {error.filename}. Make it accessible for that user (the model store is "
            f"{settings().models_dir}), or set MODELS_DIR."
        )
    except (Problem, OSError) as error:
        sys.exit(f"Training failed. {error}")


if __name__ == "__main__":
    main()
