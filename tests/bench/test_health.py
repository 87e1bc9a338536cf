"""The start is confirmed once gadget, sound and page have been up for a minute."""

from eventually import eventually

UNIT = "totton-audio-health"


def said(device):
    """What the health check has said in this boot, with the second at which it did."""
    return [
        (str(entry.get("MESSAGE", "")), int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6)
        for entry in device.journal(f"-t {UNIT}")
    ]


def healthy(device):
    return [second for message, second in said(device) if message.startswith("healthy: ")]


def test_a_start_is_confirmed_a_minute_after_the_daemon_s_last_restart_and_not_before(device, cable, services_restored):
    # Each other test may have restarted a service: the check's minute begins here.
    device.run(f"systemctl stop {UNIT}")
    before = len(healthy(device))
    device.run(f"systemctl start {UNIT}")
    eventually("a quarter of the minute is over", lambda: device.run("sleep 15; echo passed"), deadline=60)
    device.run("systemctl restart gpu-upsampler", timeout=120)
    restarted = device.uptime()
    at = eventually("the check has found the device healthy", lambda: healthy(device)[before:], deadline=400)[0]
    assert 59 <= at - restarted < 90, f"{at - restarted:.1f} s after the restart"
    assert device.show(UNIT, "Result")["Result"] == "success"
