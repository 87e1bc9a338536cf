"""Whatever happens to the daemon, sound and page are back."""

import csv
import time

from eventually import eventually
from machine import API

DAEMON, WEB = "gpu-upsampler", "totton-audio-web"


def main_pid(device, unit=DAEMON):
    pid = int(device.show(unit, "MainPID")["MainPID"])
    assert pid > 0, f"{unit} does not run"
    return pid


def pings(device):
    """When systemd last heard that the daemon is alive, in seconds of the device's uptime."""
    return int(device.show(DAEMON, "WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]) / 1e6


def systemd_said(device):
    """What systemd has said of the daemon in this boot, with the second at which it did."""
    entries = device.journal("_PID=1", f"UNIT={DAEMON}.service")
    return [(int(e["__MONOTONIC_TIMESTAMP"]) / 1e6, str(e.get("MESSAGE", ""))) for e in entries]


def back_with_another_process(device, api, old):
    """Daemon and page run again, both seen from the PC."""
    eventually("another daemon process", lambda: main_pid(device) not in (0, old), deadline=180)
    return eventually("the PC sees the stream again", api.streaming, deadline=180)


def test_killed_daemon_and_page_are_back_without_help(device, api, playing):
    old = main_pid(device)
    old_web = main_pid(device, WEB)
    device.run(f"kill -9 {old}")
    back_with_another_process(device, api, old)
    # BindsTo= took the page down with the daemon; it is a new process, too.
    assert main_pid(device, WEB) != old_web


def test_hung_daemon_is_aborted_by_the_watchdog_and_leaves_a_core(device, api, playing):
    old = main_pid(device)
    assert device.show(DAEMON, "WatchdogUSec")["WatchdogUSec"] == "30s"
    device.run(f"kill -STOP {old}")
    back_with_another_process(device, api, old)
    assert any("Watchdog timeout" in message for _, message in systemd_said(device))
    core = eventually(
        "the core dump is listed",
        lambda: device.attempt(f"coredumpctl --no-pager --no-legend list {old}")[1],
        deadline=120,
    )
    assert "SIGABRT" in core and "gpu_upsampler_alsa" in core, core
    # By path: the kernel keeps 15 characters of a name, and this one has 18.
    assert "6 (ABRT)" in device.run("coredumpctl --no-pager info /opt/totton_audio/bin/gpu_upsampler_alsa")


# Stops one thread of a process until the process ends, as if it waited for ever: PTRACE_SEIZE and
# PTRACE_INTERRUPT of ptrace(2), number 117 on arm64; waits (__WALL) for the stop, then for the end.
FREEZE = """perl -e 'my $t = $ARGV[0] + 0; syscall(117, $_, $t, 0, 0) and die "ptrace: $!" for 0x4206, 0x4207;
waitpid $t, 0x40000000 for 1, 2' {tid}"""


def recorded_before_the_abort(pc):
    """The flight recorder's rows of the daemon that was ended, from the diagnostics, oldest first."""
    packed = f"curl -sSf -m 110 {API}/diagnostics | tar -xzO totton-audio-diagnostics/flight-recorder-abort.csv"
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(pc.run(packed, timeout=180).splitlines())]


def test_daemon_whose_engine_stands_still_answers_on_and_is_restarted_by_the_watchdog(device, pc, api, playing):
    old = main_pid(device)
    tid = device.run(f"grep -lx engine /proc/{old}/task/*/comm").split("/")[4]
    frozen = device.uptime()
    freezer = FREEZE.format(tid=tid)
    device.run(f"({freezer}) > /var/tmp/freezer.log 2>&1 < /dev/null & sleep 1; grep 'State:.*t ' /proc/{old}/task/{tid}/status")
    # All but the engine lives: a thread of its own that only pinged would go on for ever.
    assert main_pid(device) == old and api.status()["state"] != "starting"
    back_with_another_process(device, api, old)
    ended = [at for at, message in systemd_said(device) if at > frozen and "Watchdog timeout" in message]
    # The last ping was at most 10 s before, one that was due may just have gone out: 30 s from it on.
    assert ended and 19 < ended[0] - frozen < 42, f"frozen at {frozen} s: {systemd_said(device)}"
    # What the listener sends us tells what happened: blocks, and then none until the end.
    loads = [row["load_highest"] for row in recorded_before_the_abort(pc)]
    assert max(loads) > 0 and max(loads[-50:]) == 0, loads


def test_stopping_the_daemon_stops_the_page_and_all_start_again(device, api, cable, playing, services_restored):
    device.run(f"systemctl stop {DAEMON}")
    eventually("the page's service has stopped", lambda: device.show(WEB, "ActiveState")["ActiveState"] == "inactive")
    with cable.pulled():
        device.run("systemctl stop totton-audio-web gpu-upsampler totton-audio-gadget")
        assert "UAC2" not in device.run("cat /proc/asound/cards"), "the gadget is still there"
        device.run("systemctl start totton-audio-gadget gpu-upsampler totton-audio-web", timeout=180)
    eventually("the PC sees the stream again", api.streaming, deadline=180)


def test_daemon_stops_within_five_seconds(device, api, playing, services_restored, record_property):
    device.run(f"systemctl stop {DAEMON}")
    times = device.show(DAEMON, "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")
    seconds = (int(times["InactiveEnterTimestampMonotonic"]) - int(times["ActiveExitTimestampMonotonic"])) / 1e6
    record_property("seconds to stop", f"{seconds:.2f}")
    print(f"stopped in {seconds:.2f} s of the device's time")
    assert device.show(DAEMON, "Result")["Result"] == "success", "it was killed, it did not stop"
    assert seconds < 5.0


def test_reload_keeps_the_process_and_its_sockets(device, api, playing):
    pid, reloads = main_pid(device), playing["counters"]["reloads"]
    device.run(f"systemctl reload {DAEMON}")
    eventually("the reload is counted", lambda: api.streaming()["counters"]["reloads"] > reloads, deadline=60)
    assert main_pid(device) == pid


def test_bad_configuration_at_reload_is_reported_and_the_old_one_plays_on(device, api, playing):
    fragment = "/etc/totton-audio/upsampler.d/90-bad.toml"
    pid = main_pid(device)
    try:
        device.run(f"mkdir -p $(dirname {fragment}) && printf '[engine]\\nbackend = \"abacus\"\\n' > {fragment}")
        device.run(f"systemctl reload {DAEMON}")
        error = eventually("the API tells the fault", lambda: "abacus" in (api.status()["last_error"] or "") and api.status()["last_error"])
        # File, key, what was found, what is accepted.
        assert "90-bad.toml" in error and "backend" in error and "cpu" in error, error
        assert api.status()["state"] == "streaming" and main_pid(device) == pid
        assert "abacus" in " ".join(str(e.get("MESSAGE", "")) for e in device.journal(f"_PID={pid}", "-p err"))
        # A minor error: systemd goes on hearing that the daemon is alive.
        told = device.uptime()
        eventually("a ping after the error", lambda: pings(device) > told, deadline=90)
    finally:
        device.run(f"rm -f {fragment} && systemctl reload {DAEMON}")
    eventually("sound flows", api.streaming)


def test_audio_flows_on_under_the_same_process(device, api, playing):
    pid = main_pid(device)
    first = api.streaming()["counters"]["output_frames"]
    time.sleep(2)
    assert api.streaming()["counters"]["output_frames"] > first
    assert main_pid(device) == pid
