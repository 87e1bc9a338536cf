"""An hour of what cables, computers and DACs do, in an order that a seed decides.

Run with: TOTTON_DEVICE_CLOCK=leaping tests/run bench -- -m long -k usb_audio_soak
TOTTON_SOAK_MINUTES and TOTTON_SOAK_SEED choose length and order.
"""

import csv
import os
import random
import time

import pytest
from daemon_status import Page
from ends import FOLDER, in_background
from eventually import eventually
from programme import noise
from test_faults import DAC, unplugged
from test_stream import shift

pytestmark = [pytest.mark.lg_feature("loopback"), pytest.mark.long, pytest.mark.timeout(4 * 3600)]

FRAGMENT = "/etc/totton-audio/upsampler.d/60-usb.toml"
# Twice the input's rate: what is tried here is the daemon, not the emulated processor.
SETTINGS = '[capture]\ndevice = "hw:UAC2Gadget,0"\nrate = "auto"\n[engine]\nratio = 2\n'
RATES = (44100, 48000, 88200, 96000)
# So many seconds of the DAC's sound are looked at after each step.
STEADY = 6
# Reads sound in pieces of 1024 frames; prints how many sounded, and how many after the first were silent.
LISTEN = r"""
$/ = \8192; my ($loud, $silent) = (0, 0); my $none = "\0" x 8192;
while (<STDIN>) { next unless length == 8192; if ($_ ne $none) { $loud++ } elsif ($loud) { $silent++ } }
print "$loud $silent\n";
"""


