"""Put the weights of the recorded runs of all studies, and no others, into weights/, the DVC remote that lies in git.

    python -m pipeline.tools.push_weights

Writes weights/README.md too, the card of the networks. Git keeps what was once committed, so weights are to be put
there with results that stay, not with each trial.
"""

from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.db import get_index

from pipeline import stage
from pipeline.pretrained import card, recorded
from pipeline.stage import StageError


def main() -> None:
    with Repo(stage.TOP) as repo:
        get_index(repo.cloud.get_remote_odb()).clear()  # DVC would believe that what was removed is still there
        repo.push()
        outs = [out for out in repo.index.outs if out.use_cache and out.can_push]
        kept = {digest for out in outs for digest in digests(out)}
    removed = 0
    for path in recorded.REMOTE.glob("*/*"):
        if path.parent.name + path.name not in kept:
            path.chmod(0o644)
            path.unlink()
            removed += 1
    stage.write(card.CARD, card.text())
    size = sum(path.stat().st_size for path in recorded.REMOTE.glob("*/*"))
    print(f"weights/: {len(outs)} folders of files, {size / 1e6:.1f} MB; {removed} files of other runs removed")


def digests(out: Output) -> list[str]:
    """The hashes of what an output consists of. Raises StageError if it never was made, or is not in the remote."""
    folder = out.hash_info.value
    if not folder:
        raise StageError(f"{out} was never made: run `dvc repro`")
    found = [folder, *recorded.files(folder).values()]
    missing = [digest for digest in found if not (recorded.REMOTE / digest[:2] / digest[2:]).exists()]
    if missing:
        raise StageError(f"{out} is not in DVC's cache: run `dvc repro`, then this again")
    return found


if __name__ == "__main__":
    stage.run(main)
