"""The gadget's set-up when things are not as they should be."""

import json

import pytest
from eventually import eventually
from test_cable import page_loads, usb_network

GADGET = "totton-audio-gadget"
# Not in /etc, which the product's images have read-only.
NO_UAC2 = "/run/modprobe.d/bench-no-uac2.conf"


@pytest.fixture
def without_uac2(device, cable):
    """The kernel has no UAC2 function, as if its driver could not bind."""
    with cable.pulled():
        device.run("systemctl stop totton-audio-web gpu-upsampler totton-audio-gadget", timeout=180)
        device.run(f"mkdir -p /run/modprobe.d && echo 'install usb_f_uac2 /bin/false' > {NO_UAC2} && modprobe -r usb_f_uac2")
        device.run("systemctl start totton-audio-gadget gpu-upsampler totton-audio-web", timeout=180)
    yield
    with cable.pulled():
        device.run("systemctl stop totton-audio-web gpu-upsampler totton-audio-gadget", timeout=180)
        device.run(f"rm -f {NO_UAC2} && modprobe usb_f_uac2")
        device.run("systemctl start totton-audio-gadget gpu-upsampler totton-audio-web", timeout=180)


@pytest.mark.lg_feature("bench")
def test_without_a_sound_card_the_box_stays_reachable_and_says_so(device, api, cable, playing, without_uac2):
    shown = device.show(GADGET, "ActiveState", "ExecMainStatus")
    assert shown == {"ActiveState": "active", "ExecMainStatus": "3"}
    status, out, _ = device.attempt("totton-audio-gadget-setup status --json")
    told = json.loads(out)
    assert status == 3 and told["state"] == "bound" and told["degraded"], told
    assert not any("uac2" in name for name in told["functions"]), told
    warnings = device.run(f"journalctl -b -u {GADGET} -p warning --no-pager -o cat")
    assert "NO SOUND CARD" in warnings, warnings
    # The PC has no sound card, and still has the page.
    eventually("a USB network interface", lambda: usb_network(cable.pc))
    eventually("the page loads", lambda: page_loads(cable.pc), deadline=180)
    assert "Totton" not in cable.pc.run("cat /proc/asound/cards")


def test_start_is_idempotent(device, playing):
    before = device.run("totton-audio-gadget-setup status --json")
    assert "already" in device.run("totton-audio-gadget-setup start 2>&1")
    assert device.run("totton-audio-gadget-setup status --json") == before


def test_bad_gadget_configuration_names_file_key_and_accepted_values(device):
    fragment = "/run/bad-gadget.toml"
    text = device.run("cat /etc/totton-audio/gadget.toml").replace('"ncm"', '"carrier-pigeon"')
    assert "carrier-pigeon" in text
    device.run(f"cat > {fragment} <<'EOF'\n{text}\nEOF")
    status, _, error = device.attempt(f"totton-audio-gadget-setup start --config {fragment}")
    device.run(f"rm {fragment}")
    assert status == 2, error
    assert fragment in error and "carrier-pigeon" in error and "ncm" in error and "ecm" in error, error
