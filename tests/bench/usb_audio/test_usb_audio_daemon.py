"""What the computer plays over the cable comes out of the DAC as the offline render has it."""

import gzip

import numpy as np
import pytest
import signals
from ends import FOLDER, in_background
from eventually import eventually
from programme import exact, silence
from test_audio import BOUND_LSB, largest_difference

pytestmark = [pytest.mark.lg_feature("loopback"), pytest.mark.on_time]

# From the player's start until the daemon streams and a recorder listens to the DAC.
LEAD = 5.0
TAIL = 1.5
XRUNS = ("capture_xruns", "playback_xruns", "clipped_samples")


def music(rate):
    """A tone and a sweep, each of a second."""
    return np.concatenate([
        silence(rate, LEAD),
        exact(signals.tone(rate, 1.0, 997.0, -6.0)),
        exact(signals.sweep(rate, 1.0, 20.0, 20000.0, -6.0)),
        silence(rate, TAIL),
    ])


def streams_at(page, rate):
    """The status, once the daemon streams what the computer sends at `rate`."""
    status = page.status()
    assert status["state"] == "streaming" and status["input"]["rate"] == rate, f"{status['state']}: {status['input']}"
    return status


def rendered(device, file, tmp_path):
    """The offline render of a file, by the daemon's own program and settings."""
    device.run(
        f"cd {FOLDER} && /opt/totton_audio/bin/gpu_upsampler_alsa render {file} render.wav --format s32 "
        "&& gzip -1 render.wav",
        timeout=240,
    )
    device.get(f"{FOLDER}/render.wav.gz", tmp_path / "render.wav.gz")
    (tmp_path / "render.wav").write_bytes(gzip.decompress((tmp_path / "render.wav.gz").read_bytes()))
    return signals.read_wav_s32(tmp_path / "render.wav")


@pytest.mark.parametrize(
    "rate",
    [44100, *(pytest.param(rate, marks=pytest.mark.long) for rate in (48000, 88200, 96000, 176400, 192000))],
)
def test_dac_gets_what_the_render_gives(host, box, upsampling, device, tmp_path, record_property, rate):
    file = host.put(tmp_path / "in.wav", rate, music(rate))
    before = upsampling.status()["counters"]
    host.start_playing(file)
    status = eventually(f"the stream runs at {rate} Hz", lambda: streams_at(upsampling, rate), deadline=60)
    rate_out, ratio = status["output"]["rate"], status["engine"]["ratio"]
    assert rate_out == rate * ratio and rate_out in (705600, 768000)
    recorder = f"chrt -f 30 arecord -q -D hw:DAC,1 -t raw -f S32_LE -c 2 -r {rate_out} --buffer-time=1000000"
    device.run(in_background(f"cd {FOLDER} && {recorder} dac.raw 2> dac.log"))
    host.wait_for_player()
    assert host.complaints() == ""
    device.run("sleep 0.5; pkill -INT -x arecord; while pgrep -x arecord; do sleep 0.1; done")
    after = upsampling.status()["counters"]
    for counter in XRUNS:
        assert after[counter] == before[counter], f"{counter}: {before} → {after}"
    device.run(f"gzip -1 {FOLDER}/dac.raw", timeout=240)
    device.get(f"{FOLDER}/dac.raw.gz", tmp_path / "dac.raw.gz")
    (tmp_path / "dac.raw").write_bytes(gzip.decompress((tmp_path / "dac.raw.gz").read_bytes()))
    recorded = signals.sounding_part(signals.read_raw_s32(tmp_path / "dac.raw"))
    difference = largest_difference(recorded, signals.sounding_part(rendered(device, file, tmp_path)))
    print(f"{rate} → {rate_out} Hz: largest difference {difference} LSB of 32 bits")
    record_property(f"largest difference at {rate} Hz (LSB of 32 bits)", difference)
    assert difference <= BOUND_LSB


def test_daemon_follows_the_computer_s_rate_while_it_plays(host, upsampling, tmp_path):
    rates = (44100, 96000, 48000)
    before = upsampling.status()["counters"]
    files = [host.put(tmp_path / f"{rate}.wav", rate, silence(rate, 6.0)) for rate in rates]
    host.start_playing(*files)
    for rate in rates:
        status = eventually(f"the stream runs at {rate} Hz", lambda: streams_at(upsampling, rate), deadline=60)
        assert status["output"]["rate"] == rate * status["engine"]["ratio"]
    host.wait_for_player()
    assert host.complaints() == ""
    # The ends of the pieces, too: when the computer stops, silence follows in time.
    eventually("the daemon has noticed the end", lambda: upsampling.status()["state"] == "idle")
    after = upsampling.status()["counters"]
    for counter in XRUNS:
        assert after[counter] == before[counter], f"{counter}: {before} → {after}"
