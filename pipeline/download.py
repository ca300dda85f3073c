"""Stage download: fetch CIFAR-10's binary version, verify it, and put its six files under data/cifar10.

    python -m pipeline.download
    CIFAR10_SOURCE=~/data python -m pipeline.download

$CIFAR10_SOURCE says where the same images are: the URL of a mirror, an archive, the unpacked folder, or a folder that
has one of these in it. The binary and the Python version will do, so the root that torchvision.datasets.CIFAR10 was
given can be named. It cannot change what is accepted: the official bytes, by their hash. So the output is the same, to
DVC's hash of it, whichever way they came. The archive has 170 MB. data/cifar10/provenance.json says which bytes these
are. With `dataset: synthetic` a small set is generated instead.
"""

from pathlib import Path

from pipeline import stage
from pipeline.acquire import cifar10_batches, fetching, synthetic
from pipeline.data import cifar10
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = {"binary": "c32a1d4ab5d03f1284b67883e8d87530", "python": "c58f30108f718f92721af3b95e74349a"}
INSIDE = ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
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
    """Fill `folder` with the six official .bin files from a URL, an archive or a folder, of either version.

    Raises StageError if the source cannot be had, or its bytes are not the official ones.
    """
    forms = (cifar10.FILES, cifar10_batches.FILES)
    if fetching.collect(source, forms, folder, "CIFAR10_SOURCE", INSIDE) == cifar10_batches.FILES:
        cifar10_batches.to_binary(folder)
    sha256 = cifar10.content_sha256(folder)
    if sha256 != OFFICIAL_SHA256:
        archives = " or ".join(f"the {version} archive (md5 {md5})" for version, md5 in ARCHIVE_MD5.items())
        raise StageError(
            f"{source} does not hold the official CIFAR-10 (the content's sha256 is {sha256}); allowed: {archives}, "
            f"or what it unpacks to"
        )


if __name__ == "__main__":
    stage.run(main)
