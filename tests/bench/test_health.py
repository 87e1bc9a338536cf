"""The start is confirmed once gadget, sound and page have been up for a minute."""

from eventually import eventually
from test_boot import SECONDS

UNIT, DAEMON = "totton-audio-health", "gpu-upsampler"
# A copy of the unit, whose minute is shorter.
QUICK, HOLD = f"{UNIT}-quick", 12


def said(device, *of):
    """What was said in this boot, with the second at which it was."""
    return [(str(entry.get("MESSAGE", "")), int(entry["__MONOTONIC_TIMESTAMP"]) / SECONDS) for entry in device.journal(*of)]


def healthy(device, unit):
    return [second for message, second in said(device, f"-u {unit}") if message.startswith("healthy: ")]


def test_a_start_is_confirmed_a_minute_after_the_daemon_s_last_restart_and_not_before(device, playing, services_restored):
    # The boot's own check, by the minute of the product; a test before this one may have restarted the daemon.
    at = eventually("the check has found the device healthy", lambda: healthy(device, UNIT), deadline=400)[0]
    started = [second for message, second in said(device, "_PID=1", f"UNIT={DAEMON}.service") if message.startswith("Started") and second < at]
    assert 59 <= at - started[-1] < 90, f"{at - started[-1]:.1f} s after the daemon's start"
    # A restart within the minute begins it anew.
    file = f"/run/systemd/system/{QUICK}.service"
    device.run(f"(systemctl cat {UNIT}; printf '[Service]\\nEnvironment=TOTTON_HEALTH_HOLD={HOLD} TOTTON_HEALTH_EVERY=1\\n') > {file}")
    try:
        device.run(f"systemctl start {QUICK}; sleep 4; systemctl restart {DAEMON}", timeout=120)
        restarted = device.uptime()
        at = eventually("the check has found the device healthy", lambda: healthy(device, QUICK), deadline=200)[0]
        assert HOLD - 1 <= at - restarted < HOLD + 20, f"{at - restarted:.1f} s after the restart"
        assert device.show(QUICK, "Result")["Result"] == "success"
    finally:
        device.run(f"systemctl stop {QUICK}; rm {file}")
