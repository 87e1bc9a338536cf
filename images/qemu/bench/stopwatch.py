"""How long a boot takes, counted in the device's instructions.

The device is started alone, without network, on a clock that moves one nanosecond for
each instruction it executes and does not move with the wall clock at all: while the
device has nothing to do, it jumps to its next timer. So no load of the host shows in
the figures, and two boots of the same image give the same ones, but for the moments at
which the disk answers. The device itself (device/files/usr/local/lib/bench/milestones)
writes what systemd knows to a second disk and switches itself off.

One instruction a nanosecond is a slow Orin: its cores run at 1.5 GHz and more, and
seldom need more than a cycle for an instruction. What is not in the figures: firmware
and boot loader, and devices that are slow to answer.  Runs in the builder.
"""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from .machine import BOARD, BenchFailed

CLOCK = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
RESULT_BYTES = 16 * 1024 * 1024


def _command(image, folder):
    return [
        "qemu-system-aarch64", *BOARD, *CLOCK, "-smp", "2", "-m", "1024", "-nodefaults", "-display", "none",
        "-no-user-config", "-no-reboot", "-nic", "none", "-kernel", image.kernel, "-initrd", image.initrd,
        "-append", "console=ttyAMA0 root=/dev/vda rw panic=-1 quiet bench.milestones",
        "-drive", f"file={image.disk},if=virtio,format=raw,snapshot=on,cache=unsafe",
        "-drive", f"file={folder}/result,if=virtio,format=raw,cache=unsafe",
        "-device", "virtio-rng-pci",
        "-chardev", f"file,id=console,path={folder}/console.log", "-serial", "chardev:console",
    ]


def _properties(text):
    """The blocks of `systemctl show`, by unit."""
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        units[values["Id"].removesuffix(".service")] = values
    return units


def milestones(files):
    """Seconds since the kernel started, by milestone, from what the device wrote."""
    units = _properties(files["units"].decode())
    idle = [name for name, values in units.items() if values["ActiveState"] != "active"]
    if idle:
        raise BenchFailed(f"did not come up: {', '.join(idle)}")
    listening = re.search(rb'"__MONOTONIC_TIMESTAMP":"(\d+)"', files["web.json"])
    if not listening:
        raise BenchFailed("the web service never said that it listens")

    def active(unit):
        return int(units[unit]["ActiveEnterTimestampMonotonic"]) / 1e6

    return {
        "gadget ready": active("totton-audio-gadget"),
        "network ready": active("systemd-networkd"),
        "mDNS ready": active("avahi-daemon"),
        "audio ready": active("gpu-upsampler"),
        "web ready": int(listening[1]) / 1e6,
    }


def boot(image, folder, deadline_s=600):
    """Boots `image` (image.Image) once; the milestones, with all that was written left in `folder`."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "result", "wb") as result:
        result.truncate(RESULT_BYTES)
    try:
        done = subprocess.run(
            [str(word) for word in _command(image, folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=deadline_s, check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BenchFailed(f"the device did not end within {deadline_s} s; see {folder}/console.log") from late
    if done.returncode != 0:
        raise BenchFailed(f"QEMU ended with {done.returncode}: {done.stderr.strip()}")
    try:
        with tarfile.open(fileobj=io.BytesIO((folder / "result").read_bytes())) as archive:
            files = {Path(member.name).name: archive.extractfile(member).read() for member in archive if member.isfile()}
    except tarfile.TarError as error:
        raise BenchFailed(f"the device wrote no result ({error}); see {folder}/console.log") from error
    (folder / "result").unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return milestones(files)
