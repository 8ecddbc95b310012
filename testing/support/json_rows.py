"""A schema with one column of each kind, an example row, and helpers that parse JSON bodies with it."""

import json

from ML.schema import schema_learning
from ML.schema.json_rows import JsonRows

COLUMNS = {
    "n": ["1.5", "", "3"],
    "zip": ["00501", "90210", ""],
    "nation": ["NA", "DE", ""],
    "bit": ["0", "1", ""],
    "yes": ["yes", "no", ""],
    "true": ["true", "false", ""],
    "day": ["2024-01-01", "2024-01-02T10:00:00+02:00", ""],
}
ROW = {"n": 1.5, "zip": "00501", "nation": "NA", "bit": 1, "yes": "yes", "true": True, "day": "2024-01-01"}


def learn(columns=None):
    columns = columns or COLUMNS
    return schema_learning.learn(list(columns), list(columns.values()))[0]


def make_parser(columns=None):
    return JsonRows(learn(columns), "target")


def parse(body, columns=None, most=100):
    return make_parser(columns).parse(body if isinstance(body, bytes) else json.dumps(body).encode(), most)


def frame(rows, columns=None):
    return learn(columns).frame(parse({"instances": rows}, columns).columns)
