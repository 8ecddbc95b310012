"""Which models there are: the modules of ML/src, found by their names."""

from ML.config.config import ROOT
from ML.errors import NotFound

SOURCE = ROOT / "ML" / "src"


def names() -> list[str]:
    """Return the models' names: the files of ML/src except those that begin with an underscore."""
    return sorted(path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("_"))


def check(name: str) -> str:
    """Return the name if there is such a model. Raise NotFound otherwise."""
    if name not in names():
        raise NotFound(f"There is no model {name}; there are {', '.join(names())}")
    return name
