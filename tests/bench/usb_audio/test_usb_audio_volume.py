"""The computer's volume and mute reach the daemon, which applies them."""

import re

import pytest
from eventually import eventually
from programme import silence

pytestmark = pytest.mark.on_time


def test_volume_and_mute_of_the_computer_reach_the_daemon(host, upsampling, tmp_path):
    controls = host.machine.run(f"amixer -c {host.card()} scontrols")
    control = re.search(r"'([^']+)'", controls).group(1)

    def at_the_daemon():
        found = upsampling.status()["host_volume"]
        assert found, "the daemon knows of no volume control"
        return round(found["volume_db"]), found["mute"]

    host.start_playing(host.put(tmp_path / "in.wav", 48000, silence(48000, 60.0)))
    for volume, switch in ((-20, "unmute"), (-6, "mute"), (0, "unmute")):
        host.machine.run(f"amixer -q -c {host.card()} sset '{control}' -- {volume}dB {switch}")
        expected = (volume, switch == "mute")
        eventually(f"the daemon knows {expected}", lambda: at_the_daemon() == expected, deadline=30)
        if switch == "mute":
            assert upsampling.status()["gain"]["muted"]
        else:
            assert upsampling.status()["gain"]["total_db"] == pytest.approx(volume, abs=0.1)
