"""One QEMU machine: its command line, its process, its console, SSH into it.

A machine's state is files in its directory, so that one process can start it and
another stop it: disk.qcow2 (what it wrote), console.log, qemu.log, pid, the
monitor's socket.  Runs in the builder.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

from . import builder, cache, kvm

# UEFI for the board, and the flash that it keeps its variables in.
FIRMWARE = (Path("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd"))
BOARD = ["-machine", "virt,gic-version=3", "-cpu", "cortex-a76"]
# Memory that is no system's, as a board's registers are not: tests/bench/test_slots.py. It keeps
# what is in it over a restart.
REGISTER = ["-object", "memory-backend-ram,id=register,size=1M", "-device", "ivshmem-plain,memdev=register"]
# The device's clock counts instructions, 2 ns each (500 MIPS), and runs with the
# wall clock while it idles. When the host is busy the device's time goes slower
# instead of its sound breaking up: an xrun on the bench is the software's fault.
# TOTTON_DEVICE_CLOCK=leaping leaves out the time in which it idles: for long tests that
# the device plays with itself. What another machine takes seems long to it then.
CLOCKS = {"wall": "on", "leaping": "off"}


def device_cpu():
    clock = os.environ.get("TOTTON_DEVICE_CLOCK", "wall")
    if clock not in CLOCKS:
        raise BenchFailed(f"TOTTON_DEVICE_CLOCK={clock}: give one of {', '.join(CLOCKS)}")
    return [*BOARD, "-accel", "tcg,thread=single", "-icount", f"shift=1,sleep={CLOCKS[clock]}"]


# An emulated machine with more than one processor may end its QEMU 10 while its firmware lays out the
# buses (iotlb_to_section, https://gitlab.com/qemu-project/qemu/-/issues/1921): it is started again so often.
ABORTS = 2


class BenchFailed(Exception):
    """The bench did not come up; its text says what to look at."""


def eventually(what, deadline_s, probe, every_s=0.5):
    """Calls `probe` until it returns something true; returns that."""
    end = time.monotonic() + deadline_s
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > end:
            raise BenchFailed(f"{what}: not within {deadline_s:.0f} s")
        time.sleep(every_s)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """`name` ("device" or "pc") with its state in `folder`."""

    NUMBERS = {"device": 1, "pc": 2}

    def __init__(self, name, folder, key, cable):
        self.name = name
        self.folder = Path(folder)
        self.key = Path(key)
        self.cable = cable
        self.console = self.folder / "console.log"
        self._process = None

    # ---- process

    def prepare(self, image):
        """Lays out a fresh machine: a disk that begins as `image` (image.Image)."""
        self.folder.mkdir(parents=True)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.disk, self.folder / "disk.qcow2"],
            check=True,
        )
        if image.initrd:
            shutil.copy(image.kernel, self.folder / "vmlinuz")
            shutil.copy(image.initrd, self.folder / "initrd")
        else:
            for number, flash in enumerate(FIRMWARE):
                shutil.copy(flash, self.folder / f"flash{number}")
        (self.folder / "ssh-port").write_text(str(free_port()))

    @property
    def ssh_port(self):
        return int((self.folder / "ssh-port").read_text())

    def _command(self):
        number = self.NUMBERS[self.name]
        serial = "ttyAMA0"
        if self.name == "device":
            machine = ["qemu-system-aarch64", *device_cpu()]
        else:
            native = builder.HOST_ARCH == "amd64"
            machine = self._pc_command() if native else ["qemu-system-aarch64", *BOARD, "-accel", "tcg,thread=multi"]
            serial = "ttyS0" if native else serial
        end = "server=on" if self.name == "device" else "server=off,reconnect-ms=500"
        return [
            *machine, "-smp", "2", "-m", "1024", "-name", self.name, "-nodefaults", "-display", "none", "-no-user-config",
            *self._boot(serial),
            "-drive", "file=disk.qcow2,if=virtio,format=qcow2,cache=unsafe",
            "-device", "virtio-rng-pci",
            # USB ports, for a stick that a test connects (tests/bench/stick.py).
            *(["-device", "qemu-xhci,id=usb"] if self.name == "device" else []),
            *(REGISTER if self.name == "device" else []),
            "-netdev", f"user,id=management,restrict=on,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22",
            "-device", f"virtio-net-pci,netdev=management,mac=52:54:00:66:00:{number:02x},romfile=",
            "-netdev", f"stream,id=cable,addr.type=unix,addr.path={self.cable},{end}",
            "-device", f"virtio-net-pci,netdev=cable,mac=52:54:00:55:00:{number:02x},romfile=",
            "-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console",
            "-qmp", "unix:monitor,server=on,wait=off", "-pidfile", "pid",
        ]

    def _boot(self, serial):
        if (self.folder / "vmlinuz").exists():
            return ["-kernel", "vmlinuz", "-initrd", "initrd", "-append", f"console={serial} root=/dev/vda rw panic=-1 loglevel=4"]
        # The disk says what else: loader, kernel, its command line. A board's firmware knows the
        # board's number, by which the journal finds itself again after a start.
        flash = [word for number in range(len(FIRMWARE)) for word in ("-drive", f"if=pflash,unit={number},format=raw,file=flash{number}")]
        # The firmware would wait three seconds for a key.
        return [*flash, "-boot", "menu=on,splash-time=0", "-uuid", str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.totton-audio"))]

    def _pc_command(self):
        cpu = kvm.cpu(self.folder / "vmlinuz", self.folder / "initrd")
        accelerator = ["-cpu", cpu, "-accel", "kvm"] if cpu else ["-cpu", "max", "-accel", "tcg,thread=multi"]
        return ["qemu-system-x86_64", "-machine", "q35", *accelerator]

    def _go_first(self):
        # The device's sound must not stutter while tests work beside it; only
        # root may ask for that.
        if self.name == "device":
            try:
                os.setpriority(os.PRIO_PROCESS, 0, -10)
            except PermissionError:
                pass

    def on(self):
        """Power on; the machine lives until off(), or until the builder's command ends."""
        if self.is_on():
            return
        with open(self.folder / "qemu.log", "a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self._command()], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, preexec_fn=self._go_first,
            )

        def started():
            if self._process.poll() is not None:
                raise BenchFailed(f"{self.name}: QEMU ended at once: {(self.folder / 'qemu.log').read_text().strip()}")
            return self.is_on() and (self.folder / "monitor").exists()

        eventually(f"{self.name}: QEMU's monitor", 10, started, every_s=0.05)

    def _pid(self):
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if b"qemu-system" in command else None

    def is_on(self):
        return self._pid() is not None

    def off(self):
        """Pulls the power: what the machine had not written to its disk is lost."""
        pid = self._pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)

        def gone():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            return not self.is_on()

        try:
            eventually(f"{self.name}: end of QEMU", 5, gone, every_s=0.05)
        except BenchFailed:
            os.kill(pid, signal.SIGKILL)
            eventually(f"{self.name}: end of QEMU", 5, gone, every_s=0.05)

    def console_tail(self, lines=15):
        try:
            return "\n".join(self.console.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no output)"

    # ---- SSH

    def ssh_options(self):
        return [
            "-F", "none", "-i", str(self.key), "-p", str(self.ssh_port), "-o", "User=root",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=10", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15",
        ]

    def run(self, command, deadline_s=60, check=True):
        """Runs a shell command on the machine; the completed process, output as text."""
        try:
            done = subprocess.run(
                ["ssh", *self.ssh_options(), "127.0.0.1", command],
                capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=deadline_s, check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise BenchFailed(f"{self.name}: `{command}` did not end within {deadline_s} s") from late
        if check and done.returncode != 0:
            raise BenchFailed(f"{self.name}: `{command}` failed ({done.returncode}): {done.stderr.strip()}")
        return done

    def _aborted(self):
        return self._process is not None and self._process.poll() in (-signal.SIGABRT, -signal.SIGSEGV)

    def wait_for_ssh(self, deadline_s=240):
        aborts = []

        def answers():
            if self._aborted() and len(aborts) < ABORTS:
                aborts.append((self.folder / "qemu.log").read_text().strip().splitlines()[-1:])
                cache.say(f"{self.name}: QEMU broke off while it started, and is started again: {' '.join(aborts[-1])}")
                self.on()
            if not self.is_on():
                raise BenchFailed(f"{self.name}: QEMU ended; the console's end:\n{self.console_tail()}")
            try:
                return self.run("true", 15, check=False).returncode == 0
            except BenchFailed:
                return False

        try:
            eventually(f"{self.name}: SSH", deadline_s, answers, every_s=1)
        except BenchFailed as failure:
            raise BenchFailed(f"{failure}; the console's end:\n{self.console_tail()}") from failure
