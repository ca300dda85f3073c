"""The model card of all committed networks, weights/README.md: what each is, and what to expect of it."""

import json
from pathlib import Path
from typing import Any

import jinja2

from pipeline import stage
from pipeline.pretrained import recorded
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS

CARD = Path("weights/README.md")
TEMPLATE = Path(__file__).with_name("card.md.j2")


def text() -> str:
    """The card of the studies below the current folder, from their params.yaml, dvc.lock and runs.

    Raises StageError if a run has no weights in the remote.
    """
    template = jinja2.Template(TEMPLATE.read_text(), undefined=jinja2.StrictUndefined)
    folders = [Path(), *sorted(path.parent for path in Path("studies").glob("*/dvc.lock"))]
    return template.render(studies=[study(folder) for folder in folders])


def study(folder: Path) -> dict[str, Any]:
    """What the card says of the study in `folder`."""
    settings = params.load(folder / "params.yaml")
    runs = []
    for variant in settings.variants:
        for seed in settings.seeds:
            name = f"{variant}-{seed}"
            arch = settings.network(variant)
            metrics = json.loads((folder / stage.RUNS / name / "metrics.json").read_text())
            row = {"variant": variant, "seed": seed, "layers": arch.layers, "shortcut": arch.connection}
            row["md5"] = recorded.file_md5(recorded.weights(name, folder))
            runs.append(row | {key: metrics[key] for key in ("parameters", "test_error", "test_images", "data")})
    return {
        "title": "Main study" if folder == Path() else f"{folder}",
        "settings": settings,
        "data": DATASETS[settings.dataset].title,
        "identity": runs[0]["data"]["identity"],
        "tested": runs[0]["test_images"],
        "runs": runs,
    }
