"""A shell script in the sandbox of one of the device's services.

A probe is a copy of the service's own unit: the same user, groups and sandbox, but a shell
script instead of the program. A sandbox that lets no shell start gets the folders of the
shell added for the probe, and nothing else.
"""

import re
import shlex
import textwrap
import uuid

import pytest

WORK = "/run/least-power"
UNITS = "/run/systemd/system"
# Directives that say when a service runs, not what it may do.
LEFT_OUT = re.compile(
    r"^(Requires|BindsTo|PartOf|Wants|After|Type|NotifyAccess|Exec(?:Start|Stop|Reload)\w*|Restart\w*|Watchdog\w+|Standard\w+|OOM\w+|WantedBy)="
)


class Sandbox:
    """Runs shell scripts as a service would run its program."""

    def __init__(self, device, service):
        self.device, self.service = device, service
        self.probe = None
        unit = device.run(f"systemctl cat {service}").splitlines()
        self._unit = [line for line in unit if not LEFT_OUT.match(line) and line != "[Install]"]
        self._shell = None
        self._units = []

    def start(self, script, shell=True):
        """Starts the probe; returns (whether it ended well, what it wrote)."""
        if shell != self._shell:
            self._install(shell)
        # `out` is opened by systemd, before the probe is in its sandbox.
        out = self.device.run(
            f"printf %s {shlex.quote(textwrap.dedent(script))} > {WORK}/script; : > {WORK}/out;"
            f" systemctl start {self.probe}; echo $?; cat {WORK}/out",
            timeout=180,
        )
        status, _, told = out.partition("\n")
        return status == "0", told

    def _install(self, shell):
        lines = [*self._unit, "[Service]", "Type=oneshot", f"ExecStart=/bin/sh {WORK}/script", "TimeoutStartSec=90"]
        lines += [f"StandardOutput=append:{WORK}/out", f"StandardError=append:{WORK}/out"]
        if shell:
            lines.append("ExecPaths=/bin /usr/bin")
        unit = shlex.quote("\n".join(lines))
        # A name that systemd has not read before: to have it read one anew (daemon-reload) costs an
        # emulated device seconds.
        self.probe = f"probe-{self.service.replace('@', '-')}-{uuid.uuid4().hex[:8]}"
        self._units.append(f"{self.probe}.service")
        self.device.run(f"mkdir -p {WORK} {UNITS} && printf '%s\n' {unit} > {UNITS}/{self.probe}.service")
        self._shell = shell

    def run(self, script):
        """The lines that the script writes; it must end well."""
        ended_well, out = self.start(script)
        assert ended_well, f"the probe of {self.service} failed:\n{out}"
        return out.splitlines()

    def can(self, *commands):
        """For each command whether it succeeds in there. One probe tries them all: on an emulated
        processor a start of a sandbox takes seconds."""
        script = "\n".join(f"if {command}; then echo =yes; else echo =no; fi 2>&1" for command in commands)
        answers, words = [], []
        for line in self.run(script):
            if line in ("=yes", "=no"):
                print(f"{self.service}: {commands[len(answers)]}: {line} {' '.join(words)}")
                answers.append(line == "=yes")
                words = []
            else:
                words.append(line)
        assert len(answers) == len(commands), answers
        return dict(zip(commands, answers))

    def allowed(self, *commands):
        """Those of the commands that succeed in there."""
        return [command for command, succeeds in self.can(*commands).items() if succeeds]

    def connects(self, *paths):
        """Those of the stream sockets in the file system that take a connection."""
        if self.device.attempt("command -v perl")[0] != 0:
            pytest.skip("no perl on this device: nothing there connects to a socket and says why not")
        connect = (
            "for (@ARGV) { my $taken = socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un($_));"
            ' print $taken ? "connected" : "$!", "\\n" }'
        )
        words = self.run(f"perl -MSocket -e '{connect}' {' '.join(paths)} 2>&1")
        print(f"{self.service}: connect {paths}: {words}")
        assert len(words) == len(paths), words
        assert set(words) <= {"connected", "Permission denied", "No such file or directory"}, words
        return [path for path, word in zip(paths, words) if word == "connected"]

    def remove(self):
        self.device.run(f"rm -rf {WORK}")
        if self._units:
            units = " ".join(self._units)
            # One that has failed is kept by systemd until it is told to forget.
            self.device.run(f"cd {UNITS} && rm -f {units}; systemctl reset-failed {units} 2> /dev/null || true")
