"""The bodies of the answers, as /docs shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ML.errors import Conflict, NotFound
from ML.prediction.answers import Answer
from ML.versions import progress, provenance, store
from ML.versions.card import Card, Comparison

Label = bool | int | float | str | None


class Prediction(BaseModel):
    """Predictions, in the order of the rows."""

    predictions: list[Label]
    probabilities: list[list[float | None]] | None = Field(
        None, description="Of each row, in the order of `classes`; on request"
    )
    classes: list[Label] | None = None
    model: str
    model_version: int
    ignored_columns: list[str] = Field([], description="Columns of the request that the model does not know")


class TablePrediction(Prediction):
    """Predictions for a CSV file, with their score where the file has the target."""

    status: str = "Predictions are success"
    code: int = 200
    output: str = Field(examples=["Test accuracy : 97.78 %"])
    rows: int
    accuracy: float | None = None
    r2: float | None = None


class Training(BaseModel):
    """A version that was trained."""

    status: str = "Model training success"
    code: int = 200
    output: str = Field(examples=["Train accuracy : 98.10 %"])
    model: str
    version: int
    live: bool = Field(description="Whether it answers now")
    metrics: dict[str, float | None] = Field(description="Scores on the rows that were held out")
    train_metrics: dict[str, float | None] = Field(description="Scores on the rows that it was fitted to")
    rows: dict[str, int]
    notes: list[str] = Field(description="What to know about this version: too few rows held out, columns ignored")
    seconds: dict[str, float]
    trained: bool = Field(True, description="False where this upload was trained before, so that nothing was to do")
    held_back: bool = Field(description="Whether it was not made live: it scores worse, or somebody chose another")
    gate: Comparison | None = Field(description="Its primary score and that of the version that was live")

    @classmethod
    def of(cls, card: Card, live: bool, trained: bool) -> "Training":
        """The answer for a card."""
        scores = ((name, value) for name, value in card.train_metrics.items() if value is not None)
        output = next((score_line("Train", *score) for score in scores), "Trained, without a score")
        found = cls(output=output, live=live, trained=trained, **card.model_dump(include=set(cls.model_fields)))
        if not trained:
            found.notes.append(
                f"nothing was trained: version {card.version} is of the same table, target, code and libraries; "
                "send force=true to train all the same"
            )
        return found


class CardView(Card):
    """A version's card."""

    model_config = ConfigDict(json_schema_mode_override="serialization")

    live: bool = False
    status: progress.Status = "training"
    done: float = Field(0, description="Share of the training whose stages are complete, from 0 to 1")
    elapsed_seconds: float = Field(0, description="Seconds since the training began, or that it took")
    code_changed: bool = Field(False, description="Whether it is live and ML/src has changed since it was trained")
    example: dict[str, Any] | None = Field(None, description="A made-up row to try")

    @classmethod
    def of(cls, card: Card) -> "CardView":
        """The card with what the store and the schema say beside it."""
        live = store.current(card.model) == card.version
        return cls(
            **dict(card),
            live=live,
            status=progress.status(card, live),
            done=progress.done(card),
            elapsed_seconds=progress.elapsed(card),
            code_changed=live and provenance.outdated(card.source),
            example=next(iter(card.features.examples()), None) if card.features else None,
        )


class ModelView(BaseModel):
    """A model and its live version."""

    model: str
    live: CardView | None
    problem: str | None = Field(None, description="Why the live version can't answer, where its card shows that")

    @classmethod
    def of(cls, name: str) -> "ModelView":
        """The view of a model, trained or not. A broken card of one model hides no other."""
        view = cls(model=name, live=None)
        try:
            if version := store.current(name):
                view.live = CardView.of(store.read(name, version))
                store.read_ready(name, version)
        except (Conflict, NotFound) as error:
            view.problem = str(error)
        return view


class Promotion(BaseModel):
    """Which version shall be live."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=10**9, strict=True)]


class Health(BaseModel):
    """The state of the server."""

    status: str
    model_version: int | None = None


class Wrong(BaseModel):
    """One thing that is wrong in the input."""

    loc: list[str | int] = Field(description="Where: the part of the request, then row and column")
    msg: str = Field(description="What is wrong and how to mend it")
    type: str
    input: Any = None


class Error(BaseModel):
    """The body of every answer that is not a success."""

    detail: str | list[Wrong]


def prediction(card: Card, answer: Answer, unused: list[str]) -> dict[str, Any]:
    """The fields of a Prediction, JSON-ready."""
    fields = {
        "predictions": answer.predictions,
        "model": card.model,
        "model_version": card.version,
        "ignored_columns": unused,
    }
    if answer.probabilities is not None:
        fields |= {"probabilities": answer.probabilities, "classes": card.target and card.target.classes}
    return fields


def platform_fields(card: Card, answer: Answer, unused: list[str]) -> dict[str, Any]:
    """What platforms expect: the predictions; probabilities and their classes where they were asked for."""
    found = prediction(card, answer, unused)
    return {name: found[name] for name in ("predictions", "probabilities", "classes") if name in found}


def score_line(what: str, name: str, value: float) -> str:
    """A score in words, as people's scripts read it: `Test accuracy : 97.78 %`."""
    return f"{what} {name} : {100 * value:.2f} %" if name == "accuracy" else f"{what} {name} : {value:.4f}"
