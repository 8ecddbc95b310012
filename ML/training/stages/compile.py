"""Compiles the saved model if that is possible and faster."""

from ML.config.config import settings
from ML.training.stages.job import Job
from ML.versions import files
from ML.versions.card import Compiled


def compile(job: Job) -> Job:
    """Put the result on the card: the compiled file, or the reason why scikit-learn serves the model."""
    if settings().runtime == "sklearn":
        return job.on_card(compiled=Compiled(why="RUNTIME was sklearn when it was trained"))
    if not job.card.batched:
        return job.on_card(compiled=Compiled(why="A row's answer depends on the rows beside it"))
    try:
        from ML.compiler import compile as compiler  # only a training needs converters, and not every image has them
    except ImportError as error:
        return job.on_card(compiled=Compiled(why=f"It can't be compiled without {error.name}"))
    assert job.saved
    folder = files.folder(job.card.model, job.card.version)
    return job.on_card(compiled=compiler.compiled(job.card, job.saved, job.X, folder))
