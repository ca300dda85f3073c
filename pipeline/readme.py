"""Put reports/results.md between README.md's markers.

python -m pipeline.readme
"""

from pathlib import Path

from pipeline import stage
from pipeline.stage import StageError

README, RESULTS = Path("README.md"), Path("reports/results.md")
BEGIN, END = "<!-- results: from reports/results.md -->", "<!-- end of results -->"


def main() -> None:
    stage.write(README, insert(README.read_text(), RESULTS.read_text()))


def insert(readme: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """`readme` with `table` between its markers. Raises StageError if it has not exactly one pair."""
    if readme.count(begin) != 1 or readme.count(end) != 1:
        raise StageError(f"README.md must have {begin} and {end} once each")
    before, rest = readme.split(begin)
    return f"{before}{begin}\n{table}{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    stage.run(main)
