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


def insert(readme: str, results: str) -> str:
    """`readme` with `results` between its markers. Raises StageError if it has not exactly one pair."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise StageError(f"README.md must have {BEGIN} and {END} once each")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{results}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    stage.run(main)
