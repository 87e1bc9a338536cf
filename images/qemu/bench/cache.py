"""The cache: every slow step's result, kept under the hash of what went in.

A result is a directory `CACHE/STEP/KEY`.  It is made under a temporary name and
renamed when complete, so that an interrupted step leaves nothing that looks
finished.  Runs on the host's Python as well as in the builder: 3.9, no packages.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REPOSITORY = HERE.parent.parent


def _root():
    named = os.environ.get("TOTTON_CACHE_DIR")
    if named:
        return Path(named).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base).resolve() / "totton-audio"


ROOT = _root()


class StepFailed(Exception):
    """A step that could not be done; its text tells the user what to do."""


def say(text):
    """One line of progress for the person who waits."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def digest(*parts):
    """A short hash of texts and of files or trees (given as Path).

    Of a tree counts what an image would get from it: names, modes, symbolic
    links and contents, but not times.
    """
    total = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            total.update(b"text\0" + str(part).encode() + b"\0")
            continue
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            name = str(file.relative_to(part.parent))
            mode = file.lstat().st_mode
            total.update(f"{name}\0{mode:o}\0".encode())
            if file.is_symlink():
                total.update(os.readlink(file).encode())
            elif file.is_file():
                total.update(file.read_bytes())
            total.update(b"\0")
    return total.hexdigest()[:16]


@contextlib.contextmanager
def lock(name):
    """Holds the cache's lock NAME: two starts at once make a thing only once."""
    folder = ROOT / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another start that is making: {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def log_path(name):
    folder = ROOT / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def run_logged(command, log_name, what, **options):
    """Runs a command with its output in the cache's log; a failure shows its end."""
    log = log_path(log_name)
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(
            [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, check=False, **options
        )
    if done.returncode != 0:
        tail = "".join(open(log, encoding="utf-8", errors="replace").readlines()[-20:])
        raise StepFailed(f"{what} failed; the end of {log}:\n{tail}")


def step(name, key, what, make, remove=shutil.rmtree):
    """The directory of step NAME under KEY; `make(directory)` fills a new one.

    `what` is the line the user reads while it is made; `remove` clears away what
    an interrupted attempt has left.
    """
    final = ROOT / name / key
    if final.is_dir():
        os.utime(final)  # used now: forget_older() keeps it
        return final
    with lock(name):
        if final.is_dir():
            return final
        partial = ROOT / name / f"{key}.partial"
        if partial.exists():
            remove(partial)
        partial.mkdir(parents=True)
        say(f"{what} ...")
        start = time.monotonic()
        make(partial)
        partial.rename(final)
        say(f"{what}: {time.monotonic() - start:.0f} s")
    return final


def forget_older(name, keep):
    """Removes the results of step NAME but the `keep` last used."""
    folder = ROOT / name
    if not folder.is_dir():
        return
    with lock(name):
        results = [path for path in folder.iterdir() if path.suffix != ".partial"]
        for old in sorted(results, key=lambda path: path.stat().st_mtime)[:-keep]:
            shutil.rmtree(old)
