"""What the stream does in time: it follows the host's rate and the DAC's clock,
and is as late as it says.

Input and DAC are snd-aloop cards: the test is the player at the other end of the
one and the recorder at the other end of the other, and turns the DAC's clock.
"""

import contextlib
import gzip
import re

import numpy as np
import plot
import pytest
import signals
from eventually import eventually

pytestmark = [pytest.mark.lg_feature("loopback"), pytest.mark.on_time]

FOLDER = "/var/tmp/stream"
FRAGMENT = "/etc/totton-audio/upsampler.d/60-test.toml"
# The control of the DAC's cable: the recorder's end has it (get_setup() in aloop.c).
DAC_CLOCK = "iface=PCM,name='PCM Rate Shift 100000',device=1"
UNITS_NEEDED = ("capture_xruns", "playback_xruns", "input_pauses")


@contextlib.contextmanager
def configured(device, text):
    """The daemon runs with these settings over its own meanwhile."""
    device.run(f"mkdir -p {FOLDER} && cat > {FRAGMENT} <<'END'\n{text}\nEND")
    try:
        device.run("systemctl reset-failed gpu-upsampler; systemctl restart gpu-upsampler totton-audio-web", timeout=180)
        yield
    finally:
        device.run(f"rm -rf {FRAGMENT} {FOLDER}; systemctl restart gpu-upsampler totton-audio-web", timeout=180)


# A loopback card that stops sends up to two ticks of its clock more from its buffer, which is what
# was played one buffer ago: seen as bursts of 4 to 12 ms. So the buffers are short, and each piece
# ends with a silence that is longer.
BUFFER = "--buffer-time=100000"
SILENT_END = 0.15


