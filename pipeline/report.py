"""Stage report: run a notebook and turn it into one HTML page that loads nothing from anywhere; answer the checklist.

    python -m pipeline.report
    python -m pipeline.report report.ipynb

The notebook is pipeline/reporting/report.ipynb, study A's, unless another is named; its title is in its metadata.
Writes reports/report.html, reports/figures/*.png and reports/CHECKLIST.md, the reproducibility checklist that
pipeline/reporting/checklist.py answers: the same bytes from the same inputs. 10 s.
"""

import argparse
import html
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
import papermill
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError

from pipeline import stage
from pipeline.reporting import checklist
from pipeline.stage import StageError

NOTEBOOK = stage.PACKAGE / "reporting/report.ipynb"
STYLESHEET = stage.PACKAGE / "reporting/report.css"
REPORTS = Path("reports")
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "notebook", type=Path, nargs="?", default=NOTEBOOK, help="pipeline/reporting/report.ipynb, if not given"
    )
    path = parser.parse_args().notebook
    with tempfile.TemporaryDirectory() as temporary:
        figures = Path(temporary) / "figures"
        figures.mkdir()
        notebook = execute(path, figures)
        page = to_html(notebook, STYLESHEET.read_text())
        answered = checklist.markdown(checklist.load(), notebook.metadata["title"])
        shutil.rmtree(REPORTS / "figures", ignore_errors=True)  # figures of depths that are no more
        for figure in sorted(figures.iterdir()):
            stage.write(REPORTS / "figures" / figure.name, figure.read_bytes())
    stage.write(REPORTS / "report.html", page)
    stage.write(REPORTS / "CHECKLIST.md", answered)
    print(f"{REPORTS / 'report.html'}: {len(page) / 1e6:.2f} MB")


def execute(path: Path, figures: Path) -> nbformat.NotebookNode:
    """The notebook at `path` with its outputs; it saves its figures as PNG in `figures`.

    Raises StageError with the cell's own error if one fails.
    """
    executed = figures.parent / "executed.ipynb"
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # matplotlib, in the notebook's kernel, then writes no date
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the kernel's debugger would warn of frozen modules
    try:
        papermill.execute_notebook(
            path,
            executed,
            {"figures_folder": str(figures)},
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # errors; else it warns that it talks over TCP
        )
    except PapermillExecutionError as error:
        raise StageError(f"{path.name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
    return nbformat.read(executed, as_version=4)


def to_html(notebook: nbformat.NotebookNode, style: str) -> str:
    """The page: what the cells show, without their code, under our own stylesheet."""
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"  # papermill's own cell has a random one
        cell.metadata.pop("papermill", None)
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    return PAGE.format(title=html.escape(notebook.metadata["title"]), style=style, body=body.strip())


if __name__ == "__main__":
    stage.run(main)
