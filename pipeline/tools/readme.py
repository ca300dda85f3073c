"""Put the tables that README.md and docs/ show between their markers, each from the file that its marker names.

    python -m pipeline.tools.readme

A marker is `<!-- results: from reports/results.md -->`. With a comma and a heading of that file it is for that part.
"""

import re
from pathlib import Path

from pipeline import stage
from pipeline.analysis import published, tables
from pipeline.stage import StageError

BEGIN = re.compile(r"<!-- results: from (\S+?)(?:, (\w+))? -->")
END = "<!-- end of results -->"


def pages() -> list[Path]:
    """The files that may have markers."""
    return [Path("README.md"), *sorted(Path("docs").glob("*.md"))]


def main() -> None:
    for page in pages():
        stage.write(page, filled(page))


def filled(page: Path) -> str:
    """The text of `page` with its tables as their files have them."""
    text = page.read_text()
    for marker in BEGIN.finditer(text):
        text = insert(text, part(page, Path(marker[1]), marker[2]), marker[0], END, page)
    return text


def part(page: Path, path: Path, heading: str | None) -> str:
    """What `page` shows of `path`: all, or what is under `heading`. Raises StageError if it is not there."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise StageError(f"{page} shows {path}, which is not there: run `dvc repro` in its study") from None
    if path == published.WEIGHTS:
        return tables.pipes(published.weights(path)) + "\n"
    if heading is None:
        return re.sub(r"^## .*\n\n", "", text, flags=re.M)
    found = re.search(rf"^## {heading}\n\n(.*?)\n*(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise StageError(f"{page} shows what {path} has under {heading}, which is not there")
    return found[1] + "\n"


def insert(text: str, table: str, begin: str, end: str, page: Path) -> str:
    """`text` of `page` with `table` between its marker and the next `end`. Raises StageError if they are not there."""
    before, marker, rest = text.partition(begin)
    if not marker or begin in rest or end not in rest:
        raise StageError(f"{page} must have {begin} once, and {end} after it")
    return f"{before}{begin}\n{table}{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    stage.run(main)
