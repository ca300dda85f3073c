"""Stage download: fetch CIFAR-10's binary archive, verify it, and put its six files under data/cifar10.

    python -m pipeline.download
    CIFAR10_SOURCE=cifar-10-binary.tar.gz python -m pipeline.download

$CIFAR10_SOURCE says where the same bytes are: a mirror's URL, an archive, or a folder of .bin files. It cannot change
what is accepted: the official archive by its md5, or a known copy by the sha256 of its content. The archive has 170 MB.
data/cifar10/provenance.json tells which bytes these are. With `dataset: synthetic` a small set is generated instead.
"""

from pathlib import Path

from torchvision.datasets.utils import check_md5

from pipeline import params, records, sources, stage, synthetic
from pipeline.catalogue import DATASETS
from pipeline.stage import StageError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
OFFICIAL = "the official binary archive, by its md5"
COPIES = {  # content sha256 of the six files in order: how the copy differs from the official files
    "3e1124923a00edf4ddf52b3abba91412d38caf6336ae1aadced7776a1bbeddf3": (
        "a copy in which 59,907 of the 60,000 images are bit-identical to the official files and 93 (73 training, "
        "20 test) were recovered from JPEG, about 6 grey levels off on average; labels and order are official"
    ),
}


def main() -> None:
    settings = params.load()
    sizes = DATASETS[settings.dataset]
    if sizes.files != records.FILES:
        raise StageError(f"dataset is {settings.dataset}; legal here are cifar10 and synthetic")
    with sources.replaced(stage.DATA) as folder:
        if settings.dataset == "synthetic":
            synthetic.write_set(folder)
            identity = "generated images, not CIFAR-10: results on them mean nothing"
        else:
            identity = fetch(sources.located("CIFAR10_SOURCE", URL), folder)
        for name in records.FILES:
            records.read(folder / name, records.records_per_file(name, sizes))
        sha256 = records.content_sha256(folder)
        stage.write_json(
            folder / "provenance.json", {"dataset": settings.dataset, "identity": identity, "content_sha256": sha256}
        )
    print(f"{stage.DATA}: {sizes.train} training and {sizes.test} test images, {identity}")


def fetch(source: str, folder: Path) -> str:
    """Fill `folder` with the six .bin files from a URL, an archive or a folder; a sentence on what they are.

    Raises StageError if the source cannot be had, or its bytes are none that are known.
    """
    archive = sources.collect(source, records.FILES, folder, "CIFAR10_SOURCE")
    return OFFICIAL if archive and check_md5(archive, ARCHIVE_MD5) else known_copy(folder, source)


def known_copy(folder: Path, source: str) -> str:
    """How the copy in `folder` differs from the official files. Raises StageError if its bytes are not known."""
    sha256 = records.content_sha256(folder)
    if sha256 not in COPIES:
        raise StageError(
            f"{source} holds unknown bytes (content sha256 {sha256}); legal are the official archive "
            f"(md5 {ARCHIVE_MD5}) or a copy that pipeline/download.py lists"
        )
    return COPIES[sha256]


if __name__ == "__main__":
    stage.run(main)
