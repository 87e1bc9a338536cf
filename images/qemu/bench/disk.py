"""The device's disk as the layer's image for QEMU has it: an ESP with systemd-boot, two slots, data.

Its kernel is Debian's, which finds no disk by itself: with an initramfs it is one EFI program, that
systemd-boot starts as it starts the product's. Runs in the builder.
"""

import shutil
import tempfile
from pathlib import Path

from . import cache, layer

LOADERS = Path("/usr/lib/systemd/boot/efi")
KERNEL = layer.VARIABLES["KERNEL_IMAGETYPE"]
MIB = 1024 * 1024


def _run(*command, **more):
    cache.run_logged(command, "disk-parts", f"the device's disk: {command[0]}", **more)


def kernel(vmlinuz, initrd, into):
    """One EFI program of both, which takes its command line from the boot loader."""
    # Debian's own Python has what it needs; tests/run puts another before it.
    _run("/usr/bin/python3", shutil.which("ukify"), "build", f"--linux={vmlinuz}", f"--initrd={initrd}", f"--stub={LOADERS}/linuxaa64.efi.stub", f"--output={into / KERNEL}")


def _esp(deployed, image, mib):
    """The ESP, of the files of `deployed`."""
    # As wic does it.
    _run("mkfs.vfat", "-S", "512", "-n", "esp", "-C", image, mib * 1024)
    made = set()
    for file, path in layer.boot_files(deployed):
        for folder in reversed(Path(path).parents[:-1]):
            if folder not in made:
                _run("mmd", "-i", image, f"::/{folder}")
                made.add(folder)
        _run("mcopy", "-i", image, deployed / file, f"::/{path}")


def make(rootfs, deployed, image):
    """Writes the disk `image`: both slots are `rootfs`, the kernel is that in `deployed`."""
    shutil.copy(LOADERS / "systemd-bootaa64.efi", deployed)
    esp = image.with_suffix(".esp")
    start, table, parts = 1, "label: gpt\n", []
    for part in layer.partitions():
        more = f", type={part.type}" if part.type else ""
        table += f"start={start}MiB, size={part.mib}MiB, name={part.name}{more}\n"
        if part.source == "bootimg_partition":
            _esp(deployed, esp, part.mib)
        parts.append((start, {"bootimg_partition": esp, "rootfs": rootfs}.get(part.source)))
        start += part.mib
    with open(image, "wb") as file:
        # The table's copy is at the end.
        file.truncate((start + 1) * MIB)
    with tempfile.TemporaryFile("w+") as script:
        script.write(table)
        script.seek(0)
        _run("sfdisk", "--quiet", image, stdin=script)
    for at, content in parts:
        if content:
            _run("dd", f"if={content}", f"of={image}", f"seek={at}", "bs=1M", "conv=notrunc,sparse", "status=none")
    esp.unlink()
