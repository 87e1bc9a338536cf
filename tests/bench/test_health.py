"""The start is confirmed once gadget, sound and page have been up for a minute."""

import json

from eventually import eventually
from test_boot import SECONDS

UNIT, DAEMON = "totton-audio-health", "gpu-upsampler"
# A copy of the unit, whose minute is shorter.
QUICK, HOLD = f"{UNIT}-quick", 12


def second(entry):
    return int(entry["__MONOTONIC_TIMESTAMP"]) / SECONDS


def healthy(entries):
    return [second(entry) for entry in entries if str(entry.get("MESSAGE", "")).startswith("healthy: ")]


def confirmed(device):
    """The latest boot whose check found the device healthy: when, and when the daemon had last started before."""
    asked = f"journalctl -o json --no-pager _SYSTEMD_UNIT={UNIT}.service + _PID=1 UNIT={DAEMON}.service"
    boots = {}
    for line in device.run(asked).splitlines():
        entry = json.loads(line)
        boots.setdefault(entry["_BOOT_ID"], []).append(entry)
    for entries in reversed(boots.values()):
        if found := healthy(entries):
            starts = [second(one) for one in entries if str(one.get("MESSAGE", "")).startswith("Started")]
            return found[0], max(start for start in starts if start < found[0])
    return None


def test_a_start_is_confirmed_a_minute_after_the_daemon_s_last_restart_and_not_before(device, playing, services_restored):
    # A boot's own check, by the minute of the product; tests before this one may have restarted device and daemon.
    at, started = eventually("the check has found the device healthy", lambda: confirmed(device), deadline=400)
    assert 59 <= at - started < 90, f"{at - started:.1f} s after the daemon's start"
    # A restart within the minute begins it anew.
    file = f"/run/systemd/system/{QUICK}.service"
    device.run(f"(systemctl cat {UNIT}; printf '[Service]\\nEnvironment=TOTTON_HEALTH_HOLD={HOLD} TOTTON_HEALTH_EVERY=1\\n') > {file}")
    try:
        device.run(f"systemctl start {QUICK}; sleep 4; systemctl restart {DAEMON}", timeout=120)
        restarted = device.uptime()
        at = eventually("the check has found the device healthy", lambda: healthy(device.journal(f"-u {QUICK}")), deadline=200)[0]
        assert HOLD - 1 <= at - restarted < HOLD + 20, f"{at - restarted:.1f} s after the restart"
        assert device.show(QUICK, "Result")["Result"] == "success"
    finally:
        device.run(f"systemctl stop {QUICK}; rm {file}")
