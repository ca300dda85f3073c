"""The runs of a study as DVC knows them: which are out of date, what they depend on, and where their results go."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir, suppress
from pathlib import Path

from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError
from dvc_data.hashfile.hash_info import HashInfo

from pipeline import stage
from pipeline.cluster import worker
from pipeline.cluster.worker import Task
from pipeline.compute import device
from pipeline.settings import params
from pipeline.stage import StageError

DVC = [sys.executable, "-m", "dvc", "--wait-for-lock"]


class Stages:
    """The runs of the study in `folder`, seen from the top of the repository, the current folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, top = folder, Path.cwd()
        with chdir(folder):
            self.settings = params.load()
        with Repo() as repo:
            stages = {one.addressing: one for one in repo.index.stages if Path(one.path).parent == folder.resolve()}
            trained = {name: one for name, one in stages.items() if ":train@" in f":{name}"}
            produced = {out.fs_path for out in repo.index.outs}
            deps = {dep.fs_path for one in trained.values() for dep in one.deps}
            before = {other.addressing for one in trained.values() for other in repo.index.graph.successors(one)}
        self.data = sorted(os.path.relpath(path, top) for path in deps & produced)
        self.sources = ["pipeline/__init__.py", *sorted(os.path.relpath(path, top) for path in deps - produced)]
        self.before = sorted(before)
        self.addresses = {name.rpartition("@")[2]: name for name in trained}
        self.tasks = {
            (run := name.rpartition("@")[2]): Task(
                run, one.cmd, str(folder), tuple(os.path.relpath(out.fs_path, top) for out in one.outs)
            )
            for name, one in trained.items()
        }
        self.packed, self.commit = self.state(), device.commit()

    def files(self) -> list[str]:
        """params.yaml and the files of code that training depends on, as paths from the top."""
        found = ([path] if path.is_file() else sorted(path.rglob("*.py")) for path in map(Path, self.sources))
        return [str(file) for files in found for file in files]

    def state(self) -> dict[str, str]:
        """What runs depend on, to notice edits: hashes of code, parameters and stages, sizes and times of data."""
        read = [*self.files(), str(self.folder / "dvc.yaml")]
        data = [file for path in self.data for file in sorted(Path(path).rglob("*"))]
        times = {str(file): f"{file.stat().st_size} {file.stat().st_mtime_ns}" for file in data}
        return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in read} | times

    def bundles(self) -> tuple[bytes, bytes]:
        """Code with parameters, and data, each as a zip archive: what a node needs beside the requirements.

        Raises StageError if some of it is edited meanwhile. What comes back is held against the state of now.
        """
        self.packed = self.state()
        bundles = worker.pack(Path(), map(Path, self.files())), worker.pack(Path(), map(Path, self.data))
        if not self.is_current():
            raise StageError("code, parameters or data were edited while they were read: start again")
        return bundles

    def is_current(self) -> bool:
        """Whether all that runs depend on is still as it was packed."""
        return self.state() == self.packed

    def prepare(self) -> None:
        """Bring the stages up to date whose results are trained on. Raises StageError if that fails."""
        if subprocess.run([*DVC, "repro", "--pull", *self.before]).returncode:
            raise StageError("the data could not be prepared (DVC says why), so nothing was trained")

    def stale(self) -> list[str]:
        """The names of the runs that DVC would train, the deepest networks first; what weights/ has is pulled."""
        names = self.dry()
        missing = set(names) - set(self.dry("--allow-missing"))  # nothing changed, they are merely not here
        if missing:
            paths = [path for name in missing for path in self.tasks[name].outputs if "models" in Path(path).parts]
            subprocess.run([*DVC, "pull", "--quiet", *paths], stderr=subprocess.DEVNULL)
            names = self.dry()
        names = set(names) - self.in_run_cache() if names else ()
        return sorted(names, key=lambda name: -self.settings.network(name.rpartition("-")[0]).layers)

    def in_run_cache(self) -> set[str]:
        """The runs whose results DVC has from an earlier time; a dry `dvc repro` does not look for them."""
        found = set()
        with Repo() as repo:
            for one in repo.index.stages:
                name = one.addressing.rpartition("@")[2]
                if self.addresses.get(name) == one.addressing:
                    one.save_deps()
                    for out in one.outs:  # those of dvc.lock may be of other parameters
                        out.hash_info = HashInfo()
                    with suppress(RunCacheNotFoundError):
                        repo.stage_cache.restore(one, dry=True)
                        found.add(name)
        return found

    def dry(self, *options: str) -> list[str]:
        """The runs that `dvc repro` says it would train."""
        target = f"{self.folder}/dvc.yaml:train" if self.folder != Path() else "train"
        done = subprocess.run(
            [*DVC, "repro", "--dry", "--single-item", *options, target], capture_output=True, text=True
        )
        if done.returncode:
            raise StageError(f"DVC cannot say what is out of date: {done.stderr.strip().splitlines()[-1]}")
        return re.findall(r"Running stage '(?:\S+:)?train@(\S+)':", done.stdout)

    def record(self, name: str, files: bytes, finished: tuple[str, ...]) -> None:
        """Put the results of a run in place and into dvc.lock, and drop its `finished` checkpoints.

        Raises StageError if code or parameters were edited meanwhile: then the results are kept aside.
        """
        if not self.is_current():
            aside = Path(".scratch/aside") / f"{name}.zip"
            stage.write(aside, files)
            raise StageError(f"code or parameters were edited while it was trained: its results were put in {aside}")
        incoming = Path(".scratch") / f"{name}.results"
        shutil.rmtree(incoming, ignore_errors=True)
        worker.unpack(files, incoming)
        for path in self.tasks[name].outputs:
            self.place(incoming / path, Path(path))
        if (incoming / ".scratch").exists():
            shutil.copytree(incoming / ".scratch", ".scratch", dirs_exist_ok=True)
        shutil.rmtree(incoming)
        done = subprocess.run(
            [*DVC, "commit", "--quiet", "--force", self.addresses[name]], capture_output=True, text=True
        )
        if done.returncode:
            raise StageError(f"DVC could not record it: {done.stderr.strip().splitlines()[-1]}")
        for path in finished:
            Path(path).unlink(missing_ok=True)

    def place(self, source: Path, target: Path) -> None:
        """Move an output of a run to where DVC expects it.

        Nodes do not know the commit, so its sessions get that of now, which has the same training code: a checkpoint of
        other code is not taken up.
        """
        if source.name == "environment.json":
            content = json.loads(source.read_text())
            for session in content["sessions"]:
                session["commit"] = session["commit"] or self.commit
            stage.write_json(source, content)
        if target.is_symlink():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
