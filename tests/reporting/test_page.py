"""What the report shows can be read by eye and by screen reader."""

import base64
import re

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML

from pipeline.reporting import figures, page


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


def test_numbers_and_intervals_stand_to_the_right_and_verdicts_have_a_class():
    row = {"claim": ["a"], "ours": ["−1.89 ± 0.16 (2)"], "interval": ["−∞ to 2.5"], "verdict": ["✗ not reproduced"]}
    text = page.show_table(pd.DataFrame(row), "C.").data
    assert '<td class="number">−1.89 ± 0.16 (2)</td>' in text
    assert '<td class="number">−∞ to 2.5</td>' in text
    assert '<td class="fails">✗ not reproduced</td>' in text


def test_text_in_cells_is_escaped_and_html_is_not():
    table = pd.DataFrame({"p": ["< 1e-300"], "file": [HTML("<code>a.csv</code>")], "n": [3], "none": [float("nan")]})
    text = page.show_table(table, "C.").data
    assert re.findall("<t[dh][^>]*>(.*?)</t[dh]>", text)[4:] == ["&lt; 1e-300", "<code>a.csv</code>", "3", "–"]


def test_each_part_begins_with_a_heading_across_the_table():
    table = pd.DataFrame({"claim": ["a", "b", "c"], "verdict": ["x", "y", "z"]})
    text = page.show_table(table, "C.", ["P & Q", "P & Q", "R"]).data
    assert re.findall(r'<th colspan="2" scope="rowgroup">(.*?)</th>|<th scope="row">(.*?)</th>', text) == [
        ("P &amp; Q", ""), ("", "a"), ("", "b"), ("R", ""), ("", "c"),
    ]  # fmt: skip
    assert text.count("<tr") == text.count("</tr>") == 6


def test_badges_count_verdicts_by_kind():
    verdicts = ["reproduced", "inconclusive", "agrees in one run", "inconclusive", "reproduced"]
    text = page.badges(pd.DataFrame({"kind": ["count"] + ["trained"] * 4, "verdict": verdicts}))
    kinds = re.findall(r'<p class="kind">(.*?)</p><ul .*?aria-label="(.*?)">(.*?)</ul>', text)
    assert [kind[:2] for kind in kinds] == [
        ("By counting parameters", "Verdicts by counting parameters"),
        ("By training", "Verdicts by training"),
    ]
    assert re.findall(r'<li class="(\w+)">(.*?)</li>', kinds[0][2]) == [("holds", "✓ reproduced: 1")]
    assert re.findall(r'<li class="(\w+)">(.*?)</li>', kinds[1][2]) == [
        ("holds", "✓ reproduced: 1"),
        ("leans", "(✓) agrees in one run: 1"),
        ("open", "? inconclusive: 2"),
    ]
