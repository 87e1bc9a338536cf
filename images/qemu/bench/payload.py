"""What is laid over Debian: our binaries, `conf/`, and the bench's own files.

The product's part is the same that the Yocto recipes install: the binaries of
`rust/` and the tree `conf/` as it stands.  What differs on the bench is in
`device/files/`: drop-ins and fragments.  Runs in the builder.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import cache

TRIPLE = "aarch64-unknown-linux-gnu"
STRIP = "aarch64-linux-gnu-strip"
# Binary of the workspace: its path on the device.
BINARIES = {
    "totton-audio-gadget-setup": "usr/local/bin/totton-audio-gadget-setup",
    "totton-audio-check": "usr/local/bin/totton-audio-check",
    "totton-audio-slot": "usr/local/bin/totton-audio-slot",
    "totton-audio-health": "usr/lib/totton-audio/health",
    "gpu_upsampler_alsa": "opt/totton_audio/bin/gpu_upsampler_alsa",
    "totton-audio-web": "opt/totton_audio/bin/totton-audio-web",
    "totton-audio-clock": "opt/totton_audio/bin/totton-audio-clock",
    "totton-filter": "opt/totton_audio/bin/totton-filter",
    "totton-headphones": "opt/totton_audio/bin/totton-headphones",
}
# The bench's filter, for usr/share/totton-audio/50-bench.toml: 128 taps a
# phase, 2 kHz of transition, so that emulation keeps up with the stream.
FILTER = "opt/totton_audio/filters/bench-x16.filter"
# The arguments are in a file, which the layer's recipe of the bench reads, too.
FILTER_DESIGN = (cache.HERE / "device/filter").read_text().split()


@dataclass
class Layer:
    """Files for a machine: whole trees, and single files by their path there."""

    trees: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    folders: list = field(default_factory=list)

    def digest(self):
        single = [part for path, file in sorted(self.files.items()) for part in (path, file)]
        return cache.digest(*self.trees, *single, *self.folders)

    def put(self, staged):
        """Copies the layer into the directory `staged`, over what is there."""
        staged.mkdir(parents=True, exist_ok=True)
        for tree in self.trees:
            shutil.copytree(tree, staged, symlinks=True, dirs_exist_ok=True)
        for path, file in self.files.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, staged / path)
        for path in self.folders:
            (staged / path).mkdir(parents=True, exist_ok=True)


def ssh_key():
    """The private key that opens both machines, made once; the public is KEY.pub."""

    def make(into):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "totton-audio bench", "-f", into / "id"], check=True
        )

    return cache.step("ssh", "key", "a key pair for the machines", make) / "id"


def binaries():
    """Cross-builds the workspace; returns each binary's file by its name.

    Checkouts share cargo's folder, and with it the place where cargo leaves a
    binary: another checkout's build may follow at once. So each result is copied
    away before the next build may begin.
    """
    cache.say("device: services, cargo build --release for arm64 ...")
    with cache.lock("cargo"):
        cache.run_logged(
            ["cargo", "build", "--release", "--locked", "--workspace", "--bins", "--target", TRIPLE],
            "cargo", "building the services", cwd=cache.REPOSITORY / "rust",
        )
        folder = Path(os.environ["CARGO_TARGET_DIR"]) / TRIPLE / "release"
        missing = [name for name in BINARIES if not (folder / name).is_file()]
        if missing:
            raise cache.StepFailed(f"cargo made no {', '.join(missing)} in {folder}; see [[bin]] in rust/*/Cargo.toml")
        files = [folder / name for name in BINARIES]

        def copy(into):
            for file in files:
                # As BitBake installs them; the tables of lines are nine tenths of them.
                subprocess.run([STRIP, "--strip-debug", "-o", into / file.name, file], check=True)

        kept = cache.step("binaries", cache.digest(STRIP, *files), "device: the services, kept", copy)
    cache.forget_older("binaries", keep=4)
    return {name: kept / name for name in BINARIES}


def short_filter(tool):
    """The bench's filter, made by the device's own `tool`, which runs here under QEMU."""

    def make(into):
        done = subprocess.run(
            [tool, "design", *FILTER_DESIGN, into / "bench.filter"],
            capture_output=True, text=True, check=False,
        )
        if done.returncode != 0:
            raise cache.StepFailed(f"the bench's filter could not be made: {done.stderr.strip()}")

    return cache.step("filter", cache.digest(tool, *FILTER_DESIGN), "device: a short filter", make) / "bench.filter"


def device(key):
    """The layers of the device, in the order in which they are laid."""
    built = binaries()
    product = Layer(
        trees=[cache.REPOSITORY / "conf"],
        files={path: built[name] for name, path in BINARIES.items()},
        folders=["opt/totton_audio/data/filters"],
    )
    bench = Layer(
        trees=[cache.HERE / "device/files"],
        files={
            FILTER: short_filter(built["totton-filter"]),
            "root/.ssh/authorized_keys": key.with_suffix(".pub"),
        },
    )
    return [product, bench]


def pc(key):
    return [Layer(trees=[cache.HERE / "pc/files"], files={"root/.ssh/authorized_keys": key.with_suffix(".pub")})]
