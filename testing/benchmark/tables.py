"""Training tables, and the rows to predict: iris, and a generated table of numbers and text."""

import csv
import math
import random
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / ".environments" / "tables"

Row = dict[str, float | str]

CITIES, PLANS, DEVICES = (
    ("Graz", "Lyon", "Oslo", "Porto", "Turku"),
    ("free", "basic", "full"),
    ("phone", "desk", "both"),
)


def write() -> None:
    """Write iris_train.csv, iris_test.csv, mixed_train.csv and mixed_test.csv to FOLDER, the same in each run."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        shutil.copy(ROOT / "ML" / "data" / f"{part}.csv", FOLDER / f"iris_{part}.csv")
    chance = random.Random(1)
    _write("mixed_train.csv", [_customer(chance, gaps=0.05) for _ in range(2000)])
    # No missing values here: some peers' protocols can't express them.
    _write("mixed_test.csv", [_customer(chance, gaps=0) for _ in range(45)])


def test_table(sample: str) -> Path:
    """Return the test table that belongs to a training table."""
    return FOLDER / sample.replace("_train", "_test")


def rows(sample: str, target: str) -> list[Row]:
    """Return the rows to predict, without the target."""
    with test_table(sample).open(newline="") as file:
        return [{name: _value(cell) for name, cell in row.items() if name != target} for row in csv.DictReader(file)]


def rotations(sample: str) -> list[bytes]:
    """Return the test table once for each of its rows, with that row first: different bytes, the same accuracy."""
    header, *lines = test_table(sample).read_bytes().splitlines(keepends=True)
    return [header + b"".join(lines[n:] + lines[:n]) for n in range(len(lines))]


def _value(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _customer(chance: random.Random, gaps: float) -> dict[str, object]:
    months, visits, plan = chance.randint(1, 90), chance.randint(0, 40), chance.choice(PLANS)
    regret = 0.8 - months / 40 - visits / 20 + (plan == "free") + chance.gauss(0, 0.7)
    customer: dict[str, object] = {
        "age": chance.randint(18, 90),
        "income": round(math.exp(chance.gauss(10, 0.5)), 2),
        "months": months,
        "visits": visits,
        "balance": round(chance.gauss(0, 500), 2),
        "city": chance.choice(CITIES),
        "plan": plan,
        "device": chance.choice(DEVICES),
    }
    emptied = {name: "" if chance.random() < gaps else value for name, value in customer.items()}
    return emptied | {"leaves": "leaves" if regret > 0 else "stays"}


def _write(name: str, table: list[dict[str, object]]) -> None:
    with (FOLDER / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
