"""What a daemon or a page that was taken over still reaches, tried from inside its sandbox (sandbox.py)."""

import json

import pytest
from eventually import eventually
from machine import API
from sandbox import WORK, Sandbox

DAEMON, PAGE = "gpu-upsampler", "totton-audio-web"
DATA = "/opt/totton_audio/data"
# Where a service may write. The daemon's settings and the page's documents are on a partition
# that is mounted noexec.
WRITABLE = {
    DAEMON: ("/tmp", "/var/tmp", "/dev/shm", "/run/totton-audio"),
    PAGE: ("/tmp", "/var/tmp", "/dev/shm", DATA),
}
# Of the root file system, and read-only there.
ROOTS = ("/usr/lib", "/opt/totton_audio/bin", "/etc")


@pytest.fixture
def daemon(device):
    sandbox = Sandbox(device, DAEMON)
    yield sandbox
    sandbox.remove()


@pytest.fixture
def page(device):
    sandbox = Sandbox(device, PAGE)
    yield sandbox
    sandbox.remove()


@pytest.fixture
def document(device):
    """A file that the page keeps. Everybody may read it by its mode: what hides it is the sandbox."""
    file = f"{DATA}/least-power.json"
    device.run(f"install -o totton_audio -g totton_audio -m 0644 /dev/null {file}")
    yield file
    device.run(f"rm -f {file}")


def test_the_updater_is_the_page_s_alone(daemon, page):
    sockets = ["/run/swupdate/control.sock", "/run/swupdate/progress.sock"]
    assert page.connects(*sockets) == sockets
    assert daemon.connects(*sockets) == []


def test_the_daemon_neither_sees_nor_writes_what_the_page_keeps(device, daemon, page, document):
    read = f"cat {document}"
    assert page.allowed(read, *(f"touch {folder}/by-the-page" for folder in ROOTS)) == [read]
    assert daemon.allowed(
        read,
        f"ls {DATA}/password.json {DATA}/presets {DATA}/system",
        *(f"touch {DATA}{folder}/by-the-daemon" for folder in ("", "/filters", "/config", "/system")),
        *(f"touch {folder}/by-the-daemon" for folder in ROOTS),
    ) == []
    # What it needs it has.
    needed = [
        f"ls {DATA}/filters && touch {DATA}/upsampler/probe && rm {DATA}/upsampler/probe",
        "ls -l /etc/totton-audio && ls -L /etc/totton-audio/upsampler.d",
    ]
    assert daemon.allowed(*needed) == needed


def test_the_daemon_has_no_power_switch_no_bus_and_no_network(daemon, page):
    bus = "/run/dbus/system_bus_socket"
    assert daemon.connects("/run/totton-audio-power/restart-audio", bus) == []
    assert page.connects(bus) == [bus], "systemctl show asks there"
    interfaces = [line.split(":")[0].strip() for line in daemon.run("cat /proc/net/dev") if ":" in line]
    assert interfaces == ["lo"]


@pytest.mark.parametrize("service", [DAEMON, PAGE])
def test_no_shell_starts_in_a_service(device, service):
    sandbox = Sandbox(device, service)
    try:
        assert sandbox.start("echo started") == (True, "started"), "the probe itself"
        assert sandbox.start("echo started", shell=False)[0] is False
        shown = device.show(sandbox.probe, "ExecMainStatus", "Result")
        assert shown == {"ExecMainStatus": "203", "Result": "exit-code"}, shown
        # Nor by way of the loader, which may run, and maps the shell from where it lies; nor what
        # the service has written itself.
        loader = "$(ls /lib*/ld-linux-$(uname -m | tr _ -).so.* | head -n 1)"
        assert sandbox.run(f"{loader} /bin/sh -c 'echo started'") == ["started"], "where programs may run"
        device.run(f"cp /bin/sh {WORK}/sh")
        tries = [f"echo in {WORK}; {loader} {WORK}/sh -c 'echo started'; {WORK}/sh -c 'echo started'"]
        tries += [
            f"echo in {place}; cp /bin/sh {place}/sh && {loader} {place}/sh -c 'echo started'; {place}/sh -c 'echo started'; rm {place}/sh"
            for place in WRITABLE[service]
        ]
        told = sandbox.run("exec 2>&1\n" + "\n".join(tries) + "\ntrue")
        assert "started" not in told, told
        # It was copied, and twice refused in each place.
        refused = [line for line in told if "Permission denied" in line or "failed to map" in line]
        assert len(refused) == 2 * len(tries), told
    finally:
        sandbox.remove()


@pytest.mark.parametrize("service", [DAEMON, PAGE])
def test_a_service_sees_no_process_of_anybody_else(device, service):
    sandbox = Sandbox(device, service)
    try:
        script = """
            for folder in /proc/[0-9]*; do
                [ -O "$folder" ] || echo "$folder $(tr '\\0' ' ' < $folder/cmdline)"
            done
            [ -d /proc/self ] && echo looked
        """
        assert sandbox.run(script) == ["looked"]
    finally:
        sandbox.remove()


