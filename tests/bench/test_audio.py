"""What is played into the box comes out of its DAC, upsampled, sample for sample.

The input and the DAC of the bench are snd-aloop cards: a test plays into the
other end of `Input` and records the other end of `DAC`. The reference is the
daemon's own offline render of the same file, on the same machine.
"""

import gzip

import numpy as np
import pytest
import signals
from eventually import eventually

pytestmark = [pytest.mark.lg_feature("loopback"), pytest.mark.on_time]

# Units of the last place of 32 bits. The daemon's blocks start at another frame
# of the programme than the render's, so the transforms round differently in
# their last bits, some 1e-16 of full scale; a sample that lies that close to the
# middle between two 32-bit values may fall to the other side.
BOUND_LSB = 1


FOLDER = "/var/tmp/audio"


# The programme, in seconds: a tone, silence, a sweep.
TONE, BETWEEN, SWEEP = 3.0, 0.5, 4.0


@pytest.fixture(scope="module")
def heard(device, api, tmp_path_factory):
    """The programme through the box: (the status, what the DAC got, what the render gives)."""
    playing = eventually("the stream runs", api.streaming, deadline=120)
    folder = tmp_path_factory.mktemp("audio")
    rate_in, rate_out = playing["input"]["rate"], playing["output"]["rate"]
    assert playing["sound"]["gain_db"] == 0 and not playing["sound"]["mute"], "the render knows neither gain nor mute"
    # snd-aloop clears a few frames of the other end's buffer while a player drains
    # (copy_play_buf() in sound/drivers/aloop.c): let that fall into silence.
    frames = np.concatenate(
        [
            signals.tone(rate_in, TONE, 997.0, -6.0),
            np.zeros((int(rate_in * BETWEEN), 2)),
            signals.sweep(rate_in, SWEEP, 20.0, 20000.0, -6.0),
            np.zeros((rate_in, 2)),
        ]
    )
    signals.write_s32(folder / "in.wav", rate_in, frames)
    device.run(f"rm -rf {FOLDER} && mkdir -p {FOLDER}")
    device.put(folder / "in.wav", f"{FOLDER}/in.wav")
    record_seconds = int(len(frames) / rate_in) + 5
    before = api.status()["counters"]
    device.run(
        f"cd {FOLDER} || exit; "
        f"arecord -q -D hw:DAC,1 -t raw -f S32_LE -c 2 -r {rate_out} -d {record_seconds} "
        "--buffer-time=2000000 dac.raw 2> arecord.log & "
        # The recorder runs before the player starts: its file has its first frames.
        f"for i in $(seq 100); do [ -s {FOLDER}/dac.raw ] && break; sleep 0.1; done; "
        f"cd {FOLDER} && aplay -q -D hw:Input,0 --buffer-time=1000000 in.wav 2> aplay.log; wait",
        timeout=240,
    )
    after = api.status()["counters"]
    logs = device.run(f"cat {FOLDER}/*.log").strip()
    assert logs == "", f"the players complain: {logs}"
    for counter in ("capture_xruns", "playback_xruns", "input_pauses", "clipped_samples", "stream_starts"):
        assert after[counter] == before[counter], f"{counter}: {before} → {after}"
    device.run(
        f"cd {FOLDER} && /opt/totton_audio/bin/gpu_upsampler_alsa render in.wav render.wav --format s32 "
        "&& gzip -1 dac.raw render.wav",
        timeout=240,
    )
    for name in ("dac.raw", "render.wav"):
        device.get(f"{FOLDER}/{name}.gz", folder / f"{name}.gz")
        (folder / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    device.run(f"rm -rf {FOLDER}")
    recorded = signals.sounding_part(signals.read_raw_s32(folder / "dac.raw"))
    rendered = signals.read_wav_s32(folder / "render.wav")
    assert len(rendered) == len(frames) * playing["engine"]["ratio"]
    return playing, recorded, signals.sounding_part(rendered)


def largest_difference(recorded, rendered):
    """In units of the last place; both begin at the first frame that sounds."""
    # The render stops with the file; the box plays the filter's tail out.
    assert len(recorded) >= len(rendered), (len(recorded), len(rendered))
    difference = recorded[: len(rendered)].astype(np.int64) - rendered
    return int(np.max(np.abs(difference)))


def test_tone_comes_out_upsampled_and_equals_the_offline_render(heard, record_property):
    playing, recorded, rendered = heard
    rate_out = playing["output"]["rate"]
    part = int(rate_out * (TONE + BETWEEN / 2))
    difference = largest_difference(recorded[:part], rendered[:part])
    print(f"largest difference: {difference} LSB of 32 bits over {part} frames")
    record_property("largest difference (LSB of 32 bits)", difference)
    assert difference <= BOUND_LSB

    # And it is the tone, at the new rate: neither the engine nor the render is asked.
    steady = recorded[rate_out : 2 * rate_out, 0] / signals.FULL_SCALE
    amplitude, residual = signals.sine_fit(steady, rate_out, 997.0)
    level, rest = 20 * np.log10(amplitude), 20 * np.log10(residual / (amplitude / np.sqrt(2)))
    print(f"tone: {level:.4f} dBFS at {rate_out} Hz, everything else {rest:.1f} dB below it")
    assert abs(level + 6.0) < 0.01
    # The bench's filter is made for 90 dB; each of the images may be left at that
    # level, and their powers add up.
    images = playing["engine"]["ratio"] - 1
    assert rest < -90.0 + 10 * np.log10(images)


def test_sweep_comes_out_equal_to_the_offline_render(heard, record_property):
    playing, recorded, rendered = heard
    begin = int(playing["output"]["rate"] * (TONE + BETWEEN / 2))
    difference = largest_difference(recorded[begin:], rendered[begin:])
    frames = len(rendered) - begin
    assert frames > playing["output"]["rate"] * SWEEP
    assert np.max(np.abs(rendered[begin:])) > 0.4 * signals.FULL_SCALE, "no sweep"
    print(f"largest difference: {difference} LSB of 32 bits over {frames} frames")
    record_property("largest difference (LSB of 32 bits)", difference)
    assert difference <= BOUND_LSB
