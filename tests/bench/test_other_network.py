"""The device is on a second network, too: whoever is there is a stranger.

`cable0` is that network on the bench (it carries the virtual cable, and stands here for an
Ethernet or Wi-Fi of the house). Every question that is asked there is asked on the USB
network, too, and answered: a probe that cannot ask would prove nothing.
"""

import contextlib
import json
from pathlib import Path

import pytest
from eventually import eventually
from test_cable import leased_address, page_loads, usb_network

# A board has no second network that the tests know of.
pytestmark = pytest.mark.lg_feature("bench")

USB, OTHER, DEVICE_THERE, PC_THERE = "192.168.55.1", "cable0", "10.55.0.1", "10.55.0.2"
WEB = "totton-audio-web"
PROBE = "/tmp/network_probe.py"
FRAGMENT = "/etc/totton-audio/web.d/60-other-network.toml"
PASSWORD = "correct horse"
PASSWORD_FILES = "/opt/totton_audio/data/password.json /opt/totton_audio/data/browsers.json"
# curl: the connection was refused. The frame has arrived, and nothing listens.
REFUSED = 7


@pytest.fixture(scope="module")
def ask(pc, cable):
    """Runs the probe on the PC: the answer, or None."""
    pc.put(Path(__file__).with_name("network_probe.py"), PROBE)

    def asked(*words):
        status, out, err = pc.attempt(f"python3 {PROBE} {' '.join(words)}")
        assert status in (0, 1) and not err, f"{words}: {out}{err}"
        return out.strip() if status == 0 else None

    eventually("an address by DHCP", lambda: leased_address(pc), deadline=120)
    yield asked
    pc.run(f"rm {PROBE}")


@pytest.fixture
def forced(pc, device):
    """The PC sends what is for the device's USB address over the other network, and asks nobody."""
    mac = device.run(f"cat /sys/class/net/{OTHER}/address").strip()
    pc.run(f"ip neigh replace {USB} lladdr {mac} dev {OTHER} nud permanent")
    pc.run(f"ip route add {USB}/32 dev {OTHER} src {PC_THERE} metric 1")
    yield
    pc.run(f"ip route del {USB}/32 dev {OTHER} metric 1; ip neigh del {USB} dev {OTHER}")


def curl(pc, host, path, *options):
    """HTTP status and body, or curl's exit status and its message."""
    status, out, err = pc.attempt(
        f"curl -sS --interface {OTHER} -m 20 -w '\\n%{{http_code}}' {' '.join(options)} http://{host}{path}", timeout=60
    )
    if status != 0:
        return status, err
    body, code = out.rsplit("\n", 1)
    return int(code), body


def test_nobody_answers_for_the_usb_address_on_another_network(ask, pc, device):
    assert ask("arp", usb_network(pc), leased_address(pc), USB)
    mac = device.run(f"cat /sys/class/net/{OTHER}/address").strip()
    assert ask("arp", OTHER, PC_THERE, DEVICE_THERE) == mac
    assert ask("arp", OTHER, PC_THERE, USB) is None


def test_page_does_not_answer_on_another_network_even_if_the_frames_arrive(cable, pc, forced):
    status, told = curl(pc, USB, "/api/v1/session")
    assert status == REFUSED, f"{status}: {told}"


def test_mdns_answers_on_the_usb_network_only(ask, pc, forced):
    name = "totton-audio.local"
    assert ask("mdns", usb_network(pc), "224.0.0.251", name)
    for destination in ("224.0.0.251", DEVICE_THERE, USB):
        assert ask("mdns", OTHER, destination, name) is None, destination


def test_dhcp_answers_on_the_usb_network_only(ask, pc):
    assert ask("dhcp", usb_network(pc)).startswith("192.168.55.")
    assert ask("dhcp", OTHER) is None


def kernel_settings(device):
    """What is not as it should be, by file: found and wanted."""
    wanted = {
        # The larger of `all` and the interface's own counts.
        "ipv4/conf/all/arp_ignore": "1",
        "ipv4/conf/all/arp_announce": "2",
    }
    for interface in ("all", "usb0", OTHER):
        wanted |= {
            f"ipv4/conf/{interface}/rp_filter": "1",
            f"ipv4/conf/{interface}/accept_redirects": "0",
            f"ipv4/conf/{interface}/secure_redirects": "0",
            f"ipv4/conf/{interface}/send_redirects": "0",
            f"ipv4/conf/{interface}/accept_source_route": "0",
            f"ipv6/conf/{interface}/accept_redirects": "0",
        }
    # `all` has no say in these.
    wanted |= {f"ipv6/conf/{interface}/accept_ra": "0" for interface in ("usb0", OTHER)}
    told = device.run("cd /proc/sys/net && grep . " + " ".join(wanted))
    found = dict(line.split(":", 1) for line in told.splitlines())
    assert found.keys() == wanted.keys(), told
    return {file: (found[file], value) for file, value in wanted.items() if found[file] != value}


