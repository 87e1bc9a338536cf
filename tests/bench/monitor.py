"""QEMU's monitor (QMP) of a machine of the virtual bench."""

import json
import os
import socket
from pathlib import Path


class Monitor:
    """The monitor of "device" or "pc"."""

    def __init__(self, machine):
        # A Unix socket's path may have 107 bytes, a state directory's more.
        folder = os.open(Path(os.environ["TOTTON_BENCH"]) / machine, os.O_PATH)
        try:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(30)
            self._socket.connect(f"/proc/self/fd/{folder}/monitor")
        finally:
            os.close(folder)
        self._lines = self._socket.makefile("r")
        self._lines.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        """Runs a command; its answer."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        return self._next(lambda told: "return" in told or "error" in told)

    def wait_for(self, event):
        return self._next(lambda told: told.get("event") == event)

    def _next(self, wanted):
        while True:
            told = json.loads(self._lines.readline())
            if wanted(told):
                assert "error" not in told, told
                return told

    def close(self):
        self._lines.close()
        self._socket.close()
