"""What the computer plays arrives in the box: every bit, whatever the computer does."""

import numpy as np
import pytest
import signals
from eventually import eventually
from programme import LEAD, TAIL, difference, difference_of_ended, noise, programme, silence

pytestmark = pytest.mark.on_time

RATES = (44100, 48000, 88200, 96000, 176400, 192000)


def idle(box):
    return box.capture_rate() == 0


@pytest.mark.parametrize("rate", RATES)
def test_silence_tone_sweep_and_noise_arrive_bit_for_bit(host, box, tmp_path, rate):
    played = programme(rate)
    file = host.put(tmp_path / "in.wav", rate, played)
    box.start_recording(rate)
    host.play(file)
    assert difference(box.recorded(rate, tmp_path), played) is None


def test_the_stream_s_rate_is_told_while_it_lasts(host, box, tmp_path):
    eventually("no stream", lambda: idle(box))
    host.start_playing(host.put(tmp_path / "in.wav", 96000, silence(96000, 8.0)))
    eventually("the rate is told", lambda: box.capture_rate() == 96000)
    host.end_player("INT")
    eventually("no stream", lambda: idle(box))


def test_computer_changes_the_rate_from_one_piece_to_the_next(host, box, tmp_path):
    rates = (44100, 96000, 48000)
    played = {rate: programme(rate, 0.3) for rate in rates}
    files = [host.put(tmp_path / f"{rate}.wav", rate, frames) for rate, frames in played.items()]
    box.start_recording(*rates)
    host.play(*files)
    for rate in rates:
        assert difference(box.recorded(rate, tmp_path), played[rate]) is None, rate


def test_pause_is_silence_and_resuming_loses_nothing(host, box, tmp_path):
    rate = 48000
    played = np.concatenate([silence(rate, LEAD), noise(4 * rate), silence(rate, TAIL)])
    file = host.put(tmp_path / "in.wav", rate, played)
    box.start_recording(rate)
    host.start_playing_with_keys(file)
    host.machine.run(f"sleep {LEAD + 1.5}")
    host.press(" ")
    host.machine.run("sleep 1")
    host.press(" ")
    host.wait_for_player()
    recorded = signals.sounding_part(box.recorded(rate, tmp_path))
    part = signals.sounding_part(played)
    assert len(recorded) > len(part), "the player did not pause"
    at = int(np.flatnonzero(np.any(recorded[: len(part)] != part, axis=1))[0])
    gap = int(np.flatnonzero(np.any(recorded[at:] != 0, axis=1))[0])
    print(f"paused after {at} frames for {gap} frames")
    assert gap > rate // 2
    assert difference(np.concatenate([recorded[:at], recorded[at + gap :]]), part) is None


@pytest.mark.parametrize("signal", ["INT", "KILL"])
def test_a_player_that_ends_early_leaves_the_card_usable(host, box, tmp_path, signal):
    rate = 88200
    played = np.concatenate([silence(rate, LEAD), noise(8 * rate)])
    file = host.put(tmp_path / "in.wav", rate, played)
    box.start_recording(rate)
    host.start_playing(file)
    host.machine.run(f"sleep {LEAD + 1.5}")
    host.end_player(signal)
    recorded = box.recorded(rate, tmp_path)
    assert len(signals.sounding_part(recorded)) > rate // 2
    assert difference_of_ended(recorded, played, rate) is None
    eventually("no stream", lambda: idle(box))

    again = programme(rate, 0.2)
    file = host.put(tmp_path / "again.wav", rate, again)
    box.start_recording(rate)
    host.play(file)
    assert difference(box.recorded(rate, tmp_path), again) is None


def test_cable_pulled_while_playing_and_plugged_in_again(host, box, tmp_path):
    rate = 96000
    played = np.concatenate([silence(rate, LEAD), noise(8 * rate)])
    file = host.put(tmp_path / "in.wav", rate, played)
    for _ in range(2):
        box.start_recording(rate)
        host.start_playing(file)
        host.machine.run(f"sleep {LEAD + 1.5}")
        host.unplug()
        host.wait_for_player()
        assert "No such device" in host.complaints() or "error" in host.complaints().lower(), host.complaints()
        eventually("no stream", lambda: idle(box))
        recorded = signals.sounding_part(box.recorded(rate, tmp_path))
        assert len(recorded) > rate // 2 and np.array_equal(recorded, signals.sounding_part(played)[: len(recorded)])
        host.plug()

    again = programme(rate, 0.2)
    file = host.put(tmp_path / "again.wav", rate, again)
    box.start_recording(rate)
    host.play(file)
    assert difference(box.recorded(rate, tmp_path), again) is None
