"""How long a boot takes, counted in the device's instructions.

The device is started alone, its root file system in memory, on a clock that moves one
nanosecond for each instruction it executes and not at all with the wall clock: while
the device has nothing to do, the clock jumps to its next timer. No load of the host
shows in the figures, and nothing answers late, so two boots of the same image give
the same ones. The device itself (device/files/usr/local/lib/bench/milestones) sends
what systemd knows through its second serial port and switches itself off.

One instruction a nanosecond is a slow Orin: its cores run at 1.5 GHz and more, and
seldom need more than a cycle for an instruction. What is not in the figures: firmware
and boot loader, reading from the disk, and devices that are slow to answer. What is in
them and not on a board: unpacking the root file system into memory.  Runs in the builder.
"""

import base64
import binascii
import io
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache
from .machine import BOARD, BenchFailed

CLOCK = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
# The same date and the same random numbers at each boot, for these decide as well who comes first.
SAME = ["-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1"]


def in_memory(image):
    """The image's root file system as an initramfs, uncompressed; made once for each disk."""

    def make(into):
        tree = into / "tree"
        tree.mkdir()
        subprocess.run(["debugfs", "-R", f"rdump / {tree}", image.rootfs], check=True, capture_output=True)
        # No disk to mount, check or grow.
        (tree / "etc/fstab").write_text("")
        (tree / "etc/systemd/system/boot-efi.mount").symlink_to("/dev/null")
        subprocess.run(
            f"find . -print0 | sort -z | cpio --null --quiet --create --format=newc --reproducible > {into}/root.cpio",
            shell=True, cwd=tree, check=True,
        )
        shutil.rmtree(tree)

    made = cache.step("memory-device", cache.digest(image.disk.parent.name, Path(__file__)), "device: its disk as an initramfs", make)
    cache.forget_older("memory-device", keep=1)
    return made / "root.cpio"


def _command(image, initramfs, folder):
    return [
        "qemu-system-aarch64", *BOARD, *CLOCK, *SAME, "-smp", "2", "-m", "3072", "-nodefaults", "-display", "none",
        "-no-user-config", "-no-reboot", "-nic", "none", "-kernel", image.kernel, "-initrd", initramfs,
        "-append", "console=ttyAMA0 rdinit=/sbin/init panic=-1 quiet bench.milestones",
        "-chardev", f"file,id=console,path={folder}/console.log", "-serial", "chardev:console",
        "-chardev", f"file,id=result,path={folder}/result", "-serial", "chardev:result",
    ]


def _properties(text):
    """The blocks of `systemctl show`, by unit."""
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        units[values["Id"].removesuffix(".service")] = values
    return units


def milestones(files):
    """Seconds since the kernel started, by milestone, from what the device sent."""
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


def _received(folder):
    """The files that came through the serial port, by name."""
    try:
        archive = base64.b64decode((folder / "result").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {Path(member.name).name: tar.extractfile(member).read() for member in tar if member.isfile()}
    except (tarfile.TarError, binascii.Error, OSError) as error:
        raise BenchFailed(f"the device sent no result ({error}); see {folder}/console.log") from error


def boots(image, *folders):
    """Boots `image` (image.Image) once for each of `folders`, side by side; the milestones of each."""
    in_memory(image)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda folder: boot(image, folder), folders))


def boot(image, folder, deadline_s=900):
    """Boots `image` (image.Image) once; the milestones, with all that was sent left in `folder`."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [str(word) for word in _command(image, in_memory(image), folder)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=deadline_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise BenchFailed(f"the device did not end within {deadline_s} s; see {folder}/console.log") from late
    if done.returncode != 0:
        raise BenchFailed(f"QEMU ended with {done.returncode}: {done.stderr.strip()}")
    files = _received(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return milestones(files)