def faded_tone(rate, seconds):
    """A tone of 997 Hz at -6 dBFS that begins and ends softly; then SILENT_END seconds of silence."""
    frames = signals.tone(rate, seconds, 997.0, -6.0)
    edge = np.sin(np.linspace(0, np.pi / 2, rate // 50))[:, None] ** 2
    frames[: len(edge)] *= edge
    frames[-len(edge) :] *= edge[::-1]
    return np.concatenate([frames, np.zeros((int(rate * SILENT_END), 2))])


def fetch_recording(device, tmp_path):
    device.run(f"cd {FOLDER} && gzip -1 dac.raw", timeout=240)
    device.get(f"{FOLDER}/dac.raw.gz", tmp_path / "dac.raw.gz")
    (tmp_path / "dac.raw").write_bytes(gzip.decompress((tmp_path / "dac.raw.gz").read_bytes()))
    return signals.read_raw_s32(tmp_path / "dac.raw")[:, 0] / signals.FULL_SCALE


def longest_silence(samples):
    """Its first frame and how many, between the first and the last sound; below -80 dBFS counts as silence."""
    loud = np.flatnonzero(np.abs(samples) > 1e-4)
    gaps = np.diff(loud)
    return int(loud[np.argmax(gaps)]), int(gaps.max())


def test_a_new_rate_of_the_player_is_followed_without_a_click(device, api, playing, tmp_path, record_property):
    rate_out = 705600
    for name, rate in (("a", 44100), ("b", 88200)):
        signals.write_s32(tmp_path / f"{name}.wav", rate, faded_tone(rate, 2.0))
    with configured(device, '[capture]\nrate = "auto"'):
        for name in "ab":
            device.put(tmp_path / f"{name}.wav", f"{FOLDER}/{name}.wav")
        # Both of the player's rates lead to the recorder's.
        device.run(
            f"cd {FOLDER} || exit; chrt -f 30 arecord -q -D hw:DAC,1 -t raw -f S32_LE -c 2 -r {rate_out} -d 9 "
            f"{BUFFER} dac.raw 2> arecord.log & "
            f"for i in $(seq 100); do [ -s {FOLDER}/dac.raw ] && break; sleep 0.1; done; cd {FOLDER}; "
            f"for name in a b; do date +%s.%N; chrt -f 30 aplay -q -D hw:Input,0 {BUFFER} $name.wav; date +%s.%N; done > times; wait",
            timeout=300,
        )
        status = eventually("the status", api.status, deadline=60)
        times = [float(line) for line in device.run(f"cat {FOLDER}/times").split()]
        complaints = device.run(f"cat {FOLDER}/arecord.log")
        recorded = fetch_recording(device, tmp_path)
    assert complaints == "", complaints
    counters = status["counters"]
    assert counters["rate_switches"] == 1, counters
    assert counters["capture_xruns"] == counters["playback_xruns"] == 0, counters

    gap, silence = (frames / rate_out for frames in longest_silence(recorded))
    switch = silence - SILENT_END
    own = float(np.max(np.abs(np.diff(signals.tone(rate_out, 0.1, 997.0, -6.0)[:, 0]))))
    steps = np.abs(np.diff(recorded))
    step, step_at = float(steps.max()), float(np.argmax(steps)) / rate_out
    between = times[2] - times[1]
    print(
        f"silence at the change of rate: {switch * 1000:.0f} ms, of which the player took {between * 1000:.0f} ms; "
        f"largest step {step:.5f}, {step_at - gap - silence:+.4f} s from the silence's end; the programme's own {own:.5f}"
    )
    record_property("silence (ms)", round(switch * 1000))
    record_property("largest step / the programme's own", round(step / own, 3))
    assert switch < 0.3
    # The short filter's ripple; a click is a hundred times as large.
    assert step < own * 1.05


def test_the_sound_is_as_late_as_the_status_says(device, api, playing, tmp_path, record_property):
    rate_in, rate_out = playing["input"]["rate"], playing["output"]["rate"]
    frames = np.zeros((rate_in * 4, 2))
    clicks = [rate_in * second for second in (1, 2, 3)]
    frames[clicks] = 0.5
    signals.write_s32(tmp_path / "clicks.wav", rate_in, frames)
    device.run(f"rm -rf {FOLDER}; mkdir -p {FOLDER}")
    device.put(tmp_path / "clicks.wav", f"{FOLDER}/clicks.wav")
    status = "/proc/asound/{}/sub0/status"
    device.run(
        f"cd {FOLDER} || exit; arecord -q -D hw:DAC,1 -t raw -f S32_LE -c 2 -r {rate_out} -d 8 "
        "--buffer-time=2000000 dac.raw 2> arecord.log & "
        f"for i in $(seq 100); do [ -s {FOLDER}/dac.raw ] && break; sleep 0.1; done; cd {FOLDER}; "
        "aplay -q -D hw:Input,0 clicks.wav & sleep 2.5; "
        f"cat {status.format('Input/pcm0p')} > player; cat {status.format('DAC/pcm1c')} > recorder; wait",
        timeout=300,
    )
    said = api.status()["latency"]["total_seconds"]
    started = {}
    for name in ("player", "recorder"):
        text = device.run(f"cat {FOLDER}/{name}")
        found = re.search(r"^trigger_time: *([0-9.]+)", text, re.M)
        assert found, f"the {name} does not run: {text}"
        started[name] = float(found[1])
    recorded = fetch_recording(device, tmp_path)
    device.run(f"rm -rf {FOLDER}")
    measured = []
    for click in clicks:
        sent = started["player"] + click / rate_in
        # The largest sample within half a second of it.
        first = int((sent - started["recorder"]) * rate_out)
        window = np.abs(recorded[first : first + rate_out // 2])
        assert window.max() > 0.1, "the click is not heard"
        measured.append(int(np.argmax(window)) / rate_out)
    print(f"latency: {[f'{1000 * m:.1f}' for m in measured]} ms measured, {1000 * said:.1f} ms said")
    record_property("latency measured (ms)", round(1000 * float(np.mean(measured)), 1))
    record_property("latency said (ms)", round(1000 * said, 1))
    # The loopback cards' clocks tick every 4 ms, once at either end.
    assert abs(float(np.mean(measured)) - said) < 0.010


def shift(device, ppm):
    """Has the DAC run `ppm` faster: the control counts the length of its frames."""
    device.run(f'amixer -q -c DAC cset "{DAC_CLOCK}" {round(100000 / (1 + ppm * 1e-6))}')


# Guest time and the DAC's drift in ppm: steps to both sides, then a slow ramp.
SCHEDULE = [(0, 500), (120, -500), (240, 0)] + [(360 + 3 * n, -500 + 10 * n) for n in range(101)]
END = 720


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_the_input_follows_the_dacs_clock(device, api, playing, artefacts, record_property):
    # A DAC at 88.2 kHz and small blocks: the emulated processor has little to do, and time flies.
    text = "[engine]\nratio = 2\nblock_frames = 256"
    with configured(device, text):
        eventually("the stream runs", api.streaming, deadline=120)
        before = api.status()["counters"]
        changes = " ".join(f"{time}:{round(100000 / (1 + ppm * 1e-6))}" for time, ppm in SCHEDULE)
        try:
            out = device.run(
                "now() { cut -d' ' -f1 /proc/uptime; }\n"
                "value() { amixer -c $1 cget \"iface=PCM,name='PCM Rate Shift 100000',device=1\""
                " | sed -n 's/.*: values=//p'; }\n"
                "start=$(now)\n"
                f"set -- {changes}\n"
                "while :; do\n"
                "  t=$(echo \"$(now) $start\" | awk '{print $1 - $2}')\n"
                f"  [ ${{t%.*}} -ge {END} ] && break\n"
                "  while [ $# -gt 0 ] && [ ${1%:*} -le ${t%.*} ]; do\n"
                f'    amixer -q -c DAC cset "{DAC_CLOCK}" ${{1#*:}}; shift\n'
                "  done\n"
                "  d=$(sed -n 's/^delay *: //p' /proc/asound/DAC/pcm0p/sub0/status)\n"
                "  echo \"$t $d $(value Input) $(value DAC)\"\n"
                "  sleep 1\n"
                "done",
                timeout=7000,
            )
        finally:
            shift(device, 0)
        after = api.status()["counters"]
    rows = np.array([[float(word) for word in line.split()] for line in out.splitlines()])
    time, level = rows[:, 0], rows[:, 1] / 88200 * 1000
    ours, dacs = (1e6 * (100000 / rows[:, column] - 1) for column in (2, 3))
    np.savetxt(artefacts / "drift.csv", rows, header="seconds queued_frames input_shift dac_shift")
    plot.write(
        artefacts / "drift.svg",
        ("sound in the DAC's buffer", "ms", {"level": list(zip(time, level))}),
        ("clocks", "ppm", {"the DAC's": list(zip(time, dacs)), "the input's": list(zip(time, ours))}),
    )
    for counter in UNITS_NEEDED + ("stream_starts",):
        assert after[counter] == before[counter], f"{counter}: {before} → {after}"
    settled = level[time > 30]
    print(
        f"{time[-1]:.0f} s: level {settled.min():.1f} to {settled.max():.1f} ms around 100; "
        f"input {ours.min():.0f} to {ours.max():.0f} ppm"
    )
    record_property("level (ms)", f"{settled.min():.1f} to {settled.max():.1f}")
    # A block of 6 ms comes and goes; a step of 1000 ppm moves the level by 6 ms.
    assert 80 < settled.min() and settled.max() < 120
    for start, end, ppm in ((90, 120, 500), (210, 240, -500), (330, 360, 0)):
        steered = np.mean(ours[(time > start) & (time < end)])
        assert abs(steered - ppm) < 60, f"{ppm} ppm: {steered}"
