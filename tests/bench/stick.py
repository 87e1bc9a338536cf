"""A USB stick for the device of the virtual bench, connected while it runs: QEMU's own emulation, so
the kernel's usb-storage, udev and its probe see what they would see of a real one."""

import contextlib
import struct

from monitor import Monitor

SECTOR = 512


def fat(label):
    """A stick's content: an empty FAT12 file system of 1440 KiB with this volume label, no partition table."""
    name = label.encode("ascii").ljust(11)
    assert len(name) == 11, f"{label}: FAT keeps 11 characters"
    # Bytes a sector, sectors a cluster, reserved, FATs, root entries, sectors, media, sectors a FAT,
    # sectors a track, heads, hidden; drive, signature, serial number, label, type.
    boot = b"\xeb\x3c\x90MSDOS5.0" + struct.pack("<HBHBHHBHHHII", SECTOR, 1, 1, 2, 224, 2880, 0xF0, 9, 18, 2, 0, 0)
    boot += struct.pack("<BBBI", 0x80, 0, 0x29, 0x70770700) + name + b"FAT12   "
    boot = boot.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
    table = b"\xf0\xff\xff".ljust(9 * SECTOR, b"\0")
    # The root folder's first entry is the label.
    root = (name + b"\x08").ljust(14 * SECTOR, b"\0")
    return (boot + table * 2 + root).ljust(2880 * SECTOR, b"\0")


@contextlib.contextmanager
def holding(image):
    """A stick with the content of a file is in a USB port of the device meanwhile. It is write-protected: a
    device that writes to it fails."""
    with contextlib.closing(Monitor("device")) as monitor:
        monitor.run("blockdev-add", **{"driver": "raw", "node-name": "stick", "read-only": True,
                                       "file": {"driver": "file", "filename": str(image), "read-only": True}})
        monitor.run("device_add", driver="usb-storage", id="stick", bus="usb.0", drive="stick")
        try:
            yield
        finally:
            monitor.run("device_del", id="stick")
            monitor.wait_for("DEVICE_DELETED")
            monitor.run("blockdev-del", **{"node-name": "stick"})


@contextlib.contextmanager
def connected(folder, label):
    """A stick with this volume label."""
    image = folder / f"{label}.img"
    image.write_bytes(fat(label))
    with holding(image):
        yield
