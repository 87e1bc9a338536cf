"""Ten minutes of the device's time: every bit at every rate, and two clocks that differ.

Run with: TOTTON_DEVICE_CLOCK=leaping tests/run bench -- -m long -k usb_audio_long
"""

import csv
import time

import plot
import pytest
from ends import CARD, FOLDER, in_background
from eventually import eventually
from programme import noise
from test_usb_audio_daemon import XRUNS, streams_at
from test_usb_audio_feedback import PITCH

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]

MINUTES = 10
# Compares a stream on its standard input with a block of sound that repeats: silence
# first, then whole blocks from their beginning. Prints the bytes that were right.
CHECK = r"""
local $/; open(B, "<", $ARGV[0]) or die; my $block = <B>; my $n = length $block;
my ($begun, $at, $right) = (0, 0, 0);
$/ = \32768;
while (my $got = <STDIN>) {
    unless ($begun) { $got =~ s/^(?:\0{8})+//; next unless length $got; $begun = 1; }
    while (length $got) {
        my $take = length $got < $n - $at ? length $got : $n - $at;
        if (substr($got, 0, $take) ne substr($block, $at, $take)) { print "differs after $right bytes\n"; exit 1; }
        substr($got, 0, $take, ""); $at = ($at + $take) % $n; $right += $take;
    }
}
print "$right\n";
"""


def start_endless(host, rate, source):
    """Plays what the shell command `source` writes, until it is stopped."""
    player = f"aplay -q -D hw:{host.card()},0 -t raw -f S32_LE -c 2 -r {rate} --buffer-time=400000 2> play.log"
    host.machine.run(in_background(f"cd {FOLDER} && rm -f play.log && {source} | {player}"))


@pytest.fixture
def nothing_else(device):
    """The daemon and the page are off: the emulated processor has this to do and nothing else."""
    device.run("systemctl stop gpu-upsampler")
    yield
    device.run("systemctl start gpu-upsampler totton-audio-web", timeout=180)


@pytest.fixture
def twice_the_rate(device):
    """The DAC at twice the input's rate: its clock is tried here, not the emulated processor."""
    fragment = "/etc/totton-audio/upsampler.d/61-twice.toml"
    device.run(f"printf '[engine]\\nratio = 2\\n' > {fragment} && systemctl reload gpu-upsampler")
    yield
    device.run(f"rm {fragment} && systemctl reload gpu-upsampler")


@pytest.mark.parametrize("rate", [44100, 48000, 88200, 96000, 176400, 192000])
def test_ten_minutes_arrive_bit_for_bit_without_an_xrun(host, box, device, nothing_else, tmp_path, record_property, rate):
    (tmp_path / "block.raw").write_bytes(noise(rate).tobytes())
    (tmp_path / "check.pl").write_text(CHECK)
    host.machine.run(f"mkdir -p {FOLDER}")
    for file in ("block.raw", "check.pl"):
        host.machine.put(tmp_path / file, f"{FOLDER}/{file}")
    lead = f"head -c {rate * 8 * 4} /dev/zero"
    start_endless(host, rate, f"({lead}; while cat {FOLDER}/block.raw; do :; done)")
    eventually("the stream runs", lambda: box.capture_rate() == rate)
    recorder = f"(chrt -f 40 arecord -q -D hw:{CARD},0 -t raw -f S32_LE -c 2 -r {rate} 2> record.log; echo $? > record.status)"
    device.run(in_background(f"cd {FOLDER} && {recorder} | perl check.pl block.raw > checked"))
    began, wall = device.uptime(), time.monotonic()
    while device.uptime() < began + MINUTES * 60:
        assert host.plays() and device.attempt("pgrep -x arecord")[0] == 0, device.run(f"cd {FOLDER} && tail checked record.* *.log 2>&1; true")
        time.sleep(5)
    device.run("pkill -INT -x arecord; while pgrep -x 'arecord|perl'; do sleep 0.1; done")
    told = device.run(f"cat {FOLDER}/checked").strip()
    complaints = device.run(f"cat {FOLDER}/record.log {FOLDER}/play.log")
    assert "overrun" not in complaints and "underrun" not in complaints, complaints
    assert told.isdigit(), told
    record_property("bytes alike", told)
    print(f"{int(told) / 8 / rate:.1f} s at {rate} Hz alike, {time.monotonic() - wall:.0f} s of wall time")
    assert int(told) > (MINUTES * 60 - 10) * rate * 8


@pytest.mark.parametrize("ppm", [500, -500])
def test_ten_minutes_with_a_dac_whose_clock_is_off(host, box, twice_the_rate, upsampling, device, artefacts, ppm):
    rate = 48000
    # The length of the loopback's frames: longer is slower.
    shift = "iface=PCM,name='PCM Rate Shift 100000',device=1"
    device.run(f"amixer -q -c DAC cset {shift} {round(100000 * (1 - ppm * 1e-6))}")
    try:
        host.machine.run(f"mkdir -p {FOLDER}")
        start_endless(host, rate, "cat /dev/zero")
        before = eventually("the stream runs", lambda: streams_at(upsampling, rate), deadline=60)["counters"]
        began = device.uptime()
        track = []
        while not track or track[-1][0] < MINUTES * 60:
            track.append((device.uptime() - began, box.control(PITCH) - 1000000, host.momentary_rate()))
            time.sleep(5)
        after = upsampling.status()["counters"]
    finally:
        device.run(f"amixer -q -c DAC cset {shift} 100000")
    with open(artefacts / f"usb-audio-drift{ppm:+d}.csv", "w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows([("seconds", "pitch_ppm", "rate_hz"), *track])
    plot.write(
        artefacts / f"usb-audio-drift{ppm:+d}.svg",
        (f"Pitch that the box asks for; its DAC is {ppm:+d} ppm off", "ppm", {"pitch": [(t, p) for t, p, _ in track]}),
        ("Rate that the computer sends at", "Hz", {"rate": [(t, r) for t, _, r in track]}),
    )
    for counter in XRUNS + ("input_pauses", "stream_starts"):
        assert after[counter] == before[counter], f"{counter}: {before[counter]} → {after[counter]}"
    settled = [p for t, p, _ in track if t > MINUTES * 60 / 2]
    print(f"DAC {ppm:+d} ppm: pitch {min(settled)} to {max(settled)} ppm in the second half")
    assert abs(sum(settled) / len(settled) - ppm) < 30
    assert max(settled) - min(settled) < 200
