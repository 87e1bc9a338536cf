"""The disk of a box with two slots, after a power cut: is it as it should be?"""

import hashlib
import mmap
import subprocess

from .fat import Fat
from .slots import SLOTS, Fault, judge, starts


class Slots:
    """Which content each slot has: kernel on the ESP, root file system."""

    def __init__(self, layout, contents):
        """`contents`: {name: (kernel, root)}."""
        self.layout = layout
        self.kernels = {kernel: name.encode() for name, (kernel, _) in contents.items()}
        self.root_names = {hashlib.sha256(root).digest(): name for name, (_, root) in contents.items()}
        self.root_size = len(next(iter(contents.values()))[1])

    def root(self, disk, slot):
        """Which content the slot's root file system is, wholly; None: none."""
        at = self.layout[SLOTS[slot]][0]
        return self.root_names.get(hashlib.sha256(disk[at:at + self.root_size]).digest())

    def files(self, fat):
        """What the boot loader finds on the ESP; of a kernel, which content it is, wholly."""
        found = {}

        def walk(folder, path):
            for name, is_folder, cluster, size in fat.list(folder):
                if is_folder and name not in (".", ".."):
                    walk(cluster, f"{path}{name}/")
                elif not is_folder:
                    content = fat.read(cluster, size)
                    if path.startswith("totton/"):
                        content = self.kernels.get(content, b"in part" if content else b"")
                    found[f"{path}{name}"] = content

        walk(None, "")
        return found


def fault(program, files, roots, allowed):
    """What is wrong where a cut left these files, and `roots` in the slots; None where nothing is.

    `allowed`: the slots that may start.
    """
    try:
        for healthy in (True, False) if program.tells else (True,):
            ways = starts(program, files, healthy)
            wrong = judge(ways, allowed, healthy)
            if wrong:
                return wrong
            for started in {started for way in ways for started in way}:
                wrong = _broken(started, files, roots)
                if wrong:
                    return wrong
    except Fault as wrong:
        return str(wrong)
    return None


def _broken(started, files, roots):
    """A slot that starts, or is told to be good, is whole: kernel and root, of one update."""
    for slot in {started.slot, *started.told_good}:
        kernel = files.get(f"totton/{slot}/Image", b"").decode()
        if not kernel or kernel != roots[slot]:
            how = "starts" if slot == started.slot else "is told to be good"
            return f"slot {slot} {how} with kernel {kernel or 'of no update'}, root {roots[slot] or 'of no update'}"
    return None


def mended(check, fat, size, path):
    """The FAT file system of `size` bytes after `check` (fsck.fat) mended it, as the box does before it mounts it; and its faults then."""
    with open(path, "wb") as file:
        file.write(fat.content[fat.start:fat.used_to()])
        file.truncate(size)
    said = subprocess.run([check, "-a", path], capture_output=True, text=True, check=False)
    with open(path, "rb") as file:
        after = Fat(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    faults, lost = after.faults()
    if said.returncode not in (0, 1):
        faults.append(f"fsck.fat -a: exit status {said.returncode}: {said.stdout}{said.stderr}")
    if lost:
        faults.append(f"{lost} bytes in lost clusters")
    return after, faults
