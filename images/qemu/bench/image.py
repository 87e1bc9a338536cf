"""The disks of the two machines.

base   Debian's packages and kernel, by mmdebstrap: minutes, cached
disk   base + payload, as an ext4 image: seconds, cached by what is in it

Runs in the builder.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import builder, cache, initramfs, payload

DISK_SIZE = "3G"


@dataclass(frozen=True)
class Image:
    """What QEMU boots: three files that are never written to."""

    kernel: Path
    initrd: Path
    disk: Path


def run_logged(command, log_name, what, **options):
    """Runs a command with its output in the cache's log; a failure shows its end."""
    log = cache.log_path(log_name)
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(
            [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, check=False, **options
        )
    if done.returncode != 0:
        tail = "".join(open(log, encoding="utf-8", errors="replace").readlines()[-20:])
        raise cache.StepFailed(f"{what} failed; the end of {log}:\n{tail}")


def base(machine, arch):
    """The base of `machine` ("device" or "pc"): root/ and vmlinuz."""
    folder = cache.HERE / machine
    names = builder.packages(folder / "packages")
    hook = cache.HERE / "machine/unpack-kernel.sh"
    key = cache.digest(arch, builder.SUITE, folder / "packages", hook)

    def make(into):
        command = [
            "mmdebstrap", "--mode=root", "--skip=check/qemu", "--variant=essential", "--format=directory", f"--architectures={arch}",
            f"--include={','.join([*names, 'busybox-static'])}",
            '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "5"',
            "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f'--customize-hook={hook} linux-image-{arch} "$1"',
            builder.SUITE, into / "root", "-",
        ]
        with tempfile.TemporaryFile("w+") as sources:
            sources.write(builder.sources([arch]))
            sources.seek(0)
            run_logged(command, f"base-{machine}", f"the base of the {machine}", stdin=sources)
        shutil.copy(next((into / "root/boot").glob("vmlinuz-*")), into / "vmlinuz")

    return cache.step(f"base-{machine}", key, f"{machine}: Debian {builder.SUITE} for {arch}", make)


def disk(machine, arch, layers):
    """The image of `machine`: its base with `layers` (payload.Layer) laid over."""
    below = base(machine, arch)
    script = cache.HERE / "machine/make-disk.sh"
    key = cache.digest(
        below.name, DISK_SIZE, script, cache.HERE / "machine/init", Path(initramfs.__file__),
        *(layer.digest() for layer in layers),
    )

    def make(into):
        staged = into / "payload"
        for layer in layers:
            layer.put(staged)
        run_logged(
            ["unshare", "--mount", script, machine, below / "root", staged, into / "disk.img", DISK_SIZE],
            f"disk-{machine}", f"the disk of the {machine}",
        )
        shutil.rmtree(staged)
        initramfs.make(below / "root", below / "root/usr/bin/busybox", into / "initrd")

    made = cache.step(f"disk-{machine}", key, f"{machine}: disk", make)
    return Image(below / "vmlinuz", made / "initrd", made / "disk.img")


def both():
    """Builds what is missing; returns the images (device, pc)."""
    key = payload.ssh_key()
    device = disk("device", builder.TARGET, payload.device(key))
    pc = disk("pc", builder.HOST_ARCH, payload.pc(key))
    # Another start may be using the ones before.
    for step in ("builder", "base-device", "base-pc", "disk-device", "disk-pc"):
        cache.forget_older(step, keep=3)
    return device, pc
