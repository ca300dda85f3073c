"""The reports as a web site: an index, the report of each study, the trained networks' card, and weights/ itself.

    python -m pipeline.tools.site FOLDER

Everything is made from what lies in git; nothing is loaded from elsewhere. weights/ is there because DVC reads a remote
over HTTP, and cannot read one that lies in somebody else's git repository.
"""

import argparse
import html
import re
import shutil
from pathlib import Path

import jinja2
import mistune

from pipeline import stage
from pipeline.stage import StageError
from pipeline.tools import readme

TITLE = "Plain and residual networks, reproducibly"
REPORT = Path("reports/report.html")
CARD = Path("weights/README.md")
TEMPLATE = stage.PACKAGE / "reporting/site.html.j2"
STYLESHEET = stage.PACKAGE / "reporting/report.css"
INTRODUCTION = """# {title}

Which published claims about plain and residual networks (He et al., 2016) hold, how sure that is, and why: a report for
each study, made by one command from data to page. The numbers below are test errors of the last epoch, never the best.
"""
FILES = """
## Trained networks

[Errors, limits, and how to load them](weights/README.html). DVC reads them over HTTP:
`dvc get REPOSITORY data/models/resnet20-0 --remote http --remote-config url=ADDRESS/weights`, where ADDRESS is that of
this page.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the site goes; must not be there yet")
    folder = parser.parse_args().folder
    if folder.exists():
        raise StageError(f"{folder} is there already; allowed: a folder that is not")
    studies = sorted(path.parent for path in Path().glob("studies/*/claims.yaml") if (path.parent / REPORT).exists())
    text = INTRODUCTION.format(title=TITLE)
    for study in [Path(), *studies]:
        page = (study / REPORT).read_text()
        stage.write(folder / study / REPORT, page)
        title = html.unescape(re.search("<title>(.*?)</title>", page)[1])
        text += f"\n## [{title}]({study / REPORT})\n\n"
        text += readme.part(Path("index.html"), study / "reports/results.md", "Networks")
    shutil.copytree("weights", folder / "weights")
    stage.write(folder / CARD.with_suffix(".html"), page_of(TITLE, CARD.read_text()))
    stage.write(folder / "index.html", page_of(TITLE, text + FILES))
    print(f"{folder}: {len(studies) + 1} reports, {sum(1 for path in folder.rglob('*') if path.is_file())} files")


def page_of(title: str, text: str) -> str:
    """A Markdown text as an HTML page in the reports' style."""
    body = mistune.create_markdown(plugins=["table"])(text)
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    template = jinja2.Template(TEMPLATE.read_text(), undefined=jinja2.StrictUndefined)
    return template.render(title=title, style=STYLESHEET.read_text(), body=body)


if __name__ == "__main__":
    stage.run(main)
