"""The disks of the two machines.

base   Debian's packages and kernel, by mmdebstrap: minutes, cached
disk   base + payload, as an ext4 image: seconds, cached by what is in it

Runs in the builder.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import builder, cache, initramfs, modules, payload

DISK_SIZE = "3G"


@dataclass(frozen=True)
class Image:
    """What QEMU boots: files that are never written to."""

    disk: Path
    kernel: Path
    # Its root file system by itself, ext4: the whole disk, or one partition of it.
    rootfs: Path
    # Without one the disk is booted by the firmware, and has its own boot loader and kernel.
    initrd: Path | None = None


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
            cache.run_logged(command, f"base-{machine}", f"the base of the {machine}", stdin=sources)
        shutil.copy(next((into / "root/boot").glob("vmlinuz-*")), into / "vmlinuz")

    return cache.step(f"base-{machine}", key, f"{machine}: Debian {builder.SUITE} for {arch}", make)


def built():
    """The date of what is built here, in seconds since 1970: that of the last commit."""
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named:
        return named
    # The builder's root is not the checkout's owner.
    git = ["git", "-c", f"safe.directory={cache.REPOSITORY}", "-C", cache.REPOSITORY]
    told = subprocess.run([*git, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise cache.StepFailed(f"the date of the last commit: {told.stderr.strip()}; set SOURCE_DATE_EPOCH to the seconds since 1970")
    return told.stdout.strip()


def disk(machine, arch, layers):
    """The image of `machine`: its base with `layers` (payload.Layer) laid over."""
    date = built()
    below = base(machine, arch)
    script = cache.HERE / "machine/make-disk.sh"
    key = cache.digest(
        below.name, DISK_SIZE, date, script, cache.HERE / "machine/init", Path(initramfs.__file__),
        *(layer.digest() for layer in layers),
    )

    def make(into):
        staged = into / "payload"
        for layer in layers:
            layer.put(staged)
        cache.run_logged(
            ["unshare", "--mount", script, machine, below / "root", staged, into / "disk.img", DISK_SIZE, date],
            f"disk-{machine}", f"the disk of the {machine}",
        )
        shutil.rmtree(staged)
        initramfs.make(below / "root", below / "root/usr/bin/busybox", into / "initrd")

    made = cache.step(f"disk-{machine}", key, f"{machine}: disk", make)
    return Image(made / "disk.img", below / "vmlinuz", made / "disk.img", made / "initrd")


def built_by_bitbake(folder):
    """The device as the layer built it: the whole disk from BitBake's deploy folder, booted by UEFI.

    The image is totton-image-dev for qemuarm64, whose TOTTON_SSH_KEYS was the bench's
    public key: the tests come in by SSH.
    """
    archives = {}
    for name, pattern in (("disk.img", "totton-image-dev-*.wic.zst"), ("root.img", "totton-image-dev-*.ext4.zst"), ("Image", "Image")):
        found = sorted(folder.glob(pattern))
        if not found:
            raise cache.StepFailed(
                f"TOTTON_DEVICE_IMAGE={folder}: no {pattern} there; build it with "
                "kas build kas.yml:meta-totton/conf/kas/qemuarm64.yml:meta-totton/conf/kas/development.yml"
            )
        archives[name] = found[-1].resolve()

    def make(into):
        shutil.copy(archives["Image"], into / "Image")
        for name in ("disk.img", "root.img"):
            cache.run_logged(["zstd", "-q", "-d", archives[name], "-o", into / name], "disk-layer", "the layer's disk")

    made = cache.step("disk-layer", cache.digest(*archives.values()), "device: the layer's disk", make)
    return Image(made / "disk.img", made / "Image", made / "root.img")


def _device(key):
    named = os.environ.get("TOTTON_DEVICE_IMAGE")
    if named:
        return built_by_bitbake(Path(named))
    own = modules.patched(base("device", builder.TARGET), builder.TARGET)
    return disk("device", builder.TARGET, [*payload.device(key), own])


def both():
    """Builds what is missing; returns the images (device, pc)."""
    key = payload.ssh_key()
    device = _device(key)
    pc = disk("pc", builder.HOST_ARCH, payload.pc(key))
    # Another start may be using the ones before.
    for step in ("builder", "base-device", "base-pc", "disk-device", "disk-layer", "disk-pc", *modules.STEPS):
        cache.forget_older(step, keep=3)
    return device, pc
