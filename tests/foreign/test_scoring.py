"""Weights of others: their error is the one that a network of their own kind makes in a plain loop; what cannot be is
refused, and nothing is written.

pytest tests/foreign/test_scoring.py
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT, change_params, run
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline import evaluate
from pipeline.foreign import scoring
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]
GIVEN = ("--mean", *MEAN, "--std", *STD)
IDENTITY = ("--shortcut", "identity")


class Block(nn.Module):
    """A block of the usual CIFAR networks; `shortcut` is plain, identity, or what its projection is called."""

    def __init__(self, inputs: int, outputs: int, shortcut: str) -> None:
        super().__init__()
        stride = outputs // inputs
        self.conv1 = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.kind, self.stride, self.quarter = shortcut, stride, outputs // 4
        if stride == 2 and shortcut in ("downsample", "shortcut"):
            conv = nn.Conv2d(inputs, outputs, kernel_size=1, stride=2, bias=False)
            self.add_module(shortcut, nn.Sequential(conv, nn.BatchNorm2d(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.kind == "plain":
            return F.relu(out)
        if self.stride == 2 and self.kind == "identity":
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.quarter, self.quarter), "constant", 0)
        elif self.stride == 2:
            x = self.get_submodule(self.kind)(x)
        return F.relu(out + x)


class Reference(nn.Module):
    """The usual CIFAR network of 6n+2 layers, written without ours; `classifier` is what its last layer is called."""

    def __init__(self, depth: int, shortcut: str, classifier: str, classes: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        rest = (depth - 2) // 6 - 1
        for i, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            blocks = [Block(inputs, outputs, shortcut), *(Block(outputs, outputs, shortcut) for _ in range(rest))]
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.add_module(classifier, nn.Linear(64, classes))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.avg_pool2d(out, out.size(3))
        return self.get_submodule(self.classifier)(out.flatten(1))


def read_test_set(mean: list[float], std: list[float]) -> tuple[Tensor, Tensor]:
    """Test images of the current folder as their bytes say, normalised, float32 (N, 3, 32, 32), and labels (N,)."""
    hundred = Path("data/cifar10/test.bin")
    if hundred.exists():
        raw = torch.from_numpy(np.fromfile(hundred, np.uint8).reshape(-1, 3074))[:, 1:]
    else:
        raw = torch.from_numpy(np.fromfile("data/cifar10/test_batch.bin", np.uint8).reshape(-1, 3073))
    images = raw[:, 1:].reshape(-1, 3, 32, 32).double() / 255
    images = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    return images.float(), raw[:, 0].long()


@torch.no_grad()
def reference(
    depth: int,
    shortcut: str,
    classifier: str = "linear",
    mean: list[float] = MEAN,
    std: list[float] = STD,
    classes: int = 10,
) -> Reference:
    """Random weights and batch-norm statistics, and a classifier that prefers no class on inputs with mean and std."""
    torch.manual_seed(depth)
    network = Reference(depth, shortcut, classifier, classes).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)  # else images differ by little more than rounding after 14 layers
    logits = network(read_test_set(mean, std)[0][:200])
    last = network.get_submodule(classifier)
    last.bias.sub_(logits.mean(0)).div_(logits.std(0))
    last.weight.div_(logits.std(0)[:, None])
    return network


@torch.no_grad()
def judged_plainly(network: nn.Module, mean: list[float], std: list[float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels, which of them are missed, and the mean loss, from a loop over the test images in fp32."""
    images, labels = read_test_set(mean, std)
    logits = torch.cat([network(part) for part in images.split(100)])
    predicted = logits.argmax(1)
    assert len(predicted.unique()) > 5, "a network that says the same of all images would prove little"
    return labels.numpy(), (predicted != labels).numpy(), F.cross_entropy(logits, labels).item()


def printed(output: str) -> dict[str, str]:
    """What was printed, by the name at the beginning of its line."""
    return dict(re.split(r"  +", line, maxsplit=1) for line in output.splitlines())


