"""Makes train.csv and test.csv from full.csv: `python ML/data/train_test_split.py`."""

from pathlib import Path

import pandas as pd

DATA = Path(__file__).parent


def main() -> None:
    """Writes 70% of the rows, drawn at random but always the same, to train.csv and the others to test.csv."""
    full = pd.read_csv(DATA / "full.csv")
    train = full.sample(frac=0.7, random_state=426)
    train.to_csv(DATA / "train.csv", index=False)
    full.drop(train.index).to_csv(DATA / "test.csv", index=False)


if __name__ == "__main__":
    main()
