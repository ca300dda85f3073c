"""Checkpoints: one holder at a time, the state to the bit, and never that of another run."""

import pytest
import torch
from conftest import make

from pipeline import checkpoint, dataset
from pipeline.checkpoint import Progress, Scratch
from pipeline.stage import StageError


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_network_momentum_and_history_come_back_to_the_bit(settings, generated, momentum):
    trainer = make(settings(momentum=momentum), generated)
    trainer.epoch(dataset.draw(0, 0, 200, 4, True), 0.1)
    progress = Progress([{"epoch": 1, "train_loss": 1 / 3}], [{"epochs": 1}])
    with Scratch("resnet8-0", "abc") as scratch:
        scratch.save(trainer.state(), progress)
        other = make(settings(momentum=momentum), generated, seed=1)
        assert scratch.load(other.state()) == progress
    for one in (trainer, other):
        one.epoch(dataset.draw(0, 1, 200, 4, True), 0.1)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name


def test_without_a_checkpoint_nothing_has_been_done(settings, generated):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", "abc") as scratch:
        assert scratch.load(trainer.state()) == Progress()


def test_a_scratch_has_one_holder():
    with Scratch("resnet8-0", "abc"):
        with pytest.raises(StageError, match="another process is training resnet8-0 already"):
            Scratch("resnet8-0", "abc").__enter__()
        with Scratch("resnet8-1", "abc"):
            pass
    with Scratch("resnet8-0", "abc"):
        pass


def test_nobody_else_writes_the_outputs_of_a_run_with_other_parameters():
    with Scratch("resnet8-0", "abc"), pytest.raises(StageError, match="another process is training resnet8-0 already"):
        Scratch("resnet8-0", "other").__enter__()


def test_the_checkpoint_is_held_from_other_folders_too(tmp_path, monkeypatch):
    with Scratch("resnet8-0", "abc"):
        (tmp_path / "experiment").mkdir()
        monkeypatch.chdir(tmp_path / "experiment")
        with pytest.raises(StageError, match="another process"):
            Scratch("resnet8-0", "abc").__enter__()
        with Scratch("resnet8-0", "other"):  # of other parameters, which write into the other folder
            pass


def test_a_damaged_checkpoint_is_named(settings, generated):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", "abc") as scratch:
        scratch.save(trainer.state(), Progress())
        scratch.file.write_bytes(scratch.file.read_bytes()[:1000])
        with pytest.raises(StageError, match=r"checkpoint.safetensors is damaged .* remove it"):
            scratch.load(trainer.state())


def test_when_it_cannot_be_written_the_old_one_stays(settings, generated, monkeypatch):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", "abc") as scratch:
        scratch.save(trainer.state(), Progress([{"epoch": 1}]))

        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            scratch.save(trainer.state(), Progress([{"epoch": 1}, {"epoch": 2}]))
        assert len(scratch.load(trainer.state()).history) == 1
        assert [path.name for path in scratch.folder.iterdir()] == ["checkpoint.safetensors"]


def test_the_fingerprint_covers_facts_and_code(tmp_path, monkeypatch):
    first = checkpoint.fingerprint({"lr": 0.1})
    assert first == checkpoint.fingerprint({"lr": 0.1})
    assert first != checkpoint.fingerprint({"lr": 0.2})
    changed = tmp_path / "dataset.py"
    changed.write_text("# another")
    monkeypatch.setattr("pipeline.dataset.__file__", str(changed))
    assert first != checkpoint.fingerprint({"lr": 0.1})
