"""Weights of others: usual names become ours, and a file that does not fit is refused whole."""

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from pipeline.foreign import files
from pipeline.networks.network import Network
from pipeline.settings.architecture import Arch
from pipeline.stage import StageError


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("module.layer2.0.downsample.1.running_mean", "layer2.0.shortcut.1.running_mean"),
        ("module.linear.bias", "fc.bias"),
        ("fc.weight", "fc.weight"),
    ],
)
def test_usual_names_become_ours(theirs, ours):
    assert files.renamed(theirs) == ours


def test_torchvisions_network_and_ours_give_the_same_with_the_same_weights(tmp_path):
    theirs = torchvision.models.resnet18(num_classes=7).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    arch = Arch(blocks=[2, 2, 2, 2], widths=[64, 128, 256, 512], stem="imagenet", classes=7)
    ours = Network(arch).eval()
    tensors = files.read(tmp_path / "resnet18.pth")
    files.same_tensors(tensors, ours.state_dict(), "resnet18.pth")
    ours.load_state_dict(tensors)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images))


def test_both_formats_and_a_checkpoint_with_more_in_it_are_read(tmp_path):
    tensors = {"conv1.weight": torch.ones(2), "linear.bias": torch.zeros(3)}
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        read = files.read(tmp_path / name)
        assert {key: value.tolist() for key, value in read.items()} == {"conv1.weight": [1, 1], "fc.bias": [0, 0, 0]}


class Harmful:
    def __reduce__(self):
        return (print, ("run!",))


def test_what_is_no_state_dict_is_refused_and_nothing_in_it_is_run(tmp_path, capsys):
    torch.save({"a": Harmful()}, tmp_path / "harmful.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({0: torch.ones(1)}, tmp_path / "numbered.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "cut.safetensors").write_bytes(b"12")
    for name in ("harmful.pth", "list.pth", "numbered.pth", "text.pth", "cut.safetensors"):
        with pytest.raises(StageError, match="is no state_dict in safetensors or torch's format"):
            files.read(tmp_path / name)
    assert "run!" not in capsys.readouterr().out
    with pytest.raises(StageError, match="is a folder; allowed: a file"):
        files.read(tmp_path)
    with pytest.raises(StageError, match="is not there"):
        files.read(tmp_path / "nowhere.pth")


def test_a_mismatch_is_told_with_its_list():
    wanted = Network(Arch(depth=8)).state_dict()
    given = dict(wanted)
    given.pop("bn1.num_batches_tracked")  # older files lack it
    files.same_tensors(given, wanted, "file")
    given.pop("bn1.weight")
    given |= {"conv1.weight": torch.ones(2), "extra": torch.ones(1)}
    with pytest.raises(StageError) as caught:
        files.same_tensors(given, wanted, "file")
    assert str(caught.value) == (
        "file holds another network: bn1.weight is missing; extra is not in the network; "
        "conv1.weight is (2,) instead of (16, 3, 3, 3)"
    )
    with pytest.raises(StageError, match=r"and \d+ more$"):
        files.same_tensors({}, wanted, "file")


def test_a_tensor_by_two_names_is_refused(tmp_path):
    save_file({"linear.bias": torch.zeros(3), "module.fc.bias": torch.ones(3)}, tmp_path / "two.safetensors")
    with pytest.raises(StageError, match=r"two\.safetensors holds fc\.bias twice, once as (module\.fc|linear)\.bias; "):
        files.read(tmp_path / "two.safetensors")


@pytest.mark.parametrize("zipped", [True, False])  # torch's format, and the one before 1.6, in which much is published
def test_a_file_that_is_cut_off_is_refused_wherever_it_ends(tmp_path, zipped):
    path = tmp_path / "whole.pth"
    torch.save(
        {"conv1.weight": torch.ones(2, 3), "linear.bias": torch.zeros(3)}, path, _use_new_zipfile_serialization=zipped
    )
    assert sorted(files.read(path)) == ["conv1.weight", "fc.bias"]
    content = path.read_bytes()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(StageError, match=r"whole\.pth is no state_dict in safetensors or torch's format"):
            files.read(path)
