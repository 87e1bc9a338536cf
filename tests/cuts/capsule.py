"""A Jetson's ESP while updates bring capsules: whenever the firmware is told of one, it is there, wholly."""

import collections
import shutil
import struct
import subprocess

from . import box, guest
from .fat import Fat
from .record import HERE, MIB, Failed
from .writes import Disk, Epoch, epochs

CAPSULE = "EFI/UpdateCapsule/TEGRA_BL.Cap"
LOADER = "EFI/BOOT/BOOTAA64.EFI"
ESP = 64 * MIB
# OsIndications with its attributes: a capsule is on the disk, and none is.
TOLD = {struct.pack("<IQ", 7, 4): True, struct.pack("<IQ", 7, 0): False}


def content(name):
    return b"".join(f"{name} {part} ".encode().ljust(512, b".") for part in range(120)) + b"end"


def play(folder, binary):
    layout = guest.layout([("esp", ESP), ("APP", MIB), ("APP_b", MIB), ("phases", MIB), ("variables", 4 * MIB)])
    guest.make_disk(folder / "vda", layout)
    for command, label in (
        (["mkfs.fat", "-F", "32", "--offset", str(layout["esp"][0] // 512), "vda", str(ESP // 1024)], "esp"),
        (["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-b", "1024", "-E", f"offset={layout['variables'][0]}", "vda", "4096"], "variables"),
    ):
        if label == "esp":
            command[0] = guest.parts() / command[0]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "vda", folder / "before")
    files = {f"contents/{name}": content(name) for name in ("loader", "1", "2", "3")} | {"life.sh": HERE / "life.sh"}
    guest.tree(folder / "tree", files, HERE / "capsule-life", [binary])
    said = guest.run(folder, ["vda"])
    (folder / "said").write_text(said)
    if "\nDONE" not in said or "FAULT" in said:
        raise Failed(f"the guest did not do its work:\n{said}")
    return layout


def by_what_is_told(found, variables):
    """The epochs with, for each phase, whether the firmware is told of a capsule: a new phase at each change of that.

    The variables are in a flash of their own on a board: of what is written to them here only the moment counts.
    """
    start, size = variables
    told, out = [False], []
    for epoch in found:
        now = Epoch([], len(told) - 1, len(told) - 1)
        for sector, data, _ in epoch.writes:
            if start <= sector * 512 < start + size:
                # What lies in a block behind the file's end is zero.
                says = TOLD.get(data[:12]) if not any(data[12:]) else None
                if says is not None and says != told[-1]:
                    told.append(says)
            else:
                now.writes.append((sector, data, len(told) - 1))
        now.last_phase = len(told) - 1
        out.append(now)
    return told, out


def without_flushes(found, told):
    """As a drive has it that ignores them, until a capsule is told of and no longer."""
    out = []
    for epoch in found:
        if not out or not told[epoch.last_phase] and told[out[-1].last_phase]:
            out.append(Epoch([], epoch.first_phase, epoch.last_phase))
        out[-1].writes += epoch.writes
        out[-1].last_phase = epoch.last_phase
    return out


def explore(folder, layout, draws, flushes=True):
    """How many states, with a capsule told, and mended; and the faults."""
    told, found = by_what_is_told(epochs(folder / "vda.log", layout["phases"][0]), layout["variables"])
    if not flushes:
        found = without_flushes(found, told)
    if told.count(True) != 3:
        raise Failed(f"the firmware was told of {told.count(True)} capsules, not of 3")
    with open(folder / "before", "rb") as file:
        disk = Disk(bytearray(file.read()))
    fat = Fat(disk.content, layout["esp"][0])
    capsules = {content(name) for name in ("1", "2", "3")}
    counts, faults, laid_out = collections.Counter(), collections.Counter(), False

    def judge(fat, is_told, when):
        loader, capsule = (fat.find(path) for path in (LOADER, CAPSULE))
        if not loader or fat.read(*loader[1:]) != content("loader"):
            faults[f"{when}: {LOADER} is not whole"] += 1
        if is_told and (not capsule or fat.read(*capsule[1:]) not in capsules):
            faults[f"{when}: the firmware is told of a capsule that is not whole"] += 1

    for number, epoch in enumerate(found):
        if not laid_out and flushes:
            disk.apply(epoch)
            loader = fat.find(LOADER)
            laid_out = bool(loader) and fat.read(*loader[1:]) == content("loader")
            continue
        for since in disk.states(epoch, draws, number):
            is_told = any(told[since:epoch.last_phase + 1])
            counts["states"] += 1
            counts["told"] += is_told
            judge(fat, is_told, "cut")
            if flushes and (counts["states"] % 8 == 0 or len(epoch.writes) < 4):
                counts["mended"] += 1
                after, left = box.mended(guest.parts() / "fsck.fat", fat, ESP, folder / "mended")
                for fault in left:
                    faults[f"fsck.fat leaves: {fault}"] += 1
                judge(after, is_told, "mended")
    damage, lost = fat.faults()
    for fault in [*damage, *([f"{lost} bytes in lost clusters"] if lost else [])]:
        faults[f"at the end, without a cut: {fault}"] += 1
    return counts, faults
