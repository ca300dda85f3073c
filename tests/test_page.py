"""What the report shows can be read by eye and by screen reader."""

import base64
import re

import matplotlib.pyplot as plt
import pandas as pd

from pipeline import figures, page


def test_a_figure_is_inside_the_page_and_a_png_beside(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    figures.style()
    drawn = []
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        drawn.append(page.show_figure(figure, "line", 'a "rising" line', "Caption.", tmp_path).data)
    assert drawn[0] == drawn[1]
    source = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', drawn[0]).group(1)
    assert base64.b64decode(source).startswith(b"<?xml")
    assert 'alt="a &quot;rising&quot; line"' in drawn[0]
    assert "<figcaption>Caption.</figcaption>" in drawn[0]
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_a_table_has_headings_and_a_caption():
    table = pd.DataFrame({"network": ["plain20"], "test error %": ["9.78 ± 0.13 (5)"], "shortcut": ["none"]})
    text = page.show_table(table, "Errors.").data
    assert '<th scope="col">network</th>' in text
    assert '<th scope="row">plain20</th>' in text
    assert '<td class="number">9.78 ± 0.13 (5)</td>' in text
    assert "<td>none</td>" in text
    assert "<caption><span>Errors.</span></caption>" in text
