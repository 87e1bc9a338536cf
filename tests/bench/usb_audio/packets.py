"""The isochronous packets on the cable."""

import gzip
import re

import numpy as np


class Packets:
    """The requests that the device's controller gives back to the gadget, one a packet.

    By the kernel's own trace event (drivers/usb/gadget/udc/trace.h).
    """

    TRACE = "/sys/kernel/tracing"
    EVENT = "events/gadget/usb_gadget_giveback_request/enable"
    LINE = re.compile(r" ([\d.]+): usb_gadget_giveback_request: (\S+): .* length (\d+)/(\d+) .* status (-?\d+) ")

    def __init__(self, device):
        self.device = device

    def trace(self, seconds, tmp_path):
        """Those of so many seconds of the device: {endpoint: array of (time in s, bytes)}."""
        self.device.run(
            f"cd {self.TRACE} && echo 0 > tracing_on && echo 8192 > buffer_size_kb && echo mono > trace_clock "
            f"&& echo > trace && echo 1 > {self.EVENT} && echo 1 > tracing_on && sleep {seconds}; "
            f"echo 0 > tracing_on; echo 0 > {self.EVENT}; gzip -1 < trace > /dev/shm/trace.gz; echo > trace",
            timeout=300,
        )
        self.device.get("/dev/shm/trace.gz", tmp_path / "trace.gz")
        self.device.run("rm /dev/shm/trace.gz")
        found = {}
        for line in gzip.decompress((tmp_path / "trace.gz").read_bytes()).decode().splitlines():
            match = self.LINE.search(line)
            if match:
                time, endpoint, actual, _room, status = match.groups()
                assert status == "0", line
                found.setdefault(endpoint, []).append((float(time), int(actual)))
        return {endpoint: np.array(rows) for endpoint, rows in found.items()}