def check(
    rows: dict[str, str], network: nn.Module, mean: list[float], std: list[float], dataset: str = "synthetic"
) -> None:
    """`rows` say of the network what a plain loop does."""
    labels, missed, loss = judged_plainly(network, mean, std)
    spread = 100 * missed.std() / np.sqrt(len(missed))
    assert rows["test error"] == f"{100 * missed.mean():.2f} % (binomial standard error {spread:.2f})"
    assert float(rows["test loss"]) == pytest.approx(loss, abs=1e-3)
    for index, name in enumerate(DATASETS[dataset].classes):
        assert rows[f"error, {name}"] == f"{100 * missed[labels == index].mean():.2f} %"
    assert rows["parameters"] == f"{sum(weight.numel() for weight in network.parameters()):,}"
    assert rows["test images"] == f"1,000 of {dataset}"


def numbers(words: list[str]) -> list[float]:
    return [float(word) for word in words]


@pytest.fixture
def score(workspace: Path, monkeypatch, capsys) -> Callable[..., dict[str, str]]:
    """Call evaluate in this process, in a workspace; what it prints. Fails if it writes anything."""

    def call(*words: object) -> dict[str, str]:
        monkeypatch.setattr("sys.argv", ["evaluate", *map(str, words)])
        before = sorted(workspace.rglob("*"))
        evaluate.main()
        assert sorted(workspace.rglob("*")) == before
        return printed(capsys.readouterr().out)

    return call


def test_the_command_of_the_docs_gives_what_the_usual_network_gives(workspace):
    """A checkpoint as akamaster/pytorch_resnet_cifar10 publishes them: made in parallel, among other things."""
    text = (ROOT / "docs/weights.md").read_text().replace("\\\n", " ")
    words = shlex.split(re.search(r"^python -m pipeline\.evaluate (--weights .*)$", text, re.M).group(1))
    assert words[:6] == ["--weights", "resnet20-12fca82f.th", "--arch", "resnet20", *IDENTITY]
    mean, std = (numbers(words[words.index(option) + 1 :][:3]) for option in ("--mean", "--std"))
    network = reference(20, "identity", mean=mean, std=std)
    torch.save({"state_dict": nn.DataParallel(network).state_dict(), "best_prec1": 91.7}, words[1])
    before = sorted(workspace.rglob("*"))
    result = run("evaluate", *words)
    assert result.returncode == 0, result.stderr
    assert sorted(workspace.rglob("*")) == before
    rows = printed(result.stdout)
    check(rows, network, mean, std)
    assert rows["file"] == words[1]
    assert rows["network"] == "resnet20, 20 layers, shortcut identity"
    assert (rows["input mean"], rows["input std"]) == ("0.485 0.456 0.406 (as given)", "0.229 0.224 0.225 (as given)")


@pytest.mark.parametrize(
    ("name", "shortcut", "classifier", "options"),
    [
        ("resnet8", "identity", "linear", IDENTITY),  # params.yaml has it with projections
        ("resnet8", "downsample", "fc", ()),
        ("resnet14", "shortcut", "linear", ("--shortcut", "projection")),  # not in params.yaml, nor is the next but one
        ("plain8", "plain", "linear", ()),
        ("plain14", "plain", "fc", ("--shortcut", "none")),
    ],
)
def test_every_kind_gives_what_a_network_written_without_ours_gives(score, name, shortcut, classifier, options):
    network = reference(int(name.lstrip("plainrest")), shortcut, classifier)
    tensors = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}  # as older files
    save_file(tensors, "file.safetensors")
    check(score("--weights=file.safetensors", "--arch", name, *options, *GIVEN), network, MEAN, STD)


