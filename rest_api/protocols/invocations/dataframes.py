"""MLflow's forms of rows in JSON: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/"""

from collections.abc import Callable, Sequence
from typing import Any

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.predictor import Predictor
from ML.schema import json_size
from ML.schema.json_rows import ParsedRows

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMETERS = ("params", "parameters")
FEATURES = "features"
SPLIT = ("columns", "index", "data")


def parse(live: Predictor, body: bytes, forms: Sequence[str] = FORMS, bare: bool = False) -> ParsedRows:
    """Return the rows of exactly one of the forms or, with `bare`, of an array of rows, and the parameters.

    Clients with pandas send NaN for a missing value. Raise Invalid and TooLarge.
    """
    value = json_size.read(body, settings().max_rows, len(live.schema.names))
    nan = b"NaN" in body
    if bare and isinstance(value, list) and (not value or isinstance(value[0], list | dict)):
        return convert(live, "rows", _without_nan(value) if nan else value)
    return of_value(live, value, forms, nan)


def of_value(live: Predictor, value: Any, forms: Sequence[str] = FORMS, nan: bool = True) -> ParsedRows:
    """Return the same from parsed JSON. Null counts as unset, and the platforms' own keys are ignored."""
    present = [name for name in forms if value.get(name) is not None] if isinstance(value, dict) else []
    if len(present) != 1:
        which = f"exactly one of {', '.join(forms)}" if len(forms) > 1 else f"the key {forms[0]}"
        message = f"the body must be an object with {which}; it has {' and '.join(present) or 'none'}"
        raise Invalid.at(msg=message, type="form_invalid")
    form = present[0]
    rows = _READERS[form](live, form, value[form])
    parsed = convert(live, form, _without_nan(rows) if nan else rows)
    return ParsedRows(parsed.columns, parsed.rows, _probabilities(value), parsed.unused)


def convert(live: Predictor, form: str, rows: Any) -> ParsedRows:
    """Check and convert rows of Python values. Raise Invalid, with the name of the form in its messages."""
    try:
        return live.instances.of_rows(_without_features(live, rows), settings().max_rows)
    except Invalid as error:
        for one in error.errors:
            one["msg"] = one["msg"].replace("instances", form, 1) if one["loc"][:1] == ["instances"] else one["msg"]
        raise


def _without_features(live: Predictor, rows: Any) -> Any:
    """Return the arrays in rows of the form `{"features": [...]}`, which SageMaker's built-in algorithms take.

    https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-inference.html
    """
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict) or rows[0].keys() != {FEATURES}:
        return rows
    if FEATURES in live.schema.names or not all(isinstance(row, dict) and row.keys() == {FEATURES} for row in rows):
        return rows
    return [row[FEATURES] for row in rows]


def _split(live: Predictor, form: str, value: Any) -> Any:
    """Read the output of pandas' `to_dict(orient="split")`. Columns with numbers as names are in the model's order."""
    data = value.get("data") if isinstance(value, dict) else None
    columns = value.get("columns") if isinstance(value, dict) else None
    if not isinstance(data, list) or not isinstance(columns, list | None):
        raise Invalid.at(form, type="form_invalid", msg=f"{form} is an object with columns and data, both lists")
    _check_index(form, value, len(data))
    names = live.schema.names
    if columns is None or columns == names or columns == list(range(len(names))):
        return data
    return _named(form, columns, data)


def _check_index(form: str, value: dict[str, Any], rows: int) -> None:
    """Raise Invalid if the index and the data differ in length, and for keys that pandas doesn't write in this form."""
    if unknown := [name for name in value if name not in SPLIT]:
        message = f"{form}: {unknown[0][:100]} is not known; there are {', '.join(SPLIT)}"
        raise Invalid.at(form, unknown[0], type="extra_forbidden", msg=message)
    index = value.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != rows):
        count = len(index) if isinstance(index, list) else "no list of"
        message = f"{form}: the index has {count} labels, and the data {rows} rows; send one for each, or no index"
        raise Invalid.at(form, "index", type="form_invalid", msg=message)


def _named(form: str, columns: list[Any], data: list[Any]) -> list[dict[str, Any]]:
    """Return the rows as objects. Raise Invalid."""
    wrong = [name for name in columns if not isinstance(name, str)]
    if wrong or len(set(columns)) < len(columns):
        problem = f"{str(wrong[0])[:100]} is no text" if wrong else "one is there twice"
        raise Invalid.at(form, "columns", type="form_invalid", msg=f"{form}: columns are names, but {problem}")
    for row, values in enumerate(data):
        if not isinstance(values, list) or len(values) != len(columns):
            message = f"{form}, row {row}: a row is an array of {len(columns)} values, one for each of the columns"
            raise Invalid.at(form, "data", row, type="ragged_row", msg=message)
    return [dict(zip(columns, values, strict=True)) for values in data]


def _inputs(live: Predictor, form: str, value: Any) -> Any:
    """Read rows, or an object with a list of values for each column."""
    if not isinstance(value, dict):
        return value
    parts = [values if isinstance(values, list) else [values] for values in value.values()]
    if len(set(map(len, parts))) > 1:
        lengths = ", ".join(f"{name[:100]} {len(part)}" for name, part in zip(list(value)[:20], parts, strict=False))
        message = f"{form}: the columns have different numbers of values: {lengths}"
        raise Invalid.at(form, type="ragged_row", msg=message)
    return _named(form, list(value), list(map(list, zip(*parts, strict=True))))


_READERS: dict[str, Callable[[Predictor, str, Any], Any]] = {
    "dataframe_split": _split,
    "dataframe_records": lambda live, form, value: value,
    "instances": _inputs,
    "inputs": _inputs,
}


def _without_nan(rows: Any) -> Any:
    """Return the rows with null for NaN."""
    if not isinstance(rows, list):
        return rows
    return [
        {name: None if value != value else value for name, value in row.items()}
        if isinstance(row, dict)
        else [None if value != value else value for value in row]
        if isinstance(row, list)
        else row
        for row in rows
    ]


def _probabilities(value: dict[str, Any]) -> bool:
    """Return whether the parameters request probabilities. Other parameters are ignored. Raise Invalid."""
    for name in PARAMETERS:
        options = value.get(name)
        wanted = options.get("probabilities") if isinstance(options, dict) else options
        if wanted is not None:
            if not isinstance(wanted, bool) or not isinstance(options, dict):
                message = f'{name} is an object, {{"probabilities": true}} or false, or left out'
                raise Invalid.at(name, type="parameters_invalid", msg=message)
            return wanted
    return False
