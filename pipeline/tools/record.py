"""Record the hashes of edited code in each dvc.lock, for stages that need not run again; needs neither data nor cache.

    python -m pipeline.tools.record

`make record BASE=main` calls it, after `make unchanged` has found that the edit changes nothing that training gives.
Recorded are the stages whose outputs are kept in DVC's cache: data sets, starting weights and models. The others take
seconds and run again. Refused if the hash of data or of a model would change, as where another folder lies there, or a
parameter.
"""

import contextlib
import io
from collections.abc import Iterable

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage

from pipeline import stage
from pipeline.stage import StageError


def main() -> None:
    with Repo() as repo, contextlib.redirect_stdout(io.StringIO()):
        cached = {out.fs_path for out in repo.index.outs if out.use_cache}
        stages = [one for one in repo.index.stages if any(out.use_cache for out in one.outs)]
        with repo.lock:
            for one in stages:
                save(one, cached)
            for one in stages:  # only when none was refused
                one.commit(allow_missing=True)
                one.dump(update_pipeline=False)
    print(f"recorded {len(stages)} stages; `dvc repro` runs what else is out of date")


def save(one: PipelineStage, cached: Iterable[str]) -> None:
    """Hash the deps of a stage anew.

    Raises StageError if one of the `cached` paths, or a parameter, is not what dvc.lock records.
    """
    entries = [entry for entry in (*one.deps, *one.outs) if entry.fs_path in cached]
    before = [entry.hash_info for entry in entries]
    params = [entry for entry in one.deps if isinstance(entry, ParamsDependency)]
    values = [entry.hash_info.value or {} for entry in params]
    one.save(allow_missing=True, run_cache=False)
    for entry, recorded in zip(params, values, strict=True):
        for key, value in recorded.items():
            if entry.hash_info.value.get(key) != value:
                now = entry.hash_info.value.get(key)
                raise StageError(f"{key} is {now}, and {one.addressing} was run with {value}: run `dvc repro`")
    for entry, recorded in zip(entries, before, strict=True):
        if not recorded:
            raise StageError(f"{one.addressing} was never run: run `dvc repro`")
        if entry.hash_info != recorded:
            raise StageError(f"{entry} is not what dvc.lock records for {one.addressing}: `dvc checkout` restores it")


if __name__ == "__main__":
    stage.run(main)
