"""A forgotten password is removed by a USB stick: by whoever holds the box in his hands, and by nobody else."""

import json

import pytest
from eventually import eventually
from machine import API
from page import PAGE, browser, click, forget, parts, part, shown_state  # noqa: F401 (a fixture)
from stick import connected

# The sticks are QEMU's.
pytestmark = pytest.mark.lg_feature("bench")

WEB = "totton-audio-web"
UNIT = "totton-audio-password-reset"
FILE = "/opt/totton_audio/data/password.json"


def send(pc, method, path, body):
    """HTTP status of a request with a JSON body."""
    text = pc.run(
        f"curl -sS -m 20 -o /dev/null -w '%{{http_code}}' -X {method} -H 'Content-Type: application/json'"
        f" --data '{json.dumps(body)}' {API}/{path}",
        timeout=60,
    )
    return int(text.strip())


def session(pc):
    """What the page would ask first; AssertionError while the page is away."""
    status, out, err = pc.attempt(f"curl -sS -m 5 {API}/session", timeout=30)
    assert status == 0, err
    return json.loads(out)


def said(device):
    return [str(entry.get("MESSAGE", "")) for entry in device.journal(f"-t {UNIT}")]


def seen(device):
    """Whether udev has read a stick's label."""
    return "ID_FS_TYPE=vfat" in device.attempt("udevadm settle; udevadm info --query=property --name=/dev/sda")[1]


@pytest.fixture
def locked(device, pc, playing):
    """The box has a password."""
    assert send(pc, "PUT", "password", {"current": None, "new": "forgotten horse"}) == 200
    yield
    device.run(f"rm -f {FILE}; systemctl restart {WEB}")
    eventually("the page is open again", lambda: session(pc)["open"])


def test_stick_with_the_right_label_removes_the_password_and_another_does_not(device, pc, locked, tmp_path):
    assert session(pc) == {"password_set": True, "open": False}
    lines = len(said(device))
    with connected(tmp_path, "TOTTONOTHER"):
        eventually("the other stick is seen", lambda: seen(device))
        # The unit would be a job of the device's own start.
        eventually("systemd has the device", lambda: device.run("systemctl is-active dev-sda.device").strip() == "active")
        assert session(pc)["password_set"] is True
        assert said(device)[lines:] == []
    with connected(tmp_path, "TOTTONRESET"):
        eventually("the password is gone", lambda: session(pc) == {"password_set": False, "open": True}, deadline=90)
        assert any("password and all its sessions were removed" in line for line in said(device)[lines:])
        assert "/dev/sda" not in device.run("cat /proc/mounts")
        assert device.show(UNIT, "Result")["Result"] == "success"
        # It happens when a stick is connected, not as long as it is there.
        assert send(pc, "PUT", "password", {"current": None, "new": "another horse"}) == 200
        device.run("udevadm trigger --action=change --settle /dev/sda")
        assert session(pc)["password_set"] is True


def test_box_with_a_damaged_password_file_is_closed_until_a_stick_resets_it(device, pc, locked, tmp_path):
    device.run(f"systemctl stop {WEB}; echo '{{' > {FILE}; systemctl start {WEB}")
    eventually("the page says why it does not start", lambda: any(
        "TOTTONRESET" in str(entry.get("MESSAGE", "")) for entry in device.journal(f"-u {WEB}")
    ))
    with pytest.raises(AssertionError):
        session(pc)
    with connected(tmp_path, "TOTTONRESET"):
        eventually("the page is back, and open", lambda: session(pc)["open"], deadline=90)


def test_log_in_page_says_how_a_forgotten_password_is_removed(device, pc, locked, browser, tmp_path):  # noqa: F811
    browser.get(PAGE)
    forget(browser)
    browser.get(PAGE)
    eventually("the password is asked for", lambda: parts(browser, "login-password"))
    click(browser, part(browser, "forgotten"))
    assert "TOTTONRESET" in browser.find_element("css selector", ".dialog details").text
    with connected(tmp_path, "TOTTONRESET"):
        eventually("the password is gone", lambda: session(pc)["open"], deadline=90)
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=90)
    assert not parts(browser, "login-dialog")
