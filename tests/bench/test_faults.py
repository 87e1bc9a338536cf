"""What sound cards do to the daemon: they vanish, come back, are taken, and lose frames.

Input and DAC are snd-aloop cards here; unbinding the driver is pulling their plug.
"""

import contextlib

import pytest
from eventually import eventually

pytestmark = pytest.mark.lg_feature("loopback")

DRIVER = "/sys/bus/platform/drivers/snd_aloop"
INPUT, DAC = "snd_aloop.0", "snd_aloop.1"
FRAGMENT = "/etc/totton-audio/upsampler.d/60-test.toml"
DAEMON = "gpu-upsampler"


def count(status, kind):
    """How often a fault of this kind has occurred."""
    return sum(fault["count"] for fault in status["faults"] if fault["kind"] == kind)


def opened_after(device, begun):
    """The seconds from `begun` until the daemon said that it has opened both cards."""
    lines = [(int(e["__MONOTONIC_TIMESTAMP"]) / 1e6, str(e["MESSAGE"])) for e in device.journal(f"-u {DAEMON}")]
    times = [at - begun for at, line in lines if at > begun and " Hz to hw:DAC,0" in line]
    assert times, f"not opened since {begun} s: {lines[-5:]}"
    return times[0]


def state(api, wanted):
    def reached():
        status = api.status()
        assert status["state"] == wanted, f"{status['state']}: {status['message']}"
        return status

    return eventually(f"the state is {wanted}", reached, deadline=120)


@contextlib.contextmanager
def unplugged(device, card):
    device.run(f"echo {card} > {DRIVER}/unbind", timeout=120)
    try:
        yield
    finally:
        device.attempt(f"[ -e {DRIVER}/{card} ] || echo {card} > {DRIVER}/bind")


@pytest.mark.parametrize("card, waiting, fault", [(DAC, "waiting-for-dac", "dac-lost"), (INPUT, "waiting-for-input", "input-lost")])
def test_a_card_that_vanishes_is_waited_for_and_plays_within_two_seconds_of_its_return(
    device, api, playing, record_property, card, waiting, fault
):
    pid, before = device.show(DAEMON, "MainPID"), count(playing, fault)
    with unplugged(device, card):
        status = state(api, waiting)
        assert count(status, fault) == before + 1
        assert [f["active"] for f in status["faults"] if f["kind"] == fault] == [True]
        assert status["message"]
        back = device.uptime()
    status = eventually("the stream runs", api.streaming, deadline=120)
    assert [f["active"] for f in status["faults"] if f["kind"] == fault] == [False]
    seconds = opened_after(device, back)
    print(f"{fault}: open again {seconds:.2f} s after its return")
    record_property("seconds until it plays again", round(seconds, 2))
    assert seconds < 2.0
    assert device.show(DAEMON, "MainPID") == pid


def test_a_dac_that_another_program_plays_to_is_waited_for(device, api, playing, services_restored):
    try:
        device.run(
            f"systemctl stop {DAEMON}; printf '[playback]\\ndevice = \"hw:DAC,0,0\"\\n' > {FRAGMENT}; "
            "(aplay -q -D hw:DAC,0,0 -t raw -f S32_LE -c 2 -r 705600 /dev/zero > /dev/null 2>&1 < /dev/null &); sleep 1; "
            f"systemctl start {DAEMON} totton-audio-web",
            timeout=120,
        )
        status = state(api, "waiting-for-dac")
        assert count(status, "dac-busy") > 0, status["faults"]
        device.run("pkill -x aplay")
        eventually("the stream runs", api.streaming, deadline=120)
    finally:
        device.attempt("pkill -x aplay")
        device.run(f"rm -f {FRAGMENT}; systemctl restart {DAEMON} totton-audio-web", timeout=120)


def test_a_daemon_that_stands_still_for_a_second_counts_the_gaps_and_plays_on(device, api, playing):
    pid = device.show(DAEMON, "MainPID")["MainPID"]
    device.run(f"kill -STOP {pid}; sleep 1; kill -CONT {pid}")
    for kind in ("capture_xruns", "playback_xruns"):
        eventually(f"{kind} are counted", lambda: api.streaming()["counters"][kind] > playing["counters"][kind])
    status = api.streaming()
    assert count(status, "playback-xrun") == status["counters"]["playback_xruns"]
    assert device.show(DAEMON, "MainPID")["MainPID"] == pid
    told = " ".join(str(e.get("MESSAGE", "")) for e in device.journal(f"_PID={pid}"))
    assert "playback-xrun" in told and "capture-xrun" in told, told[-500:]


def test_cards_that_slept_are_woken_and_play_on(device, api, playing):
    if device.attempt("[ -e /sys/power/pm_test ]")[0] != 0:
        pytest.skip("the device's kernel cannot try a sleep: it has no CONFIG_PM_DEBUG")
    pid = device.show(DAEMON, "MainPID")["MainPID"]
    states = "head -qn 1 /proc/asound/Input/pcm1c/sub0/status /proc/asound/DAC/pcm0p/sub0/status"
    assert device.run(states).split() == ["state:", "RUNNING"] * 2
    # The devices sleep for a second and are woken; the daemon stands still until it has been seen.
    told = device.run(
        f"kill -STOP {pid}; echo 1 > /sys/module/suspend/parameters/pm_test_delay; echo devices > /sys/power/pm_test; "
        f"echo freeze > /sys/power/state; echo none > /sys/power/pm_test; {states}; kill -CONT {pid}",
        timeout=120,
    )
    assert told.split() == ["state:", "SUSPENDED"] * 2, told
    for kind in ("capture_xruns", "playback_xruns"):
        eventually(f"{kind} are counted", lambda: api.streaming()["counters"][kind] == playing["counters"][kind] + 1)
    before = api.streaming()["counters"]["input_frames"]
    eventually("sound flows", lambda: api.streaming()["counters"]["input_frames"] > before)
    assert device.run(states).split() == ["state:", "RUNNING"] * 2
    after = api.streaming()
    assert after["counters"]["stream_starts"] == playing["counters"]["stream_starts"]
    assert device.show(DAEMON, "MainPID")["MainPID"] == pid


def test_sound_is_back_soon_after_the_daemon_is_restarted(device, api, playing, record_property):
    begun = device.uptime()
    device.run(f"systemctl restart {DAEMON} totton-audio-web", timeout=120)
    eventually("the stream runs", api.streaming, deadline=120)
    started = device.show(DAEMON, "ExecMainStartTimestampMonotonic")
    at = int(started["ExecMainStartTimestampMonotonic"]) / 1e6
    seconds = opened_after(device, begun) + begun - at
    print(f"{seconds:.2f} s from the daemon's start to both cards open, loading the filter included")
    record_property("seconds from start to sound", round(seconds, 2))
    assert seconds < 2.0
