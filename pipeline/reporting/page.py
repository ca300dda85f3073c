"""What report.ipynb shows: figures and tables as HTML with captions, alternative texts and table headings."""

import base64
import html
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from pipeline.analysis import tables


def show_figure(figure: Figure, name: str, alt: str, caption: str, folder: Path | str) -> HTML:
    """`figure` as an SVG inside the page, and as `name`.png in `folder`; `alt` says in words what it shows."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg")
    figure.savefig(Path(folder) / f"{name}.png")
    plt.close(figure)
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"
    image = f'<img id="{name}" src="{source}" alt="{html.escape(alt)}">'
    return HTML(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")


VERDICTS = {"✓": "holds", "(✓)": "leans", "✗": "fails", "(✗)": "leans", "?": "open", "–": "open"}  # classes, by sign


def badges(judged: pd.DataFrame) -> str:
    """How many claims have which verdict, a line of badges for each kind of claim."""
    lines = []
    for kind, counts in tables.tallies(judged).items():
        shown = "".join(
            f'<li class="{VERDICTS[tables.SIGNS[name]]}">{tables.verdict(name)}: {count}</li>'
            for name, count in counts.items()
        )
        words = tables.KINDS[kind].capitalize()
        lines.append(
            f'<p class="kind">{words}</p><ul class="verdicts" aria-label="Verdicts {words.lower()}">{shown}</ul>'
        )
    return f'<div class="kinds">{"".join(lines)}</div>'


def show_table(table: pd.DataFrame, caption: str, parts: list[str] | None = None) -> HTML:
    """`table` without its index, headings marked as such for screen readers; numbers to the right.

    Text in cells is escaped, HTML is shown as it is. `parts` names the part that each row belongs to; each begins with
    a heading across the table.
    """
    text = table.map(as_html).to_html(index=False, escape=False, border=0, justify="unset", na_rep="–")
    text = text.replace("<th>", '<th scope="col">')
    text = re.sub(r"(<tr>\s*)<td>(.*?)</td>", r'\1<th scope="row">\2</th>', text)
    text = re.sub(r"<td>([−+]?[\d.,]+( ± [\d.]+)?( ?%|x|M)?( \(\d+\))?|–)</td>", r'<td class="number">\1</td>', text)
    text = re.sub(r"<td>([−\d.∞]+ to [−\d.∞]+)</td>", r'<td class="number">\1</td>', text)
    text = re.sub(
        rf"<td>(\(?[✓✗?–]\)?) ({'|'.join(tables.SIGNS)})</td>",
        lambda cell: f'<td class="{VERDICTS[cell[1]]}">{cell[1]} {cell[2]}</td>',
        text,
    )
    if parts:
        text = with_headings(text, parts, table.shape[1])
    return HTML(
        f'<div class="table">{text.replace("<thead>", f"<caption><span>{caption}</span></caption><thead>", 1)}</div>'
    )


def as_html(cell: object) -> object:
    """What pandas shall write for a cell as it is."""
    if isinstance(cell, HTML):
        return cell.data
    return html.escape(cell, quote=False) if isinstance(cell, str) else cell


def with_headings(text: str, parts: list[str], columns: int) -> str:
    """A table's HTML with a heading across its `columns` before the first row of each part."""
    before, rows = "", iter(parts)

    def begin(row: re.Match[str]) -> str:
        nonlocal before
        part = next(rows)
        new, before = part != before, part
        heading = f'<tr class="part"><th colspan="{columns}" scope="rowgroup">{html.escape(part)}</th></tr>'
        return f"{heading}\n    {row[0]}" if new else row[0]

    return re.sub(r'<tr>\s*<th scope="row">', begin, text)
