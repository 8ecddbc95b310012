"""Train a version and publish it: `python -m ML.training MODEL TABLE.csv TARGET`, or `--bootstrap` for the samples."""

import argparse
import logging
import os
import sys
from pathlib import Path

from ML.config.config import settings
from ML.errors import Problem
from ML.training import failures
from ML.training.bootstrap import bootstrap
from ML.training.run import run, run_claimed
from ML.versions import catalog, store

log = logging.getLogger("fast_ml.training")


def main() -> None:
    """Run the command line."""
    parser = _parser()
    arguments = parser.parse_args()
    logging.basicConfig(
        level=settings().log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    if arguments.job:
        sys.exit(run_claimed(arguments.model, arguments.job))
    elif arguments.seal:
        for model in catalog.names():
            log.info("%s: sealed versions: %s", model, store.seal_unsealed(model) or "none")
    elif arguments.bootstrap or arguments.target:
        _train(arguments)
    else:
        parser.error("name a model, a table and a target, or --bootstrap")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ML.training", description=__doc__)
    parser.add_argument("model", nargs="?", help="a module in ML/src")
    parser.add_argument("table", nargs="?", type=Path, help="a CSV file")
    parser.add_argument("target", nargs="?", help="the column to learn to predict")
    parser.add_argument("--bootstrap", action="store_true", help="train the samples of models without a version")
    parser.add_argument("--seal", action="store_true", help="accept the cards of versions without a checksum")
    parser.add_argument("--force", action="store_true", help="make it live even if it scores worse")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    return parser


def _train(arguments: argparse.Namespace) -> None:
    """Train a table, or the samples of all models. Exit with a message if that fails."""
    try:
        if not arguments.bootstrap:
            run(arguments.model, arguments.table.read_bytes(), arguments.target, "command", arguments.force)
        elif settings().training:
            for model in catalog.names():
                failures.clear_at_start(model)
                if settings().bootstrap:
                    bootstrap(model)
    except PermissionError as error:
        sys.exit(
            f"User {os.getuid()} may not use {error.filename}. Make it accessible for that user (the model store is "
            f"{settings().models_dir}), or set MODELS_DIR."
        )
    except (Problem, OSError) as error:
        sys.exit(f"Training failed. {error}")


if __name__ == "__main__":
    main()
