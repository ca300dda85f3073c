"""How every stage ends, and how files are written."""

import errno
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from pipeline import stage
from pipeline.stage import StageError


def test_a_refusal_is_one_sentence_and_exit_code_1(capsys):
    def main():
        raise StageError("lr is 0; allowed: a number above 0")

    with pytest.raises(SystemExit) as caught:
        stage.run(main)
    assert caught.value.code == "error: lr is 0; allowed: a number above 0"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence(code):
    def main():
        raise OSError(code, os.strerror(code), "reports/results.csv")

    with pytest.raises(SystemExit, match=r"the disk is full \(reports/results.csv\): free some space"):
        stage.run(main)


def test_other_errors_keep_their_traceback():
    def main():
        raise OSError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        stage.run(main)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new/results.csv"
    stage.write(path, "one\n")
    assert path.read_text() == "one\n"

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        stage.write(path, "two\n")
    assert caught.value.filename == str(path)
    assert path.read_text() == "one\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(
    os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="needs root to mount a small disk"
)
def test_on_a_disk_that_is_really_full(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        (tmp_path / "results.csv").write_text("old")
        code = "from pipeline import stage\nstage.run(lambda: stage.write('results.csv', 'x' * 200_000))"
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert result.stderr == "error: the disk is full (results.csv): free some space and start again\n"
        assert (tmp_path / "results.csv").read_text() == "old"
        assert list(tmp_path.iterdir()) == [tmp_path / "results.csv"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        stage.write_json(tmp_path / "metrics.json", {"loss": float("nan")})
