"""What all stages share: they end with one sentence instead of a traceback, and write files whole or not at all."""

import argparse
import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = Path(__file__).resolve().parent
TOP = PACKAGE.parent  # of the repository
DATA = Path("data/cifar10")
MODELS = Path("data/models")  # a folder a run: <variant>-<seed>
STARTS = Path("data/starts")  # a folder a variant: the weights that its runs begin with
WEIGHTS = "weights.safetensors"  # in each of both
RUNS = Path("reports/runs")  # likewise
INITIAL = Path("reports/initial")  # a file a variant: of networks before training


class StageError(Exception):
    """A mistake of the user or of the machine, as one sentence that says what is wrong and what is allowed."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; a StageError, a full disk, Ctrl-C or SIGTERM ends the process with one sentence on stderr."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        main()
    except StageError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(f"error: the disk is full ({error.filename or error.strerror}): free some space and start again")
        raise
    except KeyboardInterrupt as error:
        print(f"stopped{': ' + str(error) if str(error) else ''}", file=sys.stderr)
        sys.exit(130)


class Run(NamedTuple):
    """What a stage that works on one run is given: which one, and the folder with the data set."""

    variant: str
    seed: int
    data: Path

    @property
    def name(self) -> str:
        """What its folders are called."""
        return f"{self.variant}-{self.seed}"


def arguments(doc: str | None) -> Run:
    """The command line of a stage that works on one run; exits if it is not of that form."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", help="a name under arch in params.yaml")
    parser.add_argument("seed", type=_seed, help="a whole number from 0 up")
    parser.add_argument("--data", type=Path, default=DATA, help=f"the folder with the data set ({DATA})")
    args = parser.parse_args()
    return Run(args.variant, args.seed, args.data)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 up")
    return int(text)


def _terminated(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def write(path: Path | str, content: str | bytes) -> None:
    """Write `content` to `path`, making its folder; a reader sees the old file or the whole new one, never a part.

    Raises OSError (a full disk, for one), and then leaves `path` as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # one name, so that what a kill leaves is written over
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as indented JSON; NaN and infinities are refused with a ValueError, since JSON has none."""
    write(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
