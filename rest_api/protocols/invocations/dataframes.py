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
    """Return the rows of exactly one of the forms, or with `bare` of an array of rows, and what its parameters ask.

    NaN is what pandas' clients send for a missing value. Raises Invalid and TooLarge.
    """
    found = json_size.read(body, settings().max_rows, len(live.schema.names))
    nan = b"NaN" in body
    if bare and isinstance(found, list) and (not found or isinstance(found[0], list | dict)):
        return asked(live, "rows", _without_nan(found) if nan else found)
    return of_value(live, found, forms, nan)


def of_value(live: Predictor, found: Any, forms: Sequence[str] = FORMS, nan: bool = True) -> ParsedRows:
    """The same of JSON that is parsed already. Null is as unset; keys of the peers' own are left aside."""
    given = [name for name in forms if found.get(name) is not None] if isinstance(found, dict) else []
    if len(given) != 1:
        which = f"exactly one of {', '.join(forms)}" if len(forms) > 1 else f"the key {forms[0]}"
        message = f"the body must be an object with {which}; it has {' and '.join(given) or 'none'}"
        raise Invalid.at("body", msg=message, type="form_invalid")
    form = given[0]
    rows = _READERS[form](live, form, found[form])
    found_rows = asked(live, form, _without_nan(rows) if nan else rows)
    return ParsedRows(found_rows.columns, found_rows.rows, _probabilities(found), found_rows.unused)


def asked(live: Predictor, form: str, rows: Any) -> ParsedRows:
    """Rows that are Python values, checked and converted. Raises Invalid, which calls them by the form's name."""
    try:
        return live.instances.of_rows(_of_features(live, rows), settings().max_rows)
    except Invalid as error:
        for one in error.errors:
            one["msg"] = one["msg"].replace("instances", form, 1) if "instances" in one["loc"][:2] else one["msg"]
        raise


def _of_features(live: Predictor, rows: Any) -> Any:
    """Rows as SageMaker's built-in algorithms take them, `{"features": [...]}`, as arrays.

    https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-inference.html
    """
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict) or rows[0].keys() != {FEATURES}:
        return rows
    if FEATURES in live.schema.names or not all(isinstance(row, dict) and row.keys() == {FEATURES} for row in rows):
        return rows
    return [row[FEATURES] for row in rows]


def _split(live: Predictor, form: str, found: Any) -> Any:
    """pandas' `to_dict(orient="split")`; columns that have only numbers for names are in the model's order."""
    data = found.get("data") if isinstance(found, dict) else None
    columns = found.get("columns") if isinstance(found, dict) else None
    if not isinstance(data, list) or not isinstance(columns, list | None):
        raise Invalid.at(
            "body", form, type="form_invalid", msg=f"{form} is an object with columns and data, both lists"
        )
    _check_index(form, found, len(data))
    names = live.schema.names
    if columns is None or columns == names or columns == list(range(len(names))):
        return data
    return _named(form, columns, data)


def _check_index(form: str, found: dict[str, Any], rows: int) -> None:
    """Raises Invalid for an index of another length than the data, and for what pandas has not in this form."""
    if unknown := [name for name in found if name not in SPLIT]:
        message = f"{form}: {unknown[0][:100]} is not known; there are {', '.join(SPLIT)}"
        raise Invalid.at("body", form, unknown[0], type="extra_forbidden", msg=message)
    index = found.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != rows):
        count = len(index) if isinstance(index, list) else "no list of"
        message = f"{form}: the index has {count} labels, and the data {rows} rows; send one for each, or no index"
        raise Invalid.at("body", form, "index", type="form_invalid", msg=message)


def _named(form: str, columns: list[Any], data: list[Any]) -> list[dict[str, Any]]:
    """Rows as objects."""
    wrong = [name for name in columns if not isinstance(name, str)]
    if wrong or len(set(columns)) < len(columns):
        problem = f"{str(wrong[0])[:100]} is no text" if wrong else "one is there twice"
        raise Invalid.at("body", form, "columns", type="form_invalid", msg=f"{form}: columns are names, but {problem}")
    for row, values in enumerate(data):
        if not isinstance(values, list) or len(values) != len(columns):
            message = f"{form}, row {row}: a row is an array of {len(columns)} values, one for each of the columns"
            raise Invalid.at("body", form, "data", row, type="ragged_row", msg=message)
    return [dict(zip(columns, values, strict=True)) for values in data]


def _inputs(live: Predictor, form: str, found: Any) -> Any:
    """Rows, or a list of values for each column."""
    if not isinstance(found, dict):
        return found
    parts = [values if isinstance(values, list) else [values] for values in found.values()]
    if len(set(map(len, parts))) > 1:
        lengths = ", ".join(f"{name[:100]} {len(part)}" for name, part in zip(list(found)[:20], parts, strict=False))
        message = f"{form}: the columns have different numbers of values: {lengths}"
        raise Invalid.at("body", form, type="ragged_row", msg=message)
    return _named(form, list(found), list(map(list, zip(*parts, strict=True))))


_READERS: dict[str, Callable[[Predictor, str, Any], Any]] = {
    "dataframe_split": _split,
    "dataframe_records": lambda live, form, found: found,
    "instances": _inputs,
    "inputs": _inputs,
}


def _without_nan(rows: Any) -> Any:
    """NaN as null."""
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


def _probabilities(found: dict[str, Any]) -> bool:
    """Whether the parameters ask for them. Others are the caller's own, or another model's. Raises Invalid."""
    for name in PARAMETERS:
        options = found.get(name)
        wanted = options.get("probabilities") if isinstance(options, dict) else options
        if wanted is not None:
            if not isinstance(wanted, bool) or not isinstance(options, dict):
                message = f'{name} is an object, {{"probabilities": true}} or false, or left out'
                raise Invalid.at("body", name, type="parameters_invalid", msg=message)
            return wanted
    return False
