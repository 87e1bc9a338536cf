"""The initramfs: busybox and the modules that the root disk needs, in order.

Made here rather than by Debian's update-initramfs, which takes minutes where the
kernel's architecture is emulated.
"""

import lzma
import shutil
import subprocess
from pathlib import Path

from . import cache

# What mounting /dev/vda takes; those the kernel has built in are left out.
WANTED = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "libcrc32c")


def _names(line):
    return Path(line).name.split(".ko")[0].replace("-", "_")


def load_order(modules):
    """Paths below `modules` (/usr/lib/modules/VERSION), each after what it needs."""
    dependencies = {}
    by_name = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, needs = line.split(":")
        dependencies[path] = needs.split()
        by_name[_names(path)] = path
    built_in = {_names(line) for line in (modules / "modules.builtin").read_text().splitlines()}
    order = []

    def add(path):
        for needed in dependencies[path]:
            add(needed)
        if path not in order:
            order.append(path)

    for name in WANTED:
        if name in by_name:
            add(by_name[name])
        elif name not in built_in and not name.endswith(("generic", "crc32c")):
            raise cache.StepFailed(f"the kernel in {modules} has no module {name}")
    return order


def make(root, busybox, image):
    """Writes the initramfs for the kernel in `root` to the file `image`."""
    modules = next((root / "usr/lib/modules").iterdir())
    tree = image.with_suffix(".tree")
    (tree / "bin").mkdir(parents=True)
    (tree / "lib").mkdir()
    shutil.copy(busybox, tree / "bin/busybox")
    shutil.copy(cache.HERE / "machine/init", tree / "init")
    listed = []
    for path in load_order(modules):
        content = (modules / path).read_bytes()
        if path.endswith(".xz"):
            content = lzma.decompress(content)
        name = Path(path).name.removesuffix(".xz")
        (tree / "lib" / name).write_bytes(content)
        listed.append(f"/lib/{name}\n")
    (tree / "modules").write_text("".join(listed))
    subprocess.run(
        f"find . -print0 | cpio --null --quiet --create --format=newc --owner=0:0 > {image}",
        shell=True, cwd=tree, check=True,
    )
    shutil.rmtree(tree)
