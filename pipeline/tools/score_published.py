"""Score the weights that others published, and write what comes out beside what they say: data/published_weights.csv.

    python -m pipeline.tools.score_published FOLDER

FOLDER has the files that the table names; they are not in this repository. Each is known by its sha256. That their
published errors come out to the digit shows that our test images and our evaluation are those of others.
"""

import argparse
import hashlib
from pathlib import Path

import pandas as pd

from pipeline import stage
from pipeline.analysis import published
from pipeline.compute import inference
from pipeline.foreign import scoring
from pipeline.settings import params
from pipeline.stage import StageError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files are")
    folder = parser.parse_args().folder
    settings, table = params.load(), pd.read_csv(published.WEIGHTS, dtype=str)
    for index, row in table.iterrows():
        path = folder / row["file"]
        check(path, row["sha256"])
        arch = scoring.described(row["arch"], row["shortcut"], settings)
        mean, std = ([float(number) for number in row[key].split()] for key in ("mean", "std"))
        found = scoring.score(path, arch, mean, std, settings, stage.DATA)
        loss, error = inference.score(found.logits, found.labels)
        wrong = int((found.logits.argmax(1) != found.labels).sum())
        measured = {"test_error": f"{error:.2f}", "test_loss": f"{loss:.4f}", "wrong": wrong}
        measured |= {"test_images": len(found.labels)}
        table.loc[index, list(measured)] = [str(value) for value in measured.values()]
        print(f"{row['file']}: {error:.2f} %, published {row['published_error']} %")
    stage.write(published.WEIGHTS, table.to_csv(index=False, lineterminator="\n"))


def check(path: Path, sha256: str) -> None:
    """Raise StageError unless the file at `path` has this hash."""
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise StageError(f"{path} is not there; {published.WEIGHTS} says where it comes from") from None
    if found != sha256:
        raise StageError(f"{path} is another file (its sha256 is {found}); allowed: {sha256}")


if __name__ == "__main__":
    stage.run(main)
