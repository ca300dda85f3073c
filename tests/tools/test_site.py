"""The web site is made of what is committed, and all its links lead somewhere."""

import re
from pathlib import Path

from conftest import ROOT, refused, run


def test_all_reports_are_there_and_every_link_leads_somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run("tools.site", tmp_path / "site")
    assert result.returncode == 0, result.stderr
    site = tmp_path / "site"
    for page in (
        Path("reports/report.html"),
        *(path.relative_to(ROOT) for path in ROOT.glob("studies/*/reports/*.html")),
    ):
        assert (site / page).read_bytes() == (ROOT / page).read_bytes()
        assert f'href="{page}"' in (site / "index.html").read_text()
    for page in (site / "index.html", site / "weights/README.html"):
        text = page.read_text()
        assert "<table>" in text
        for link in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert link.startswith(("data:", "https:")) or (page.parent / link).exists(), link
    assert "is there already" in refused(run("tools.site", site))
