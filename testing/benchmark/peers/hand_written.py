"""FastAPI as in its tutorial: a pydantic body, a `def` route, model.predict."""

import os

from _model import Model  # type: ignore[import-not-found]
from fastapi import FastAPI
from pydantic import BaseModel


class Flower(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


class Customer(BaseModel):
    age: float | None
    income: float | None
    months: float | None
    visits: float | None
    balance: float | None
    city: str
    plan: str
    device: str


app = FastAPI()
model = Model(os.environ["MODEL_FOLDER"])
Row = Customer if model.framed else Flower


@app.post("/predict")
def predict(row: Row):  # type: ignore[valid-type]
    return {"prediction": model.predict([dict(row)])[0]}
