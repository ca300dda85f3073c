"""The table of others' weights: what is committed agrees with what they say, and only the named files are scored."""

import hashlib

import pandas as pd
from conftest import ROOT, refused, run
from safetensors.torch import save_file

from pipeline.analysis import published
from pipeline.networks.network import build
from pipeline.settings import params


def test_the_committed_errors_are_the_published_ones():
    table = pd.read_csv(ROOT / published.WEIGHTS)
    assert table["test_error"].tolist() == table["published_error"].tolist()
    assert (table["test_error"] == (100 * table["wrong"] / table["test_images"]).round(2)).all()
    assert (table["test_images"] == 10_000).all()


def test_files_are_known_by_their_hash_and_scored(workspace):
    network = build(params.load().network("resnet8"), seed=1)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, workspace / "theirs.safetensors"
    )
    sha256 = hashlib.sha256((workspace / "theirs.safetensors").read_bytes()).hexdigest()
    row = {"file": "theirs.safetensors", "source": "them", "licence": "MIT", "arch": "resnet8"}
    row |= {"shortcut": "projection", "mean": "0.5 0.5 0.5", "std": "0.2 0.2 0.2", "published_error": "90.00"}
    row |= {"sha256": sha256, "test_error": None, "test_loss": None, "wrong": None, "test_images": None}
    pd.DataFrame([row]).to_csv(published.WEIGHTS, index=False)
    result = run("tools.score_published", ".")
    assert result.returncode == 0, result.stderr
    scored = pd.read_csv(published.WEIGHTS).iloc[0]
    assert scored["test_images"] == 1000
    assert scored["test_error"] == round(scored["wrong"] / 10, 2)
    single = run(
        "evaluate", "--weights", "theirs.safetensors", "--arch", "resnet8", "--mean", 0.5, 0.5, 0.5,
        "--std", 0.2, 0.2, 0.2,
    )  # fmt: skip
    assert f"test error         {scored['test_error']:.2f} %" in single.stdout
    before = published.WEIGHTS.read_bytes()
    with (workspace / "theirs.safetensors").open("ab") as file:
        file.write(b"x")
    assert "theirs.safetensors is another file" in refused(run("tools.score_published", "."))
    (workspace / "theirs.safetensors").unlink()
    assert "theirs.safetensors is not there" in refused(run("tools.score_published", "."))
    assert published.WEIGHTS.read_bytes() == before
