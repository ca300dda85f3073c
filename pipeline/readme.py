"""Put the tables that README.md shows between its markers, each from the file that its marker names.

python -m pipeline.readme
"""

import re
from pathlib import Path

from pipeline import stage
from pipeline.stage import StageError

README = Path("README.md")
BEGIN = r"<!-- results: from (\S+) -->"
END = "<!-- end of results -->"


def main() -> None:
    text = README.read_text()
    for path in re.findall(BEGIN, text):
        text = insert(text, table(Path(path)), f"<!-- results: from {path} -->", END)
    stage.write(README, text)


def table(path: Path) -> str:
    """The content of `path`. Raises StageError if it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        raise StageError(f"README.md shows {path}, which is not there: run `dvc repro` in its study") from None


def insert(readme: str, table: str, begin: str, end: str = END) -> str:
    """`readme` with `table` between its marker and the next end. Raises StageError if the marker is not there once."""
    before, marker, rest = readme.partition(begin)
    if not marker or begin in rest or end not in rest:
        raise StageError(f"README.md must have {begin} once, and {end} after it")
    return f"{before}{begin}\n{table}{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    stage.run(main)
