"""The bench: device and PC with a cable between them, in one state directory.

`bench.json` in it tells a test where they are.  Runs in the builder.
"""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

from . import cache
from .machine import BenchFailed, Machine, eventually

PAGE_HOST = "totton-audio.local"


class Bench:
    """Both machines; `state` is the directory that holds all they write."""

    def __init__(self, state, key):
        self.state = Path(state)
        # A Unix socket's path may have 107 bytes, a state directory's more.
        cable = Path("/tmp") / f"totton-cable-{cache.digest(str(self.state))}"
        self.device = Machine("device", self.state / "device", key, cable)
        self.pc = Machine("pc", self.state / "pc", key, cable)
        self._tunnels = []
        self._lock = None

    def prepare(self, device_image, pc_image):
        """Fresh disks for both; refuses a directory in use."""
        self.state.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.state / "lock", "w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise BenchFailed(f"another bench runs in {self.state}; end it, or give --state-dir") from taken
        for machine, image in ((self.device, device_image), (self.pc, pc_image)):
            shutil.rmtree(machine.folder, ignore_errors=True)
            machine.prepare(image)
        self._write()

    def _write(self):
        told = {
            "key": str(self.device.key),
            **{
                machine.name: {
                    "address": "127.0.0.1", "ssh_port": machine.ssh_port, "console": str(machine.console),
                    "folder": str(machine.folder),
                }
                for machine in (self.device, self.pc)
            },
        }
        (self.state / "bench.json").write_text(json.dumps(told, indent=2) + "\n")

    def on(self):
        self.device.on()
        self.pc.on()

    def off(self):
        for tunnel in self._tunnels:
            tunnel.kill()
            tunnel.wait()
        self._tunnels = []
        self.pc.off()
        self.device.off()

    def plug(self, deadline_s=120):
        """Puts the cable in; returns the PC's network interface."""
        return self.pc.run(f"plug {deadline_s}", deadline_s + 30).stdout.strip()

    def unplug(self, deadline_s=30):
        self.pc.run(f"unplug {deadline_s}", deadline_s + 30)

    def forward(self, port):
        """127.0.0.1:port here becomes port 80 of totton-audio.local, resolved on the PC."""
        self._tunnels.append(
            subprocess.Popen(
                ["ssh", "-N", "-o", "ExitOnForwardFailure=yes", *self.pc.ssh_options()]
                + ["-L", f"127.0.0.1:{port}:{PAGE_HOST}:80", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
            )
        )

    def wait_for_page(self, url, deadline_s=120):
        """Waits until `url` answers with a page; returns its body."""

        def loads():
            got = subprocess.run(
                ["curl", "--silent", "--fail", "--max-time", "10", "--noproxy", "*", url],
                capture_output=True, text=True, check=False,
            )
            return got.stdout if got.returncode == 0 else None

        return eventually(f"the page {url}", deadline_s, loads, every_s=1)
