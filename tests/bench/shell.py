"""One shell on a machine for many commands.

A connection costs an emulated machine a third of a second of its processor, for sshd and the shell that it
starts; a command in a shell that is there costs a hundredth of that, and most of a test is short commands.
"""

import contextlib
import os
import selectors
import shlex
import subprocess
import time
import uuid


class Shell:
    """A shell at the other end of `ssh`, an argument list that starts one there."""

    def __init__(self, ssh):
        self._process = subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )

    def is_alive(self):
        return self._process.poll() is None

    def run(self, command, timeout):
        """Runs a command in a subshell without input; returns (exit status, standard output, standard error).

        The status is 255 where the connection ended before the command did, as ssh has it. After `timeout`
        seconds: subprocess.TimeoutExpired, and this shell is closed.
        """
        end = f"\x1e{uuid.uuid4()} "
        script = f"(eval {shlex.quote(command)}) < /dev/null; status=$?; echo '{end}'$status; echo '{end}' >&2\n"
        try:
            self._process.stdin.write(script.encode())
        except BrokenPipeError:
            return self._lost("", "")
        try:
            out, err = self._read(end.encode(), timeout)
        except TimeoutError:
            self.close()
            raise subprocess.TimeoutExpired(command, timeout) from None
        out, ended, status = out.decode(errors="replace").partition(end)
        err = err.decode(errors="replace").partition(end)[0]
        if not ended:
            return self._lost(out, err)
        return int(status), out.removesuffix("\n"), err.removesuffix("\n")

    def _read(self, end, timeout):
        """Both streams until each has told the end, or the connection has."""
        told = {self._process.stdout: bytearray(), self._process.stderr: bytearray()}
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for stream in told:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0, deadline - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    read = os.read(key.fd, 1 << 16)
                    told[key.fileobj] += read
                    # The status' line is whole; it may come in two pieces.
                    at = told[key.fileobj].rfind(end)
                    if not read or (at >= 0 and told[key.fileobj].endswith(b"\n")):
                        selector.unregister(key.fileobj)
        return told.values()

    def _lost(self, out, err):
        self.close()
        return 255, out, f"{err}\nthe connection has ended".lstrip()

    def close(self):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                stream.close()
