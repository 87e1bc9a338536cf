"""Whether KVM really runs a machine here.

That /dev/kvm opens proves too little: under some hypervisors it is there and a
guest's first instructions fail.  So the PC's own kernel is started once, as far
as its initramfs, and the answer is cached.  Runs in the builder.
"""

import os
import platform
import subprocess
import time

from . import cache

# The first is what everyone uses; the second helps where the hypervisor below
# does not let the guest see IA32_ARCH_CAPABILITIES.
CPUS = ("host", "host,-arch-capabilities")
DEADLINE_S = 20


def _passes(cpu, kernel, initrd):
    command = [
        "qemu-system-x86_64", "-machine", "q35", "-cpu", cpu, "-accel", "kvm", "-m", "512", "-nodefaults",
        "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
        "-append", "console=ttyS0 bench.probe quiet", "-serial", "stdio",
    ]
    heard = ""
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:
        os.set_blocking(process.stdout.fileno(), False)
        end = time.monotonic() + DEADLINE_S
        while process.poll() is None and time.monotonic() < end and "KVM internal error" not in heard:
            heard += (process.stdout.read() or b"").decode(errors="replace")
            time.sleep(0.05)
        heard += (process.stdout.read() or b"").decode(errors="replace")
        process.kill()
    return "bench: probe passed" in heard


def cpu(kernel, initrd):
    """The name for QEMU's -cpu with which KVM works, or None: emulate."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return None

    def make(into):
        works = next((name for name in CPUS if _passes(name, kernel, initrd)), "")
        (into / "cpu").write_text(works)
        cache.say(f"KVM works, with -cpu {works}" if works else "KVM is there and does not work: the PC is emulated")

    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line for line in file if line.startswith("model name")), "")
    key = cache.digest(platform.release(), model, kernel.read_bytes()[:65536], initrd)
    return (cache.step("kvm", key, "can this computer run a machine with KVM", make) / "cpu").read_text() or None
