"""What a dvc.lock records of a run's weights, and the file itself: in weights/, the DVC remote that lies in git.

Found without DVC, so that torch.hub needs none.
"""

import hashlib
import json
from pathlib import Path

from ruamel.yaml import YAML

from pipeline import stage
from pipeline.stage import WEIGHTS, StageError

REMOTE = stage.TOP / "weights/files/md5"
STORES = (REMOTE, stage.TOP / ".dvc/cache/files/md5")
FOLDER = ".dir"  # ends the hash of a folder


def weights(name: str, study: Path = stage.TOP) -> Path:
    """The committed weights of run `name` of the study in folder `study`, whole.

    Raises StageError if there are none, or the file is damaged.
    """
    md5 = files(of_run(name, study))[WEIGHTS]
    path = stored(md5)
    if path is None:
        raise StageError(f"{REMOTE.parent.parent} lacks the weights of {name}: run `dvc repro` to train it")
    if file_md5(path) != md5:
        raise StageError(f"{path} is damaged: `git checkout {REMOTE.parent.parent.name}` restores it")
    return path


def of_run(name: str, study: Path = stage.TOP) -> str:
    """The hash of the model folder of run `name`, from the dvc.lock in folder `study`.

    Raises StageError if it has no such run.
    """
    stages = YAML(typ="safe", pure=True).load(study / "dvc.lock")["stages"]
    trained = [key.partition("@")[2] for key in stages if key.startswith("train@")]
    if name not in trained:
        raise StageError(f"{study / 'dvc.lock'} records no run {name}; allowed: {', '.join(trained)}")
    return next(out["md5"] for out in stages[f"train@{name}"]["outs"] if out["path"] == str(stage.MODELS / name))


def files(digest: str) -> dict[str, str]:
    """The md5 of each file, by its name, in the folder with hash `digest`; nothing if that list is nowhere here."""
    path = stored(digest)
    return {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_text())} if path else {}


def lacking(digest: str) -> list[str]:
    """Which files of the folder with hash `digest` weights/ has not, or damaged; "the list" if it is that of them."""
    listed = REMOTE / digest[:2] / digest[2:]
    if not listed.exists() or file_md5(listed) + FOLDER != digest:
        return ["the list"]
    lacks = []
    for entry in json.loads(listed.read_text()):
        path = REMOTE / entry["md5"][:2] / entry["md5"][2:]
        if not path.exists() or file_md5(path) != entry["md5"]:
            lacks.append(entry["relpath"])
    return lacks


def stored(digest: str) -> Path | None:
    """The file with this hash, in the remote or DVC's cache; None if it is in neither."""
    paths = (store / digest[:2] / digest[2:] for store in STORES)
    return next((path for path in paths if path.exists()), None)


def file_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def md5(path: Path) -> str:
    """DVC's hash of a file or folder, of its bytes as they are now. Raises FileNotFoundError if it is not there."""
    if not path.is_dir():
        return file_md5(path)
    found = {str(file.relative_to(path)): file_md5(file) for file in path.rglob("*") if file.is_file()}
    listed = [{"md5": found[name], "relpath": name} for name in sorted(found)]
    return hashlib.md5(json.dumps(listed).encode()).hexdigest() + FOLDER