class Soak:
    """The bench while it soaks: what was done, and what the daemon must have counted."""

    def __init__(self, host, box, page, dice):
        self.host, self.box, self.page, self.dice = host, box, page, dice
        self.rate = RATES[0]
        self.planned = {"dac-lost": 0, "rate_switches": 0, "input_pauses": 0}

    def play(self):
        player = f"aplay -q -D hw:{self.host.card()},0 -t raw -f S32_LE -c 2 -r {self.rate} --buffer-time=400000"
        source = f"while cat {self.rate}.raw; do :; done"
        self.host.machine.run(in_background(f"cd {FOLDER} && ({source}) | {player} 2>> play.log"))

    def stop_player(self):
        self.host.machine.run("pkill -x aplay; while pgrep -x aplay; do sleep 0.05; done")

    def await_state(self, state):
        def reached():
            status = self.page.status()
            assert status["state"] == state, f"{status['state']}: {status['message']}"
            return status

        return eventually(f"the daemon is {state}", reached, deadline=180)

    def streams(self):
        status = self.await_state("streaming")
        assert status["input"]["rate"] == self.rate, status["input"]
        return status

    # ---- what happens

    def pause(self):
        self.stop_player()
        self.await_state("idle")
        self.planned["input_pauses"] += 1
        self.play()

    def another_rate(self):
        self.stop_player()
        self.await_state("idle")
        self.rate = self.dice.choice([rate for rate in RATES if rate != self.rate])
        self.planned["input_pauses"] += 1
        self.planned["rate_switches"] += 1
        self.play()

    def another_dac_clock(self):
        ppm = self.dice.uniform(-500, 500)
        shift(self.box.device, ppm)

    def dac_unplugged(self):
        with unplugged(self.box.device, DAC):
            self.await_state("waiting-for-dac")
        self.planned["dac-lost"] += 1

    def cable_pulled(self):
        self.host.unplug()
        self.await_state_beside_the_cable("idle")
        self.planned["input_pauses"] += 1
        self.host.plug()
        self.stop_player()
        self.play()

    def await_state_beside_the_cable(self, state):
        """The page cannot be asked without the cable: the daemon's word to systemd can."""
        def reached():
            return "sends no sound" in self.box.device.show("gpu-upsampler", "StatusText")["StatusText"]

        eventually(f"the daemon is {state}", reached, deadline=120)

    def many_orders(self):
        for _ in range(20):
            self.page.change("/api/v1/settings", {"sound": {"gain_db": -round(self.dice.uniform(0, 12), 1)}})
            self.page.status()

    def step(self):
        actions = (self.pause, self.another_rate, self.another_dac_clock, self.dac_unplugged, self.cable_pulled, self.many_orders)
        action = self.dice.choice(actions)
        action()
        return action.__name__

    # ---- what came of it

    def seen(self, status):
        lost = [fault["count"] for fault in status["faults"] if fault["kind"] == "dac-lost"]
        return {"dac-lost": sum(lost), **{name: status["counters"][name] for name in ("rate_switches", "input_pauses")}}

    def listen(self):
        """Pieces of the DAC's sound that were silent while nothing was done."""
        rate = self.streams()["output"]["rate"]
        record = f"arecord -q -D hw:DAC,1 -t raw -f S32_LE -c 2 -r {rate} -d {STEADY} --buffer-time=1000000"
        told = self.box.device.run(f"cd {FOLDER} && chrt -f 30 {record} | perl listen.pl", timeout=300)
        loud, silent = map(int, told.split())
        assert loud > (STEADY - 1) * rate / 1024, told
        return silent

    def resident_kb(self):
        pid = self.box.device.show("gpu-upsampler", "MainPID")["MainPID"]
        return int(self.box.device.run(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{pid}/status"))


@pytest.fixture
def soak(env, device, host, box, tmp_path):
    seed = int(os.environ.get("TOTTON_SOAK_SEED") or time.time())
    print(f"TOTTON_SOAK_SEED={seed}")
    device.run(f"printf '{SETTINGS}' > {FRAGMENT} && systemctl restart gpu-upsampler totton-audio-web", timeout=180)
    host.machine.run(f"mkdir -p {FOLDER}")
    for rate in RATES:
        (tmp_path / f"{rate}.raw").write_bytes(noise(rate).tobytes())
        host.machine.put(tmp_path / f"{rate}.raw", f"{FOLDER}/{rate}.raw")
    (tmp_path / "listen.pl").write_text(LISTEN)
    device.put(tmp_path / "listen.pl", f"{FOLDER}/listen.pl")
    soak = Soak(host, box, Page(host, env.config.get_option("sound_network")), random.Random(seed))
    try:
        soak.await_state("idle")
        yield soak
    finally:
        soak.stop_player()
        shift(device, 0)
        device.run(f"rm {FRAGMENT} && systemctl restart gpu-upsampler totton-audio-web", timeout=180)


def test_an_hour_of_everything_leaves_no_silence_that_was_not_planned(soak, device, artefacts, record_property):
    minutes = float(os.environ.get("TOTTON_SOAK_MINUTES", "60"))
    began, wall, steps = device.uptime(), time.monotonic(), []
    soak.play()
    first = soak.streams()
    before = soak.seen(first)
    xruns = {name: first["counters"][name] for name in ("capture_xruns", "playback_xruns")}
    passed, resident = 0.0, []
    while passed < minutes * 60:
        name = soak.step()
        soak.streams()
        silent = soak.listen()
        status = soak.streams()
        passed = device.uptime() - began
        resident.append((passed, soak.resident_kb()))
        steps.append((round(passed, 1), name, soak.rate, silent, resident[-1][1]))
        where = f"step {len(steps)}, {name}, at {passed:.0f} s"
        assert silent == 0, f"{where}: {silent} pieces of 1024 frames were silent"
        expected = {kind: before[kind] + count for kind, count in soak.planned.items()}
        assert soak.seen(status) == expected, where
        for counter, count in xruns.items():
            assert status["counters"][counter] == count, f"{where}: {counter}"
    with open(artefacts / "usb-audio-soak.csv", "w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows([("seconds", "step", "input_rate", "silent_pieces", "resident_kb"), *steps])
    early = [kb for at, kb in resident if at < minutes * 60 / 3] or [resident[0][1]]
    growth = resident[-1][1] / early[-1] - 1
    told = f"{len(steps)} steps in {passed:.0f} s of the device's time, {time.monotonic() - wall:.0f} s of the wall's; {soak.planned}; memory {growth:+.2%}"
    print(told)
    record_property("soak", told)
    assert growth < 0.01, resident
