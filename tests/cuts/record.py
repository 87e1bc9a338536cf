"""The slot program's life in the tiny guest, recorded: disks, logs of their writes, and how to judge a state."""

import hashlib
import mmap
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from . import guest, slots
from .writes import Disk, epochs

HERE, ROOT = guest.HERE, guest.ROOT
MIB = 1 << 20
RECIPE = ROOT / "meta-totton/recipes-bsp/totton-qemu-esp"
KERNEL_SECTORS = 150
ROOT_SIZE = 256 << 10
OLD = "old-slot"
# dirsync: each write goes out at once. Without it the kernel's own writing back decides whether the
# moment at which a new name has no bytes is ever on the disk.
OLD_OPTIONS = "umask=0077,noatime,dirsync"
# Disk: size of the ESP in MiB, bits of its FAT, whether slot b was ever written, the program.
# 256 and FAT16: as wic makes it. FAT32: as on a Jetson.
DISKS = {
    "vda": (256, 16, True, "totton-audio-slot"),
    "vdb": (64, 32, False, "totton-audio-slot"),
    "vdc": (256, 16, True, OLD),
}
CONTENTS = ("a", "b", "1", "2", "3", "4")
def kernel(name):
    """Each sector another one: a part of two is neither."""
    return b"".join(f"kernel {name} {sector} ".encode().ljust(512, b".") for sector in range(KERNEL_SECTORS)) + name.encode()


def root(name, folder):
    """A root file system that can be mounted, with what a slot's system needs to be there."""
    tree, image = folder / f"root-{name}", folder / f"root-{name}.img"
    if image.exists():
        return image.read_bytes()
    for path in ("bin", "lib", "lib64", "dev", "proc", "sys", "run", "boot/efi", "etc"):
        (tree / path).mkdir(parents=True)
    (tree / "etc/content").write_bytes(b"".join(hashlib.sha256(f"{name} {part}".encode()).digest() for part in range(4096)))
    with open(image, "wb") as file:
        file.truncate(ROOT_SIZE)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-b", "1024", "-m", "0", "-N", "32", "-O", "^has_journal,^resize_inode", "-d", tree, image],
        check=True,
    )
    return image.read_bytes()


def esp(has_b):
    """The ESP's files as the recipe makes them."""
    template = (RECIPE / "files/entry.conf.in").read_text()
    options = re.search(r'^KERNEL_OPTIONS \?= "(.*)"', next(RECIPE.glob("*.bb")).read_text(), re.M)[1]
    files = {"loader/loader.conf": (RECIPE / "files/loader.conf").read_bytes()}
    for slot, version in (("a", "2"), ("b", "1"))[:1 + has_b]:
        text = template
        for word, value in (("SLOT", slot), ("LABEL", slots.SLOTS[slot]), ("VERSION", version), ("KERNEL", "Image"), ("OPTIONS", options)):
            text = text.replace(f"@{word}@", value)
        files[f"loader/entries/totton-{slot}.conf"] = text.encode()
        files[f"totton/{slot}/Image"] = kernel(slot)
    return files


def mount_options():
    """As the product's unit mounts the ESP, but for systemd's own words."""
    unit = (ROOT / "conf/usr/lib/totton-audio/boot-partition/boot-efi.mount").read_text()
    return ",".join(option for option in re.search(r"^Options=(.*)", unit, re.M)[1].split(",") if option != "nofail")


class Failed(Exception):
    pass


class Record:
    """What the guest did and left, in `folder`; of an earlier run, where it is there."""

    def __init__(self, folder):
        self.folder = folder
        self.contents = {name: (kernel(name), root(name, folder)) for name in CONTENTS}
        self.binary = folder / "totton-audio-slot"
        self.layouts = {
            name: guest.layout([("esp", size * MIB), ("APP", ROOT_SIZE), ("APP_b", ROOT_SIZE), ("phases", MIB)])
            for name, (size, *_) in DISKS.items()
        }
        self.said = folder / "said"
        self.seconds = 0
        if not self.said.exists():
            self.make()
        if not re.search("^DONE", self.said.read_text(), re.M) or "FAULT" in self.said.read_text():
            raise Failed(f"the guest did not do its work:\n{self.said.read_text()}")

    def make(self):
        guest.program(self.binary.name, self.folder)
        files = {"bin/old-slot": HERE / "old-slot", "life.sh": HERE / "life.sh"}
        for name, (image, file_system) in self.contents.items():
            files |= {f"contents/{name}/Image": image, f"contents/{name}/root": file_system}
        lines = []
        for name, (size, bits, has_b, program) in DISKS.items():
            files |= {f"esp/{name}/{path}": content for path, content in esp(has_b).items()}
            lines.append(f"/dev/{name} /bin/{program} {OLD_OPTIONS if program == OLD else mount_options()}\n")
            guest.make_disk(self.folder / name, self.layouts[name])
            make_file_system = [
                guest.parts() / "mkfs.fat", "-F", str(bits), "-n", "ESP", "--offset", str(self.layouts[name]["esp"][0] // 512),
                self.folder / name, str(size * 1024),
            ]
            # It says that the partition ends before the disk does.
            subprocess.run(make_file_system, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            shutil.copy(self.folder / name, self.folder / f"{name}.before")
        files["disks"] = "".join(lines).encode()
        guest.tree(self.folder / "tree", files, HERE / "slots-life", [self.binary])
        started = time.monotonic()
        self.said.write_text(guest.run(self.folder, DISKS))
        self.seconds = time.monotonic() - started

    def phases(self, name):
        """(name, slots that may start after a cut in it) of each, the first of them before there is one."""
        told = re.findall(rf"^phase /dev/{name} \d+ (\S+) (\S+)", self.said.read_text(), re.M)
        return [("laying out", "-"), *told]

    def epochs(self, name):
        found = epochs(self.folder / f"{name}.log", self.layouts[name]["phases"][0])
        if found[-1].last_phase != len(self.phases(name)) - 1:
            raise Failed(f"{name}: the log knows {found[-1].last_phase} phases, the guest {len(self.phases(name)) - 1}")
        return found

    def disk(self, name):
        """The disk as it was before."""
        with open(self.folder / f"{name}.before", "rb") as file:
            return Disk(mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))

    def program(self, name):
        machine = pathlib.Path(tempfile.mkdtemp(dir=self.folder, prefix="machine."))
        if DISKS[name][3] == OLD:
            return slots.Program(HERE / "old-slot", machine, tells=False)
        return slots.Program(self.binary, machine)
