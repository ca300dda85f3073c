"""The report, of runs that are out of the ordinary; test_pipeline.py opens an ordinary one in a browser."""

from pathlib import Path

from conftest import ROOT, change_params, refused, run


def test_a_diverged_run_goes_through_to_the_report_and_is_shown(workspace):
    (workspace / "pipeline").symlink_to(ROOT / "pipeline")
    change_params(workspace, lr=1e30, variants=["plain8"], epochs=2)
    for stage in (("train", "plain8", 0), ("evaluate", "plain8", 0), ("aggregate",), ("report",)):
        result = run(*stage)
        assert result.returncode == 0, result.stderr
    page = Path("reports/report.html").read_text()
    assert "Diverged, and counted with the error they ended with: <strong>plain8-0</strong>" in page
    assert "plain8 (diverged)" in page


def test_a_cell_that_fails_is_named(workspace):
    (workspace / "pipeline").symlink_to(ROOT / "pipeline")
    assert "report.ipynb, cell " in refused(run("report"))
    assert not Path("reports/report.html").exists()
