"""The bodies of answers, as /docs shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ML.prediction.answers import Answer
from ML.versions import progress
from ML.versions.card import Card, Comparison

Label = bool | int | float | str | None


class Prediction(BaseModel):
    """Predictions, in the order of the rows."""

    predictions: list[Label]
    probabilities: list[list[float | None]] | None = Field(
        None, description="For each row, in the order of `classes`, if requested"
    )
    classes: list[Label] | None = None
    model: str
    model_version: int
    ignored_columns: list[str] = Field([], description="Columns of the request that the model doesn't use")


class TablePrediction(Prediction):
    """Predictions for a CSV file, with their score if the file has the target."""

    status: str = "Predictions are success"
    code: int = 200
    output: str = Field(examples=["Test accuracy : 97.78 %"])
    rows: int
    accuracy: float | None = None
    r2: float | None = None


class Training(BaseModel):
    """A trained version."""

    status: str = "Model training success"
    code: int = 200
    output: str = Field(examples=["Train accuracy : 98.10 %"])
    model: str
    version: int
    live: bool = Field(description="Whether this version is live: it answers prediction requests")
    metrics: dict[str, float | None] = Field(description="Scores on the held-out rows")
    train_metrics: dict[str, float | None] = Field(description="Scores on the rows that the model was fitted to")
    rows: dict[str, int]
    notes: list[str] = Field(description="Remarks: few rows were held out, columns were ignored")
    seconds: dict[str, float]
    trained: bool = Field(True, description="False if the same upload was trained before, so that nothing was done")
    held_back: bool = Field(description="Whether it was not made live: it scores worse, or a user chose another one")
    gate: Comparison | None = Field(description="Primary scores of this version and of the one that was live")

    @classmethod
    def of(cls, card: Card, live: bool, trained: bool) -> "Training":
        """Return the body for a card. If nothing was trained, a note says so."""
        scores = ((name, value) for name, value in card.train_metrics.items() if value is not None)
        output = next((score_line("Train", *score) for score in scores), "Trained, without a score")
        body = cls(output=output, live=live, trained=trained, **card.model_dump(include=set(cls.model_fields)))
        if not trained:
            body.notes.append(
                f"nothing was trained: version {card.version} has the same table, target, code and libraries; "
                "send force=true to train anyway"
            )
        return body


class CardView(Card):
    """A version: its state, columns, scores and origin."""

    model_config = ConfigDict(json_schema_mode_override="serialization")

    live: bool = False
    status: progress.Status = "training"
    done: float = Field(0, description="Completed share of the training, from 0 to 1")
    elapsed_seconds: float = Field(0, description="How long the training has been running, or took")
    code_changed: bool = Field(False, description="Whether it is live and ML/src has changed since its training")
    example: dict[str, Any] | None = Field(None, description="A generated row to try")

    @classmethod
    def of(cls, card: Card, live: bool, code_changed: bool) -> "CardView":
        """Return the view of a card."""
        return cls(
            **dict(card),
            live=live,
            status=progress.status(card, live),
            done=progress.done(card),
            elapsed_seconds=progress.elapsed(card),
            code_changed=code_changed,
            example=next(iter(card.features.examples()), None) if card.features else None,
        )


class ModelView(BaseModel):
    """A model and its live version."""

    model: str
    live: CardView | None
    problem: str | None = Field(None, description="Why the live version can't answer, if its card shows that")


class Promotion(BaseModel):
    """The version to make live."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=10**9, strict=True)]


class Health(BaseModel):
    """The state of the server."""

    status: str
    model_version: int | None = None


class Wrong(BaseModel):
    """An error in the input."""

    loc: list[str | int] = Field(description="Where: the part of the request, then the row and column")
    msg: str = Field(description="What is wrong and how to fix it")
    type: str
    input: Any = None


class Error(BaseModel):
    """The body of every error."""

    detail: str | list[Wrong]


def prediction(card: Card, answer: Answer, unused: list[str]) -> dict[str, Any]:
    """Return the fields of a Prediction, ready for JSON."""
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
    """Return the fields that platforms expect: predictions and, if requested, probabilities and their classes."""
    fields = prediction(card, answer, unused)
    return {name: fields[name] for name in ("predictions", "probabilities", "classes") if name in fields}


def score_line(what: str, name: str, value: float) -> str:
    """Return a score as text, in the format that users' scripts parse: `Test accuracy : 97.78 %`."""
    return f"{what} {name} : {100 * value:.2f} %" if name == "accuracy" else f"{what} {name} : {value:.4f}"
