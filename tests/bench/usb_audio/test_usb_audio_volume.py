"""The computer's volume and mute reach the daemon, where the gadget has the controls."""

import re

import pytest
from eventually import eventually
from programme import silence

FRAGMENT = "/etc/totton-audio/gadget.d/60-volume.toml"
SERVICES = "totton-audio-web gpu-upsampler"

pytestmark = pytest.mark.trial


@pytest.fixture
def volume_control(host, device, upsampling):
    """The gadget with `audio.volume_control`; gives the name of the control at the computer."""

    def set_up_anew(change):
        host.unplug()
        device.run(f"systemctl stop {SERVICES} totton-audio-gadget", timeout=180)
        device.run(change)
        device.run(f"systemctl start totton-audio-gadget {SERVICES}", timeout=180)
        host.plug()

    set_up_anew(f"mkdir -p $(dirname {FRAGMENT}) && printf '[audio]\\nvolume_control = true\\n' > {FRAGMENT}")
    controls = host.machine.run(f"amixer -c {host.card()} scontrols")
    yield re.search(r"'([^']+)'", controls).group(1)
    set_up_anew(f"rm {FRAGMENT}")


def test_volume_and_mute_of_the_computer_reach_the_daemon(host, upsampling, volume_control, tmp_path):
    def at_the_daemon():
        found = upsampling.status()["host_volume"]
        assert found, "the daemon knows of no volume control"
        return round(found["volume_db"]), found["mute"]

    host.start_playing(host.put(tmp_path / "in.wav", 48000, silence(48000, 60.0)))
    for volume, switch in ((-20, "unmute"), (-6, "mute"), (0, "unmute")):
        host.machine.run(f"amixer -q -c {host.card()} sset '{volume_control}' -- {volume}dB {switch}")
        expected = (volume, switch == "mute")
        eventually(f"the daemon knows {expected}", lambda: at_the_daemon() == expected, deadline=30)
        if switch == "mute":
            assert upsampling.status()["gain"]["muted"]
        else:
            assert upsampling.status()["gain"]["total_db"] == pytest.approx(volume, abs=0.1)
