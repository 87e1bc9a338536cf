"""The two ends of the cable, and what the tests of all files share."""

import contextlib
import json
import os
from pathlib import Path

import claims
import diagnosis
import on_time
import pytest
from eventually import eventually
from leftovers import Leftovers
from machine import API, Machine
from page import browser, chromium  # noqa: F401 (fixtures)

UNITS = ("totton-audio-gadget", "gpu-upsampler", "totton-audio-web")


def pytest_configure(config):
    claims.register(config)
    config.pluginmanager.register(on_time.Plugin(), "on-time")


class Cable:
    """The USB cable between the PC and the device, seen from the PC."""

    def __init__(self, pc, plug, unplug):
        self.pc, self._plug, self._unplug = pc, plug, unplug

    def plug(self):
        self.pc.run(self._plug, timeout=180)

    def unplug(self):
        self.pc.run(self._unplug, timeout=180)

    @contextlib.contextmanager
    def pulled(self):
        """The cable is out meanwhile.

        Whoever unbinds the gadget on the virtual bench pulls it first: usbip-vudc
        handles the end of a connection late, in the middle of the next bind, and
        the new gadget's network then never sends (seen with kernel 6.12).
        """
        self.unplug()
        yield
        self.plug()

    def is_seen(self):
        """Whether the PC lists the gadget on its bus."""
        return self.pc.attempt("lsusb -d 1d6b:0104")[0] == 0


class Api:
    """The device's HTTP API, asked by the PC through the USB network."""

    def __init__(self, pc):
        self.pc = pc

    def status(self):
        """The daemon's status, or an AssertionError that says why there is none."""
        out = self.pc.run(f"curl -sS -m 20 -w '\\n%{{http_code}}' {API}/status", timeout=60)
        body, code = out.rsplit("\n", 1)
        assert code == "200", f"HTTP {code}: {body}"
        return json.loads(body)

    def telemetry(self):
        """The next telemetry that a page would get."""
        out = self.pc.run(f"timeout 20 curl -sSN {API}/events | grep -m 1 -A 1 '^event: telemetry' | sed -n 's/^data: //p'", timeout=60)
        return json.loads(out)

    def streaming(self):
        """The status, once sound flows."""
        status = self.status()
        assert status["state"] == "streaming", f"{status['state']}: {status['message']}"
        return status


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test tells how both machines were at that moment."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name in ("device", "pc"):
            machine = getattr(item, "funcargs", {}).get(name)
            if machine is not None:
                report.sections.append((f"{name} when it failed", diagnosis.of(machine)))


@pytest.fixture(autouse=True)
def both_machines(device, pc):
    """Every test has both, so that its failure can tell of both."""


@pytest.fixture(scope="session")
def leftovers(device, pc):
    return Leftovers(device, pc)


@pytest.fixture(autouse=True)
def each_test_stands_alone(request, leftovers, both_machines):
    """A test finds a box on which nobody has set anything: what the one before set is put back. One that
    leaves files fails."""
    # Only through the API is anything set.
    looks = {"browser", "api"} & set(request.fixturenames)
    if looks:
        leftovers.look()
    files = leftovers.files()
    yield
    if looks:
        leftovers.put_back()
    left = sorted(leftovers.files() - files)
    assert left == [], f"left behind: {left}"


@pytest.fixture(scope="session")
def artefacts():
    folder = Path(os.environ.get("TOTTON_ARTEFACTS", "artefacts")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def device(env):
    """The box under test, once it has finished booting."""
    machine = Machine("device", env.get_target("device"))
    eventually(
        "the device has finished booting",
        lambda: machine.attempt("systemctl is-system-running --wait", timeout=240)[1].strip()
        in ("running", "degraded"),
        deadline=300,
    )
    return machine


@pytest.fixture(scope="session")
def pc(env):
    """The listener's computer."""
    return Machine("pc", env.get_target("pc"))


@pytest.fixture(scope="session")
def cable(env, device, pc):
    cable = Cable(pc, env.config.get_option("plug"), env.config.get_option("unplug"))
    if not cable.is_seen():
        cable.plug()
    return cable


@pytest.fixture(scope="session")
def api(cable):
    return Api(cable.pc)


@pytest.fixture
def playing(api):
    """Sound flows and the page's API tells so; the status at that moment."""
    return eventually("the stream runs", api.streaming, deadline=120)


@pytest.fixture
def services_restored(device):
    """Whatever the test did to the services, they run again after it."""
    yield
    device.attempt("systemctl reset-failed " + " ".join(UNITS))
    device.run("systemctl start " + " ".join(UNITS), timeout=180)
