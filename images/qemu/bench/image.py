"""The disks of the two machines.

base   Debian's packages and kernel, by mmdebstrap: minutes, cached
root   base + payload, as an ext4 image: the PC's disk, the device's slots
disk   the device's, with ESP, slots and data: seconds, cached by what is in it

Runs in the builder.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import builder, cache, disk, initramfs, layer, modules, payload, swupdate

ROOT = cache.HERE / "machine/make-root.sh"
# A file has only what is written of it.
ROOT_SIZE = "3G"


@dataclass(frozen=True)
class Image:
    """What QEMU boots: files that are never written to."""

    disk: Path
    kernel: Path
    # Its root file system by itself, ext4: the whole disk, or one partition of it.
    rootfs: Path
    # Without one the disk is booted by the firmware, and has its own boot loader and kernel.
    initrd: Path | None = None
    # What updates of it are made of: BitBake's deploy folder, or one with files of the same names.
    deployed: Path | None = None


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


def _root(machine, below, layers, date, into):
    """Makes the root file system of `machine`, base `below` with `layers` (payload.Layer) laid over, and its initramfs."""
    staged = into / "payload"
    for part in layers:
        part.put(staged)
    cache.run_logged(
        ["unshare", "--mount", ROOT, machine, below / "root", staged, into / "root.img", ROOT_SIZE, date],
        f"disk-{machine}", f"the root file system of the {machine}",
    )
    shutil.rmtree(staged)
    initramfs.make(below / "root", below / "root/usr/bin/busybox", into / "initrd")


def _key(machine, below, layers, date, *more):
    return cache.digest(
        below.name, ROOT_SIZE, date, ROOT, cache.HERE / "machine/init", Path(initramfs.__file__), machine,
        *(part.digest() for part in layers), *more,
    )


def pc(layers):
    """The PC: its root file system is the disk, and QEMU loads the kernel."""
    below, date = base("pc", builder.HOST_ARCH), built()

    def make(into):
        _root("pc", below, layers, date, into)

    made = cache.step("disk-pc", _key("pc", below, layers, date), "pc: disk", make)
    return Image(made / "root.img", below / "vmlinuz", made / "root.img", made / "initrd")


def device(below, layers):
    """The device: the disk of the layer's image, booted by the firmware, and the update bundle of it."""
    date = built()
    rootfs = f"totton-image-{layer.MACHINE}.rootfs.ext4.zst"

    def make(into):
        _root("device", below, layers, date, into)
        deployed = into / "deployed"
        deployed.mkdir()
        disk.kernel(below / "vmlinuz", into / "initrd", deployed)
        disk.make(into / "root.img", deployed, into / "disk.img")
        cache.run_logged(["zstd", "-q", "-1", "-T0", into / "root.img", "-o", deployed / rootfs], "disk-device", "the bundle's root file system")
        layer.bundle(deployed, rootfs, disk.KERNEL)

    key = _key("device", below, layers, date, Path(disk.__file__), Path(layer.__file__), *layer.SOURCES)
    made = cache.step("disk-device", key, "device: disk", make)
    return Image(made / "disk.img", below / "vmlinuz", made / "root.img", deployed=made / "deployed")


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
    return Image(made / "disk.img", made / "Image", made / "root.img", deployed=folder)


def _device(key):
    named = os.environ.get("TOTTON_DEVICE_IMAGE")
    if named:
        return built_by_bitbake(Path(named))
    below = base("device", builder.TARGET)
    return device(below, [*payload.device(key), swupdate.layer(), layer.payload(), modules.patched(below, builder.TARGET)])


def both():
    """Builds what is missing; returns the images (device, pc)."""
    key = payload.ssh_key()
    images = _device(key), pc(payload.pc(key))
    # Another start may be using the ones before.
    for step in ("builder", "base-device", "base-pc", "disk-device", "disk-layer", "disk-pc", *modules.STEPS, *swupdate.STEPS):
        cache.forget_older(step, keep=3)
    return images
