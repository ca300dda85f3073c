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


def show_figure(figure: Figure, name: str, alt: str, caption: str, folder: Path | str) -> HTML:
    """`figure` as an SVG inside the page, and as `name`.png in `folder`; `alt` says in words what it shows."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg")
    figure.savefig(Path(folder) / f"{name}.png")
    plt.close(figure)
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"
    image = f'<img id="{name}" src="{source}" alt="{html.escape(alt)}">'
    return HTML(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")


def show_table(table: pd.DataFrame, caption: str, row_headings: bool = True) -> HTML:
    """`table` without its index, headings marked as such for screen readers; numbers to the right."""
    text = table.to_html(index=False, border=0, justify="unset", na_rep="–")
    text = text.replace("<th>", '<th scope="col">')
    if row_headings:
        text = re.sub(r"(<tr>\s*)<td>(.*?)</td>", r'\1<th scope="row">\2</th>', text)
    text = re.sub(r"<td>([−+]?[\d.,]+( ± [\d.]+)?( ?%|x|M)?( \(\d+\))?|–)</td>", r'<td class="number">\1</td>', text)
    return HTML(
        f'<div class="table">{text.replace("<thead>", f"<caption><span>{caption}</span></caption><thead>", 1)}</div>'
    )
