"""The design that fast-ml started from: form upload, pandas, and the model unpickled for each request."""

import io
import logging
import os
import pickle
import secrets
from pathlib import Path
from typing import Annotated

import pandas as pd
from fastapi import Depends, FastAPI, File, Form, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from sklearn.metrics import accuracy_score

logging.basicConfig(level=logging.INFO)
app = FastAPI()


def user(credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> str:
    right_user = secrets.compare_digest(credentials.username, os.environ["SERVICE_USER"])
    right_password = secrets.compare_digest(credentials.password, os.environ["SERVICE_PASS"])
    if not (right_user and right_password):
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})
    return credentials.username


@app.post("/get_prediction")
def get_prediction(
    name: Annotated[str, Depends(user)], csv_file: Annotated[bytes, File()], target_variable: Annotated[str, Form()]
):
    logging.info("prediction for user %s", name)
    table = pd.read_csv(io.BytesIO(csv_file))
    with Path(os.environ["MODEL_FOLDER"], "framed.pkl").open("rb") as file:
        model = pickle.load(file)
    predictions = model.predict(table[table.columns[:-1]])
    accuracy = accuracy_score(table[target_variable], predictions)
    return {"status": "success", "code": 200, "output": f"Test accuracy : {100 * accuracy:.2f} %"}
