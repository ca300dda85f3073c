"""Stage download: fetch CIFAR-10 or CIFAR-100, verify it, and put the files of its binary version into a folder.

    python -m pipeline.download
    CIFAR10_SOURCE=~/data python -m pipeline.download
    CIFAR100_SOURCE=~/data python -m pipeline.download --data data/cifar100

Which of them is `dataset` in params.yaml; the folder is data/cifar10 unless --data names another. $CIFAR10_SOURCE and
$CIFAR100_SOURCE say where the same images are: the URL of a mirror, an archive, the unpacked folder, or a folder that
has one of these in it. The binary and the Python version will do, so the root that torchvision.datasets.CIFAR10 was
given can be named. It cannot change what is accepted: the official bytes, by their hash. So the output is the same, to
DVC's hash of it, whichever way they came. Either archive has 170 MB. provenance.json, beside the files, says which
bytes these are. With `dataset: synthetic` or `synthetic_cifar100` a small set is generated instead.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from pipeline import stage
from pipeline.acquire import cifar_batches, fetching, synthetic
from pipeline.data import cifar, loading
from pipeline.data.loading import PROVENANCE
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS, GENERATED
from pipeline.stage import StageError


class Source(NamedTuple):
    """Where a data set comes from, and how its official bytes are known."""

    variable: str  # of the environment, which names another place
    url: str
    archive_md5: dict[str, str]  # by version
    inside: tuple[str, ...]  # names of folders and archives with the data
    sha256: str  # of the binary version's files in order


SOURCES = {
    "cifar10": Source(
        "CIFAR10_SOURCE",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        {"binary": "c32a1d4ab5d03f1284b67883e8d87530", "python": "c58f30108f718f92721af3b95e74349a"},
        ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"),
        "013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522",
    ),
    "cifar100": Source(
        "CIFAR100_SOURCE",
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        {"binary": "03b5dce01913d631647c71ecec9e9cb8", "python": "eb9058c3a382ffc7106e4002c42a8d85"},
        ("cifar-100-binary", "cifar-100-python", "cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"),
        "77e2de35489d148b4822768381106640981552dfaad79ff5f0adad1e0820b874",
    ),
}
IDENTITY = {  # bytes of provenance.json, and so of DVC's hash: never to be reworded
    "cifar10": "the official CIFAR-10, all 60,000 images and labels",
    "synthetic": "generated images, not CIFAR-10: results on them mean nothing",
    "cifar100": "the official CIFAR-100, all 60,000 images and labels",
    "synthetic_cifar100": "generated images, not CIFAR-100: results on them mean nothing",
}


def main() -> None:
    settings, target = params.load(), arguments().data
    dataset = settings.dataset
    if dataset not in IDENTITY:
        raise StageError(f"dataset is {dataset}; allowed here: {', '.join(IDENTITY)}")
    check_replaceable(target)
    data, identity = DATASETS[dataset], IDENTITY[dataset]
    with fetching.replaced(target) as folder:
        if dataset in GENERATED:
            synthetic.write_set(folder, data)
        else:
            source = SOURCES[dataset]
            fetch(dataset, fetching.located(source.variable, source.url), folder)
        for name in data.files:
            cifar.read(folder / name, data)
        sha256 = cifar.content_sha256(folder, data.files)
        stage.write_json(folder / PROVENANCE, {"dataset": dataset, "identity": identity, "content_sha256": sha256})
    print(f"{target}: {data.train} training and {data.test} test images, {identity}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=stage.DATA, metavar="FOLDER", help=f"the folder to write ({stage.DATA})"
    )
    return parser.parse_args()


def check_replaceable(target: Path) -> None:
    """Raise StageError if `target` holds what this stage has not written, and would delete."""
    if not target.exists():
        return
    names = {path.name for path in target.iterdir()} if target.is_dir() else {target.name}
    written = loading.provenance(target)["dataset"] if PROVENANCE in names else ""
    own = {*DATASETS[written].files, PROVENANCE} if written in IDENTITY else set()
    if names - own:
        raise StageError(f"{target} holds other things; allowed: a new or empty folder, or an earlier download")


def fetch(dataset: str, place: str, folder: Path) -> None:
    """Fill `folder` with the official .bin files from a URL, an archive or a folder, of either version.

    Raises StageError if they cannot be had there, or the bytes are not the official ones.
    """
    source, data, pickled = SOURCES[dataset], DATASETS[dataset], cifar_batches.files(dataset)
    if fetching.collect(place, (data.files, pickled), folder, source.variable, source.inside) == pickled:
        cifar_batches.to_binary(folder, dataset)
    sha256 = cifar.content_sha256(folder, data.files)
    if sha256 != source.sha256:
        archives = " or ".join(f"the {version} archive (md5 {md5})" for version, md5 in source.archive_md5.items())
        raise StageError(
            f"{place} does not hold the official {data.title} (the content's sha256 is {sha256}); allowed: {archives}, "
            f"or what it unpacks to"
        )


if __name__ == "__main__":
    stage.run(main)
