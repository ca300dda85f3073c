"""The ML Reproducibility Checklist on models, theory, data and code; checklist_results.py answers for the results.

Each function answers a group of items, in their order. What a file knows is taken from it. None of it is a time or
about hardware, so that it comes out the same whenever the same is run.
"""

import os

from pipeline.checklist_facts import NO, NOT_APPLICABLE, PARTLY, YES, Answer, Facts, listed


def models(f: Facts) -> list[Answer]:
    """Models and algorithms: description, assumptions, complexity."""
    rows = list(f.study.results.itertuples())
    networks = listed(f"{row.variant} ({row.depth} layers, shortcut {row.shortcut})" for row in rows)
    sizes = listed(f"{row.variant} {row.parameters:,}" for row in rows)
    return [
        Answer(
            YES,
            f"{networks}, after He et al. (2016): entries under `arch` in [params.yaml](../params.yaml), built by "
            f"{f.link('pipeline/networks.py')}, trained by {f.link('pipeline/engine.py')} with SGD on the "
            "cross-entropy. Formulas are in the papers that the code names, changes in [report.html](report.html).",
        ),
        Answer(
            PARTLY,
            "[report.html](report.html) lists departures from what is reproduced, "
            f"{f.link('pipeline/verdicts.py')} says what verdicts rest on. That other images would be like those of "
            "the data set is assumed and not examined.",
        ),
        Answer(
            PARTLY,
            f"Parameters: {sizes}. {f.link('pipeline/family.py')} counts multiply-adds and memory of such networks, "
            f"{f.link('benchmarks/README.md')} shows how time and memory grow with epochs, layers and seeds. How the "
            "errors fall with more training images was not examined.",
        ),
    ]


def theory(f: Facts) -> list[Answer]:
    """Theoretical claims: statement, proof."""
    return [
        Answer(
            NOT_APPLICABLE, "No theoretical claim is made; [claims.csv](claims.csv) holds what was measured or counted."
        ),
        Answer(NOT_APPLICABLE, "There is nothing to prove."),
    ]


def datasets(f: Facts) -> list[Answer]:
    """Data sets: statistics, splits, exclusions and preprocessing, address, collection."""
    s, side = f.study, f.study.settings.image_size
    name = f"Generated images in the format of {s.title}" if f.generated else s.title
    each = s.confusion.groupby(["variant", "seed", "actual"])["count"].sum()
    share = f"{each.min():,}" + (f" to {each.max():,}" if each.max() > each.min() else "")
    return [
        Answer(
            YES,
            f"{name}: {f.data.train:,} training and {f.test_images:,} test images of {side} x {side} pixels in "
            f"{len(f.data.classes)} classes, each with {share} of the test images. These are {s.data['identity']}. "
            f"Content sha256: `{s.data['content_sha256']}`.",
        ),
        Answer(YES, splits(f)),
        Answer(YES, preprocessing(f)),
        address(f),
        Answer(NOT_APPLICABLE, f"No data was collected{'; the images were generated' if f.generated else ''}."),
    ]


def splits(f: Facts) -> str:
    """Which images were trained on, which held out, and which tested on."""
    settings = f.study.settings
    parts, same = "Training and test images are the data set's own parts", ", the same ones for every seed"
    if f.data.parted_by_seed:
        where = f.link("pipeline/flowers.py")
        parts, same = f"Every seed draws its test images anew, equally many of each class ({where})", ""
    return (
        f"{parts}. {settings.train_size:,} of the {f.data.train:,} training images are trained on and "
        f"{settings.val_size:,} held out to tune on{same}; {f.test_images:,} images are tested on. Nothing is chosen "
        "by them: the last epoch counts."
    )


def preprocessing(f: Facts) -> str:
    """Which images were left out, and what was done to the others."""
    settings = f.study.settings
    left = f.data.train - settings.train_size - settings.val_size
    out = f"{left:,} training images were left out, as `train_size` has it" if left else "No image was left out"
    shrunk = f.data.side is None and not f.generated
    middle = f"; the middle of each was shrunk to {settings.image_size} pixels a side" if shrunk else ""
    own = f" (of {' and '.join(f.starts)}: those that its start was trained on)" if f.starts else ""
    flips = "and horizontal flips" if settings.horizontal_flip else "without flips"
    return (
        f"{out}{middle}. Pixels are normalised by the mean and standard deviation of each channel over the training "
        f"images{own}. In training there are {settings.crop_padding} pixels of black padding and random crops {flips}: "
        f"{f.link('pipeline/dataset.py')}."
    )


def address(f: Facts) -> Answer:
    """Where the data can be had."""
    if f.generated:
        return Answer(YES, f"{f.link('pipeline/synthetic.py')} generates it: same seed, same bytes.")
    where = f"{f.link('data/README.md')} has the makers' address, from which {f.command} fetches the data"
    if f.study.data["identity"].startswith("a copy"):
        return Answer(PARTLY, f"{where}. But these results were made with the copy of item 6, which has no address.")
    return Answer(YES, f"{where}.")


def code(f: Facts) -> list[Answer]:
    """Shared code: dependencies, training, evaluation, weights, README."""
    begun = [f" {name} starts from {s['identity']} (sha256 `{s['sha256']}`)." for name, s in f.starts.items()]
    return [
        Answer(
            YES,
            f"{f.link('requirements.txt')} pins each package that the code uses to one version; what those need in "
            "turn is not pinned. Item 21 has the versions of Python and torch that ran.",
        ),
        Answer(
            YES,
            f"{f.link('pipeline/train.py')} trains one run; {f.command} runs all stages of [dvc.yaml](../dvc.yaml).",
        ),
        Answer(
            YES,
            f"{f.link('pipeline/evaluate.py')} tests one run and keeps what it predicts for each image, in "
            f"[runs](runs); {f.link('pipeline/aggregate.py')} makes the tables of all runs.",
        ),
        Answer(
            NO,
            "Weights are in the DVC cache of the machine that made them, not in git, and there is no remote. "
            f"{f.command} makes them, in `{os.path.normpath(f'{f.folder}/data/models')}`.{''.join(begun)}",
        ),
        Answer(
            YES,
            f"{f.command} makes [results.md](results.md), and `python -m pipeline.readme` puts it into "
            f"{f.link('README.md')}, which names the commands.",
        ),
    ]
