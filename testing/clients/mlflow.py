"""MLflow's ScoringServerClient: python mlflow.py PORT ROWS PARAMS"""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient  # type: ignore[import-not-found]


def main(port: str, rows: str, params: str) -> None:
    client = ScoringServerClient("127.0.0.1", int(port))
    client.ping()
    table = pd.DataFrame(json.loads(rows))
    found = {
        "version": client.get_version(),
        "frame": client.invoke(table, json.loads(params)).get_predictions().iloc[:, 0].tolist(),
        "shuffled": client.invoke(table[table.columns[::-1]]).get_predictions().iloc[:, 0].tolist(),
        "array": client.invoke(np.asarray(table)).get_predictions().iloc[:, 0].tolist(),
        "records": client.invoke(json.dumps({"dataframe_records": json.loads(rows)}))
        .get_predictions()
        .iloc[:, 0]
        .tolist(),
    }
    print(json.dumps(found))


main(*sys.argv[1:])