@pytest.mark.parametrize(("name", "options"), [("resnet8", IDENTITY), ("resnet20", IDENTITY), ("plain14", ())])
def test_a_hundred_classes_are_scored_also_of_networks_that_params_yaml_lacks(workspace100, score, name, options):
    shortcut = "plain" if name.startswith("plain") else "identity"
    network = reference(int(name.lstrip("plainrest")), shortcut, classes=100)
    torch.save(network.state_dict(), "file.pth")
    rows = score("--weights=file.pth", "--arch", name, *options, *GIVEN)
    check(rows, network, MEAN, STD, "synthetic_cifar100")
    assert sum(row.startswith("error, ") for row in rows) == 100


def test_inputs_are_normalised_by_the_training_images_unless_told(score):
    raw = np.concatenate([np.fromfile(f"data/cifar10/data_batch_{i}.bin", np.uint8) for i in range(1, 6)])
    planes = raw.reshape(-1, 3073)[:, 1:].reshape(-1, 3, 1024) / 255
    mean, std = planes.mean((0, 2)).tolist(), planes.std((0, 2)).tolist()
    network = reference(8, "downsample", "fc", mean, std)
    torch.save(network.state_dict(), "file.pth")
    rows = score("--weights", "file.pth", "--arch", "resnet8")
    check(rows, network, mean, std)
    for key, values in (("input mean", mean), ("input std", std)):
        value, _, source = rows[key].partition(" (")
        assert source == "of the training images)"
        assert numbers(value.split()) == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_all_is_fp32_whatever_the_file_and_params_yaml_say(score, workspace, dtype):
    network = reference(8, "identity").to(dtype)
    torch.save(network.state_dict(), "file.pth")
    change_params(workspace, precision="bf16")
    rows = score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY, *GIVEN)
    assert rows["precision"] == "fp32"
    check(rows, network.float(), MEAN, STD)


def test_the_data_may_lie_elsewhere(score, workspace):
    network = reference(8, "identity")
    torch.save(network.state_dict(), "file.pth")
    here = score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY)
    (workspace / "data/cifar10").rename(workspace / "elsewhere")
    assert score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY, "--data", "elsewhere") == here
    with pytest.raises(StageError, match=r"data_batch_1\.bin is missing"):
        score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("resnet20", "--arch resnet20 is not in params.yaml and takes --shortcut; allowed: identity and projection"),
        ("resnet8 --shortcut none", "--shortcut is none with --arch resnet8; allowed: identity and projection"),
        ("plain20 --shortcut identity", "--shortcut is identity with --arch plain20; allowed with a plain"),
        ("vgg16", "--arch is vgg16; allowed: plain8, resnet8, and plainN or resnetN with N = 6n+2"),
        ("resnet21 --shortcut identity", "arch.resnet21.depth is 21; allowed: a whole number 6n+2"),
        ("resnet14 --shortcut projection", "file.pth holds another network: layer1.1.conv1.weight is missing; "),
        ("resnet8", "file.pth holds another network: layer2.0.shortcut.0.weight is missing; "),
        ("resnet8 --mean 125 123 114 --std 63 62 67", "--mean is 125 123 114; allowed: three numbers from 0 to 1; "),
        ("resnet8 --mean 0 0 0 --std 1 1 0", "--std is 1 1 0; allowed: three numbers above 0, at most 1; the"),
        ("resnet8 --mean 0 0 nan --std 1 1 1", "--mean is 0 0 nan; allowed: three numbers from 0 to 1"),
        ("resnet8 --weights none.pth", "none.pth is not there; allowed: a file with a network's state_dict"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(score, words, sentence):
    torch.save(reference(8, "identity").state_dict(), "file.pth")
    with pytest.raises(StageError) as caught:
        score("--weights", "file.pth", "--arch", *words.split())
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e300])
def test_values_that_are_not_finite_are_refused(score, value):
    tensors = reference(8, "identity").double().state_dict()
    tensors["layer2.0.bn1.running_var"][3] = value
    torch.save(tensors, "file.pth")
    with pytest.raises(StageError, match=r"^file\.pth has values that are no finite float32 in layer2\.0\.bn1\.\w+$"):
        score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY)