def test_kernel_settings_hold(device):
    assert kernel_settings(device) == {}


def test_a_new_usb0_has_the_settings_and_the_page(device, pc, cable, playing):
    """The gadget's reload makes the interface anew; its restart would restart every service."""
    index = lambda: device.run("cat /sys/class/net/usb0/ifindex").strip()
    before, service = index(), device.show(WEB, "InvocationID", "MainPID")
    with cable.pulled():
        device.run("systemctl reload totton-audio-gadget", timeout=180)
    assert index() != before
    eventually("the page loads", lambda: page_loads(pc), deadline=120)
    assert device.show(WEB, "InvocationID", "MainPID") == service
    assert kernel_settings(device) == {}


@contextlib.contextmanager
def other_network_served(device):
    # The folder is a link to the data partition, where nobody has made it yet.
    device.run(f"mkdir -p $(readlink -m $(dirname {FRAGMENT})) && echo 'listen.other_interfaces = [\"{OTHER}\"]' > {FRAGMENT}")
    try:
        yield
    finally:
        device.run(f"rm -f {FRAGMENT} {PASSWORD_FILES}; systemctl reset-failed {WEB}; systemctl restart {WEB}", timeout=120)


def test_another_network_is_not_served_without_a_password(device, pc, cable, playing):
    with other_network_served(device):
        device.run(f"systemctl restart {WEB}", timeout=120)
        # The USB network is: it is where a password is set, also the one after a reset.
        eventually("the page loads over USB", lambda: page_loads(pc), deadline=120)
        assert curl(pc, DEVICE_THERE, "/")[0] == REFUSED
        told = device.run(f"journalctl -b -u {WEB} -p err -n 1 --no-pager -o cat")
        assert OTHER in told and "no password is set" in told, told
        set_password = json.dumps({"current": None, "new": PASSWORD})
        pc.run(f"curl -sSf -m 20 -X PUT -H 'Content-Type: application/json' --data '{set_password}' http://{USB}/api/v1/password")
        eventually("it is served there", lambda: curl(pc, DEVICE_THERE, "/")[0] == 200, deadline=60)
    eventually("the page loads", lambda: page_loads(pc), deadline=120)


def test_another_network_that_is_named_is_served_behind_the_password(device, pc, cable, playing):
    def send(host, method, path, body, *options):
        return curl(pc, host, path, f"-X {method} -H 'Content-Type: application/json' --data '{json.dumps(body)}'", *options)

    def over_usb(method, path, body):
        return pc.run(
            f"curl -sS -m 20 -o /dev/null -w '%{{http_code}}' -X {method} -H 'Content-Type: application/json'"
            f" --data '{json.dumps(body)}' http://{USB}{path}"
        ).strip()

    eventually("the page loads", lambda: page_loads(pc), deadline=120)
    assert curl(pc, DEVICE_THERE, "/")[0] == REFUSED
    assert over_usb("PUT", "/api/v1/password", {"current": None, "new": PASSWORD}) == "200"
    with other_network_served(device):
        device.run(f"systemctl restart {WEB}", timeout=120)
        # By its address there, which stands in no list.
        eventually("the page is served there", lambda: curl(pc, DEVICE_THERE, "/")[0] == 200, deadline=120)
        assert curl(pc, DEVICE_THERE, "/", "-H 'Host: evil.example'")[0] == 421
        # An address of this device, on another of its networks.
        assert curl(pc, DEVICE_THERE, "/", "-H 'Host: 10.0.2.15'")[0] == 421
        assert curl(pc, DEVICE_THERE, "/api/v1/status")[0] == 401
        assert send(DEVICE_THERE, "PUT", "/api/v1/mute", {"mute": True})[0] == 401
        assert send(DEVICE_THERE, "POST", "/api/v1/session", {"password": PASSWORD}, "-c /tmp/jar")[0] == 200
        assert curl(pc, DEVICE_THERE, "/api/v1/status", "-b /tmp/jar")[0] == 200
        # It would stand open.
        status, told = send(DEVICE_THERE, "PUT", "/api/v1/password", {"current": PASSWORD, "new": None}, "-b /tmp/jar")
        assert status == 409 and OTHER in told, told
        eventually("the page loads over USB", lambda: page_loads(pc), deadline=120)
    pc.run("rm /tmp/jar")
    eventually("the page loads", lambda: page_loads(pc), deadline=120)
    assert curl(pc, DEVICE_THERE, "/")[0] == REFUSED
