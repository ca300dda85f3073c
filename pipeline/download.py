"""Stage download: fetch CIFAR-10's binary version, verify it, and put its six files under data/cifar10.

    python -m pipeline.download
    CIFAR10_SOURCE=cifar-10-binary.tar.gz python -m pipeline.download

$CIFAR10_SOURCE says where the same bytes are: a mirror's URL, an archive, or a folder of .bin files. It cannot change
what is accepted: the official files, by the sha256 of their content. So the output is the same, to DVC's hash of it,
whichever way they came. The archive has 170 MB. data/cifar10/provenance.json says which bytes these are. With
`dataset: synthetic` a small set is generated instead.
"""

from pathlib import Path

from pipeline import stage
from pipeline.acquire import fetching, synthetic
from pipeline.data import cifar10
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
OFFICIAL_SHA256 = "013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522"  # of the six files in order
IDENTITY = {  # bytes of provenance.json, and so of DVC's hash: never to be reworded
    "cifar10": "the official CIFAR-10, all 60,000 images and labels",
    "synthetic": "generated images, not CIFAR-10: results on them mean nothing",
}


def main() -> None:
    settings = params.load()
    sizes = DATASETS[settings.dataset]
    if sizes.files != cifar10.FILES:
        raise StageError(f"dataset is {settings.dataset}; allowed here: cifar10 and synthetic")
    with fetching.replaced(stage.DATA) as folder:
        if settings.dataset == "synthetic":
            synthetic.write_set(folder)
        else:
            fetch(fetching.located("CIFAR10_SOURCE", URL), folder)
        for name in cifar10.FILES:
            cifar10.read(folder / name, cifar10.records_per_file(name, sizes))
        identity, sha256 = IDENTITY[settings.dataset], cifar10.content_sha256(folder)
        stage.write_json(
            folder / "provenance.json", {"dataset": settings.dataset, "identity": identity, "content_sha256": sha256}
        )
    print(f"{stage.DATA}: {sizes.train} training and {sizes.test} test images, {identity}")


def fetch(source: str, folder: Path) -> None:
    """Fill `folder` with the six official .bin files from a URL, an archive or a folder.

    Raises StageError if the source cannot be had, or its bytes are not the official ones.
    """
    fetching.collect(source, cifar10.FILES, folder, "CIFAR10_SOURCE")
    sha256 = cifar10.content_sha256(folder)
    if sha256 != OFFICIAL_SHA256:
        raise StageError(
            f"{source} does not hold the official CIFAR-10 (the content's sha256 is {sha256}); allowed: its binary "
            f"archive (md5 {ARCHIVE_MD5}), or the six .bin files of that"
        )


if __name__ == "__main__":
    stage.run(main)