def test_whole_numbers_are_no_weights(score):
    """Of a network that was quantised, say: without their scale they mean nothing."""
    tensors = reference(8, "identity").state_dict()
    torch.save({name: tensor.to(torch.int8) for name, tensor in tensors.items()}, "file.pth")
    with pytest.raises(StageError, match=r"no finite float32 in conv1.weight, .* and \d+ more$"):
        score("--weights", "file.pth", "--arch", "resnet8", *IDENTITY)


def test_images_of_another_number_of_classes_and_those_split_by_seed_are_refused(score, workspace):
    torch.save(reference(8, "identity").state_dict(), "file.pth")
    arch = {"resnet8": {"depth": 8}, "hundred": {"depth": 8, "classes": 100}, "flowers": {"depth": 8, "classes": 17}}
    change_params(workspace, variants=["resnet8"], arch=arch)
    with pytest.raises(StageError, match=r"hundred\.classes is 100; allowed: 10, the classes of synthetic"):
        score("--weights", "file.pth", "--arch", "hundred")
    change_params(workspace, variants=["flowers"], dataset="synthetic_flowers17")
    with pytest.raises(
        StageError, match="flowers17, which every seed splits anew; allowed with --weights: cifar10, cifar100, syn"
    ):
        score("--weights", "file.pth", "--arch", "flowers")
    change_params(workspace, variants=["hundred"], dataset="synthetic_cifar100")
    with pytest.raises(StageError, match=r"resnet8\.classes is 10; allowed: 100, the classes of synthetic_cifar100"):
        score("--weights", "file.pth", "--arch", "resnet8")


def test_a_name_is_that_of_params_yaml_or_else_the_papers(settings):
    arch = settings().model_dump(exclude_unset=True)["arch"]
    small = settings(arch=arch | {"thin": {"blocks": [1], "widths": [8], "shortcut": "none"}})
    for name, shortcut, layers, kind in [
        ("resnet110", "identity", 110, "identity"),
        ("plain56", None, 56, "none"),
        ("resnet8", None, 8, "projection"),
        ("resnet8", "identity", 8, "identity"),
        ("thin", None, 4, "none"),
        ("thin", "identity", 4, "identity"),
    ]:
        arch = scoring.described(name, shortcut, small)
        assert (arch.layers, arch.shortcut) == (layers, kind)
        assert arch.papers == (name != "thin")
    assert small.network("resnet8").shortcut == "projection"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("resnet8 0 --arch resnet8", "--arch goes with --weights FILE alone"),
        ("--std 1 1 1", "--std goes with --weights FILE alone"),
        ("resnet8 0 --weights file.pth --arch resnet8", "--weights FILE does not go with resnet8 0"),
        ("--weights file.pth", "--weights FILE takes --arch NAME"),
        ("--weights file.pth --arch resnet8 --mean 0 0 0", "--mean R G B and --std R G B are given both or neither"),
        ("--weights file.pth --arch resnet8 --shortcut b", "invalid choice: 'b'"),
        ("--weights file.pth --arch resnet8 --mean 0 0 --std 1 1 1", "argument --mean: expected 3 arguments"),
        ("resnet8", "the following arguments are required: seed"),
        ("resnet8 x", "x is no whole number from 0 up"),
    ],
)
def test_a_command_line_of_neither_form_is_refused(score, capsys, words, sentence):
    with pytest.raises(SystemExit) as caught:
        score(*words.split())
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_help_tells_of_both_forms(score, capsys):
    with pytest.raises(SystemExit) as caught:
        score("--help")
    assert not caught.value.code
    text = capsys.readouterr().out
    ours, theirs = "python -m pipeline.evaluate variant seed", "python -m pipeline.evaluate --weights FILE --arch NAME"
    for words in (ours, theirs, "--mean R G B", "fp32", "resnet20 0"):
        assert words in text
