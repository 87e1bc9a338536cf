"""The box steers the computer's rate, and what else is on the cable disturbs nothing."""

import csv
import re

import numpy as np
import plot
import pytest
from eventually import eventually
from programme import LEAD, TAIL, difference, noise, silence

pytestmark = pytest.mark.on_time

PITCH = "Capture Pitch 1000000"
FRAME_BYTES = 8
# bInterval 3 of the OUT endpoint at high speed: four microframes.
INTERVAL = 500e-6
# How often the page is loaded while the sound plays.
PAGES = 20


def mean_interval(rows):
    """Between packets, in seconds. Single ones are as late as the emulator: its clock goes with
    the computer's while the machine sleeps, so a busy computer wakes it late (32 ms seen)."""
    return (rows[-1, 0] - rows[0, 0]) / (len(rows) - 1)


def sound_endpoint(traced):
    """The OUT endpoint of the sound: the one whose packets come 2000 times a second."""
    for name, rows in traced.items():
        if name.endswith("out") and len(rows) > 1 and mean_interval(rows) == pytest.approx(INTERVAL, rel=0.05):
            return rows
    raise AssertionError(f"no stream: {[(name, len(rows)) for name, rows in traced.items()]}")


@pytest.mark.parametrize("rate", [44100, 192000])
def test_packets_come_at_the_endpoint_s_interval(host, box, packets, tmp_path, record_property, rate):
    host.start_playing(host.put(tmp_path / "in.wav", rate, silence(rate, 12.0)))
    eventually("the stream runs", lambda: box.capture_rate() == rate)
    rows = sound_endpoint(packets.trace(4, tmp_path))
    host.end_player("INT")
    apart = np.diff(rows[:, 0])
    mean = mean_interval(rows)
    frames = rows[:, 1] / FRAME_BYTES
    record_property("longest time between two packets (us)", f"{apart.max() * 1e6:.0f}")
    print(f"{len(rows)} packets, {mean * 1e6:.2f} us apart, at most {apart.max() * 1e6:.0f} us")
    assert mean == pytest.approx(INTERVAL, rel=0.01)
    # Nominal size or one frame more or less, as hosts send them.
    assert set(frames) <= {np.floor(rate * INTERVAL), np.ceil(rate * INTERVAL)}
    assert frames.mean() / INTERVAL == pytest.approx(rate, rel=30e-6)


def test_packet_sizes_follow_the_pitch_control(host, box, packets, tmp_path, artefacts):
    rate = 48000
    host.start_playing(host.put(tmp_path / "in.wav", rate, silence(rate, 60.0)))
    eventually("the stream runs", lambda: box.capture_rate() == rate)
    # Each stream begins at the nominal rate, whatever was set before it.
    assert box.control(PITCH) == 1000000
    sizes, rates, log = [], [], []
    for ppm in (0, 500, -500, 0):
        box.set_control(PITCH, 1000000 + ppm)
        expected = rate * (1 + ppm * 1e-6)
        eventually(f"the driver sends at {expected:.0f} Hz", lambda: host.momentary_rate() == round(expected))
        rows = sound_endpoint(packets.trace(2, tmp_path))
        frames = rows[:, 1] / FRAME_BYTES
        measured = frames.mean() / INTERVAL
        print(f"{ppm:+d} ppm: {measured:.2f} frames/s, packets of {sorted(map(int, set(frames)))} frames")
        # Half a frame of 2 s is 5 ppm.
        assert measured == pytest.approx(expected, rel=20e-6)
        assert set(frames) <= {23.0, 24.0, 25.0}
        log += [(ppm, time, int(size)) for time, size in rows]
        sizes += [(time, size / FRAME_BYTES) for time, size in rows]
        rates += [(rows[0, 0], measured), (rows[-1, 0], measured)]
    host.end_player("INT")
    start = sizes[0][0]
    with open(artefacts / "usb-audio-packets.csv", "w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows([("pitch_ppm", "time_s", "bytes"), *((p, f"{t - start:.6f}", s) for p, t, s in log)])
    plot.write(
        artefacts / "usb-audio-packets.svg",
        ("Frames in each packet, 48 kHz; pitch 0, +500, -500, 0 ppm", "frames", {"packets": [(t - start, y) for t, y in sizes]}),
        ("Rate that the computer sends at", "Hz", {"mean of each stretch": [(t - start, y) for t, y in rates]}),
    )


def test_network_traffic_beside_the_sound_disturbs_neither(host, box, env, tmp_path, record_property):
    rate = 192000
    played = np.concatenate([silence(rate, LEAD), noise(4 * rate), silence(rate, TAIL)])
    file = host.put(tmp_path / "in.wav", rate, played)
    box.start_recording(rate)
    host.start_playing(file)
    eventually("the stream runs", lambda: box.capture_rate() == rate)
    network = env.config.get_option("sound_network")
    pings = host.machine.run(f"{network} ping -q -i 0.002 -s 1400 -c 1000 192.168.55.1 & {fetch_pages(network)}; wait")
    assert host.plays(), "the sound had ended before the network's traffic"
    host.wait_for_player()
    assert host.complaints() == ""
    assert difference(box.recorded(rate, tmp_path), played) is None
    print(pings)
    # busybox's ping says "packets" a second time.
    assert re.search("1000 (packets )?received, 0% packet loss", pings), pings
    pages = [int(line) for line in pings.splitlines() if line.isdigit()]
    record_property("bytes of pages beside the sound", sum(pages))
    # Each came whole: all are as long as one another.
    assert len(pages) == PAGES and len(set(pages)) == 1 and pages[0] > 1000, pages


def fetch_pages(network, times=PAGES):
    """A shell command that loads the page so many times over TCP and prints each one's bytes."""
    request = r"GET / HTTP/1.0\r\nHost: 192.168.55.1\r\n\r\n"
    once = f"exec 3<>/dev/tcp/192.168.55.1/80; printf '{request}' >&3; cat <&3 | wc -c"
    return f"for i in $(seq {times}); do {network} bash -c \"{once}\"; done"
