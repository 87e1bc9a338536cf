"""A machine of the bench, as the tests use it."""

import contextlib
import json
import shlex
import socket
from pathlib import Path

from eventually import eventually
from labgrid.driver import SSHDriver
from monitor import Monitor
from shell import Shell


# The device's HTTP API, asked as the PC does: `[::1]` and 127.0.0.1 are the machine's own.
API = "http://totton-audio.local/api/v1"


class CommandFailed(AssertionError):
    """A command that had to succeed did not."""


class Machine:
    """Runs commands on one end of the cable."""

    def __init__(self, name, target):
        self.name = name
        self._target = target
        self._ssh = target.get_driver(SSHDriver, activate=False)
        target.activate(self._ssh)
        self._shell = None

    def attempt(self, command, timeout=120):
        """Runs a shell command; returns (exit status, standard output, standard error)."""
        if self._shell is None or not self._shell.is_alive():
            at = self._ssh.networkservice
            ssh = ["ssh", "-x", *self._ssh.ssh_prefix, "-p", str(at.port), "-l", at.username, at.address]
            self._shell = Shell([*ssh, 'exec "$SHELL"'])
        return self._shell.run(command, timeout)

    def _hang_up(self):
        """No connection is kept: this one is dead or will be."""
        if self._shell is not None:
            self._shell.close()
            self._shell = None
        self._target.deactivate(self._ssh)

    def run(self, command, timeout=120):
        """Runs a shell command that must succeed; returns its standard output."""
        status, out, err = self.attempt(command, timeout)
        if status != 0:
            raise CommandFailed(f"{self.name}: `{command}` ended with {status}\n{out}\n{err}")
        return out

    def put(self, here, there):
        self._ssh.put(str(here), str(there))

    def get(self, there, here):
        self._ssh.get(str(there), str(here))
        return Path(here)

    def show(self, unit, *properties):
        """Properties of a unit, by name."""
        names = ",".join(properties)
        lines = self.run(f"systemctl show {shlex.quote(unit)} -p {names}").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, *arguments):
        """Journal entries of this boot, oldest first."""
        text = self.run(f"journalctl -b -o json --no-pager {' '.join(arguments)}")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def uptime(self):
        """The machine's own clock: seconds since it booted."""
        return float(self.run("cut -d' ' -f1 /proc/uptime"))

    @contextlib.contextmanager
    def standing_still(self):
        """The machine of the virtual bench stands still meanwhile, and its clock: what else runs has the processor."""
        # A connection is given up when the other end says nothing for 45 s.
        self._hang_up()
        with contextlib.closing(Monitor(self.name)) as monitor:
            monitor.run("stop")
            try:
                yield
            finally:
                monitor.run("cont")
        self._target.activate(self._ssh)

    @contextlib.contextmanager
    def root_writable(self):
        """The root file system, which no part of the product writes, can be written meanwhile."""
        self.run("mount -o remount,rw /")
        try:
            yield
        finally:
            self.run("mount -o remount,ro /")

    def boot_id(self):
        return self.run("cat /proc/sys/kernel/random/boot_id").strip()

    def reboot(self, deadline=300, until=lambda: True, cut=False):
        """Restarts the machine and waits until it can be asked again, and is as it should be.

        `cut`: as if the power went off and on; nothing is stopped, nothing is written.
        """
        before = self.boot_id()
        # A power cut tells nobody: a connection that waits for the command's end waits for long.
        cut_off = "(sleep 0.2; systemctl reboot -ff) > /dev/null 2>&1 < /dev/null &"
        self.attempt(cut_off if cut else "systemctl reboot", timeout=30)
        self._hang_up()
        eventually(f"{self.name} is back after the reboot", lambda: self._has_rebooted(before, until), deadline, every=2)

    def _answers(self):
        """Whether an SSH server speaks.

        A connection that QEMU takes while the machine is down leads nowhere, and ssh would
        wait for a word on it until labgrid's `connection_timeout`, most of a deadline.
        """
        service = self._ssh.networkservice
        with socket.create_connection((service.address, service.port), timeout=15) as connection:
            return connection.recv(4) == b"SSH-"

    def _has_rebooted(self, before, until):
        # labgrid tells a connection that fails by a plain Exception.
        try:
            assert self._answers(), "nothing was said"
            self._target.activate(self._ssh)
            if self.boot_id() != before and until():
                return True
            why = "not yet"
        except Exception as error:
            why = f"cannot be asked: {error}"
        # It may restart once more: no connection is kept from look to look.
        with contextlib.suppress(Exception):
            self._hang_up()
        raise AssertionError(why)