def test_the_page_does_not_reach_the_daemon_s_settings_nor_the_journal_s_files(device, page):
    hidden = [f"{DATA}/upsampler", f"{DATA}/system", "/run/avahi-daemon"]
    device.run(f"ls {' '.join(hidden)}")
    assert page.allowed(
        *(f"ls {folder}" for folder in hidden),
        f"touch {DATA}/upsampler/by-the-page",
        f"mv {DATA}/upsampler {DATA}/mine",
        f"touch {DATA}/config/by-the-page",
        "touch /run/totton-audio/by-the-page",
    ) == []
    # What the API offers it has: the daemon's two sockets, and the log.
    needed = [f"touch {DATA}/probe && rm {DATA}/probe", "journalctl --quiet --lines=1 --no-pager"]
    assert page.allowed(*needed) == needed
    control = "/run/totton-audio/control.sock"
    assert page.connects(control) == [control]


def test_the_page_sends_nothing_to_the_internet(device, page):
    if device.attempt("test -x /bin/bash")[0] != 0:
        pytest.skip("no bash on this device: nothing there sends a datagram")
    # 192.0.2.1 is nobody's (RFC 5737). The kernel says EPERM to a datagram that the filter drops.
    device.run("ip route replace 192.0.2.1/32 dev lo")
    try:
        send = [f"bash -c 'echo x > /dev/udp/{address}/9'" for address in ("127.0.0.1", "192.168.55.1", "192.0.2.1")]
        assert page.allowed(*send) == send[:2]
    finally:
        device.run("ip route del 192.0.2.1/32 dev lo")


def test_a_filter_that_was_uploaded_is_read_by_the_daemon(device, pc, playing, tmp_path):
    pc.put(device.get("/opt/totton_audio/filters/bench-x16.filter", tmp_path / "bench.filter"), "/tmp/bench.filter")
    origin = "-H 'Origin: http://totton-audio.local'"
    kind = "-H 'Content-Type: application/octet-stream'"
    sent = pc.run(f"curl -sSf -m 60 {origin} {kind} --data-binary @/tmp/bench.filter '{API}/filters?name=least-power'")
    file = json.loads(sent)["file"]
    try:
        # What the page lists of it, the daemon has read in its header.
        listed = eventually(
            "the daemon lists the filter",
            lambda: [
                listed
                for choice in json.loads(pc.run(f"curl -sSf -m 20 {API}/filters"))["filters"]
                for listed in choice["files"]
                if listed["file"] == f"{DATA}/filters/{file}"
            ],
            deadline=30,
        )
        assert listed[0]["taps"] and not listed[0].get("problem"), listed
    finally:
        device.run(f"rm {DATA}/filters/{file}")


def test_data_of_the_version_before_is_put_right_and_no_link_is_followed(device):
    device.run(
        f"""set -e
        chown gpu-upsampler:totton_audio {DATA}/upsampler && chmod 0750 {DATA}/upsampler
        install -o gpu-upsampler -g totton_audio -m 0660 /dev/null {DATA}/upsampler/least-power
        install -o totton_audio -g totton_audio -m 0600 /dev/null {DATA}/filters/least-power.filter
        install -o root -g root -m 0600 /dev/null /run/least-power
        ln -s /run/least-power {DATA}/filters/link.filter
        chown -h totton_audio:totton_audio {DATA}/filters/link.filter"""
    )
    try:
        # It complains of the link, which is right.
        device.attempt("systemd-tmpfiles --create /usr/lib/tmpfiles.d/totton-audio.conf")
        modes = device.run(
            f"stat -c '%a %U %G %n' {DATA} {DATA}/upsampler {DATA}/filters {DATA}/filters/least-power.filter /run/least-power /run/totton-audio"
        ).splitlines()
        assert [line.rsplit("/", 1)[0].split(" /")[0] for line in modes] == [
            "1771 root totton_audio",
            "700 gpu-upsampler gpu-upsampler",
            "755 totton_audio totton_audio",
            "644 totton_audio totton_audio",
            "600 root root",
            "2750 gpu-upsampler totton_audio",
        ]
        assert device.run(f"stat -c %U {DATA}/upsampler/least-power") == "gpu-upsampler"
    finally:
        device.run(f"rm -f {DATA}/upsampler/least-power {DATA}/filters/least-power.filter {DATA}/filters/link.filter /run/least-power")


def test_the_services_sockets_are_for_the_page_s_group(device, playing):
    for name in ("control", "telemetry"):
        assert device.run(f"stat -c '%a %U %G' /run/totton-audio/{name}.sock") == "660 gpu-upsampler totton_audio"
    assert device.run("id -nG gpu-upsampler").split() == ["gpu-upsampler"]
