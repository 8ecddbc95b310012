"""MLflow's forms of rows in JSON: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/"""

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ML import bodies
from ML.config.config import settings
from ML.errors import Invalid
from ML.instances import Parameters, Request
from ML.predictor import Predictor

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMETERS = ("params", "parameters")
PARAMETERS_TYPE = TypeAdapter(Parameters)


def parse(live: Predictor, body: bytes) -> Request:
    """The rows of exactly one of the forms, and parameters. NaN is what pandas' clients send for a gap.

    Raises Invalid and TooLarge.
    """
    found = bodies.read(body, settings().max_rows, len(live.schema.names))
    forms = [name for name in FORMS if name in found] if isinstance(found, dict) else []
    if len(forms) != 1:
        message = (
            f"the body is an object with exactly one of {', '.join(FORMS)}; it has {' and '.join(forms) or 'none'}"
        )
        raise Invalid.at("body", msg=message, type="form_invalid")
    if unknown := [name for name in found if name not in (*FORMS, *PARAMETERS)]:
        message = f"{unknown[0]} is not known; beside {forms[0]} the body may hold params"
        raise Invalid.at("body", unknown[0], msg=message, type="extra_forbidden")
    form = forms[0]
    rows = _READERS[form](live, form, found[form])
    found_rows = asked(live, form, _without_nan(rows) if b"NaN" in body else rows)
    return found_rows._replace(probabilities=_probabilities(found))


def asked(live: Predictor, form: str, rows: Any) -> Request:
    """Rows that are Python values, checked and converted. Raises Invalid, which calls them by the form's name."""
    try:
        return live.instances.of_rows(rows, settings().max_rows)
    except Invalid as error:
        for one in error.errors:
            one["msg"] = one["msg"].replace("instances", form, 1) if "instances" in one["loc"][:2] else one["msg"]
        raise


def _split(live: Predictor, form: str, found: Any) -> Any:
    """pandas' `to_dict(orient="split")`; columns that have only numbers for names are in the model's order."""
    data = found.get("data") if isinstance(found, dict) else None
    columns = found.get("columns") if isinstance(found, dict) else None
    if not isinstance(data, list) or not isinstance(columns, list | None):
        raise Invalid.at(
            "body", form, type="form_invalid", msg=f"{form} is an object with columns and data, both lists"
        )
    names = live.schema.names
    if columns is None or columns == names or columns == list(range(len(names))):
        return data
    return _named(form, columns, data)


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
    for name in PARAMETERS:
        if found.get(name) is not None:
            try:
                return bool(PARAMETERS_TYPE.validate_python(found[name]).get("probabilities", False))
            except ValidationError:
                message = f'{name} is {{"probabilities": true}} or left out'
                raise Invalid.at("body", name, type="parameters_invalid", msg=message) from None
    return False
