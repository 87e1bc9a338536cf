"""A tiny guest whose every write to its disks is logged: Debian's kernel for virtual machines and busybox, under QEMU.

It is of this computer's own kind of processor, emulated, so that programs built here run there as well
as here. Runs in the builder.
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "images/qemu"))

from bench import builder, cache  # noqa: E402

SECTOR = 512
MIB = 1 << 20
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
DEADLINE_S = 180
MACHINES = {
    "amd64": (["qemu-system-x86_64", "-machine", "q35"], "ttyS0"),
    "arm64": (["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57"], "ttyAMA0"),
}


def parts():
    """The folder with kernel, modules, busybox, mkfs.fat and fsck.fat; fetched once."""
    script = HERE / "fetch-guest.sh"

    def make(into):
        cache.run_logged([script, builder.HOST_ARCH, into], "tiny-guest", "fetching the tiny guest")

    made = cache.step(
        "tiny-guest", cache.digest(builder.HOST_ARCH, builder.SUITE, script), "tiny guest: kernel and busybox, 36 MB to fetch", make
    )
    cache.forget_older("tiny-guest", keep=2)
    return made


def program(name, into):
    """Builds a program of the workspace for this computer; a copy of it in the folder `into`."""
    # Not the lock of the build for the device, which may be held for minutes.
    with cache.lock("cargo-debug"):
        cache.run_logged(
            ["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", name],
            f"cargo-{name}", f"building {name}", cwd=ROOT / "rust",
        )
        copy = pathlib.Path(shutil.copy(pathlib.Path(os.environ["CARGO_TARGET_DIR"]) / "debug" / name, into))
    # The guest has little memory.
    subprocess.run(["strip", copy], check=True)
    return copy


def libraries(binary):
    """What the dynamic linker takes for a program."""
    told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", told)]


def layout(partitions):
    """{label: (offset, size)} of partitions given as (label, size), from the first MiB on."""
    found, at = {}, MIB
    for label, size in partitions:
        found[label] = (at, size)
        at += -(-size // MIB) * MIB
    return found


def make_disk(path, partitions):
    """An empty disk with these partitions, as `layout` has them. Its partition table has no copy at the end."""
    sectors = max(offset + -(-size // MIB) * MIB for offset, size in partitions.values()) // SECTOR + 34
    table = b"".join(
        LINUX_DATA.bytes_le + uuid.uuid5(uuid.NAMESPACE_DNS, label).bytes_le
        + struct.pack("<QQQ", offset // SECTOR, (offset + size) // SECTOR - 1, 0) + label.encode("utf-16le").ljust(72, b"\0")
        for label, (offset, size) in partitions.items()
    ).ljust(128 * 128, b"\0")
    fields = struct.pack(
        "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, sectors - 1, 34, sectors - 35,
        uuid.uuid5(uuid.NAMESPACE_DNS, "totton-audio").bytes_le, 2, 128, 128, zlib.crc32(table),
    )
    header = (fields[:16] + struct.pack("<I", zlib.crc32(fields)) + fields[20:]).ljust(SECTOR, b"\0")
    protective = bytes(446) + struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xEE, 255, 255, 255, 1, sectors - 1) + bytes(48) + b"\x55\xaa"
    with open(path, "wb") as disk:
        disk.truncate(sectors * SECTOR)
        disk.write(protective + header + table)


def tree(folder, files, script, binaries=()):
    """The initramfs' content: `files` by their path, `script` as the first process, programs with what they need."""
    made = parts()
    wanted = {"init": script, "bin/busybox": made / "busybox"}
    wanted |= {f"modules/{file.name}": file for file in made.glob("*.ko")}
    for binary in binaries:
        wanted[f"bin/{binary.name}"] = binary
        wanted |= {str(library).lstrip("/"): library for library in libraries(binary)}
    wanted |= files
    for path, content in wanted.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pathlib.Path):
            shutil.copy(content, target)
        else:
            target.write_bytes(content)
    for path in ("bin", "lib", "lib64"):
        (folder / path).mkdir(exist_ok=True)


def run(folder, disks, others=(), deadline_s=DEADLINE_S):
    """Starts the guest in `folder`, which has tree/, and waits for its end; what it said.

    The writes to `disks`, files there, are logged to NAME.log; those to `others` are not.
    """
    made = parts()
    subprocess.run(
        "find . -print0 | cpio --null --quiet --create --format=newc --owner=0:0 > ../initrd", shell=True, cwd=folder / "tree", check=True
    )
    machine, console = MACHINES[builder.HOST_ARCH]
    command = [
        *machine, "-accel", "tcg,thread=single", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-kernel", made / "vmlinuz", "-initrd", "initrd", "-append", f"console={console} quiet panic=-1", "-serial", "stdio",
    ]
    for name in disks:
        (folder / f"{name}.log").touch()
        command += [
            "-blockdev", f"driver=file,node-name={name}-data,cache.no-flush=on,filename={name}",
            "-blockdev", f"driver=file,node-name={name}-log,cache.no-flush=on,filename={name}.log",
            "-blockdev", f"driver=blklogwrites,node-name={name},file={name}-data,log={name}-log,log-sector-size={SECTOR},discard=unmap",
            "-device", f"virtio-blk-pci,drive={name},write-cache=on",
        ]
    for name in others:
        command += ["-blockdev", f"driver=file,node-name={name},filename={name}", "-device", f"virtio-blk-pci,drive={name}"]
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=deadline_s, check=False,
    )
    return done.stdout + done.stderr
