"""From power-on to ready: what systemd did, and when."""

import json

SECONDS = 1e6


def monotonic(device, unit, which="ActiveEnterTimestampMonotonic"):
    """When a unit reached a state, in seconds since the kernel started."""
    return int(device.show(unit, which)[which]) / SECONDS


def test_every_unit_runs_and_none_has_failed(device):
    assert device.attempt("systemctl is-system-running --wait", timeout=240)[1].strip() == "running", (
        device.run("systemctl list-units --failed --no-legend --plain")
    )
    for unit in ("totton-audio-gadget", "gpu-upsampler", "totton-audio-web", "avahi-daemon", "systemd-networkd"):
        assert device.show(unit, "ActiveState")["ActiveState"] == "active", unit


def test_boot_has_no_ordering_cycle(device):
    messages = [str(entry.get("MESSAGE", "")) for entry in device.journal("_PID=1")]
    assert len(messages) > 20, "the journal of systemd itself is not there"
    assert [m for m in messages if "ordering cycle" in m] == []


def test_services_start_in_the_order_of_the_specification(device):
    gadget_ready = monotonic(device, "totton-audio-gadget")
    starts = {
        unit: monotonic(device, unit, "InactiveExitTimestampMonotonic")
        for unit in ("systemd-networkd", "avahi-daemon", "gpu-upsampler", "totton-audio-web")
    }
    assert gadget_ready <= starts["systemd-networkd"], (gadget_ready, starts)
    assert monotonic(device, "systemd-networkd") <= starts["avahi-daemon"], starts
    assert gadget_ready <= starts["gpu-upsampler"], (gadget_ready, starts)
    assert monotonic(device, "gpu-upsampler") <= starts["totton-audio-web"], starts


def test_milestones_of_the_boot_are_reported(device, artefacts, record_property):
    listening = [
        int(entry["__MONOTONIC_TIMESTAMP"]) / SECONDS
        for entry in device.journal("-u totton-audio-web")
        if "listening on" in str(entry.get("MESSAGE", ""))
    ]
    assert listening, "the web service never said that it listens"
    milestones = {
        "gadget ready": monotonic(device, "totton-audio-gadget"),
        "network ready": monotonic(device, "systemd-networkd"),
        "mDNS ready": monotonic(device, "avahi-daemon"),
        "audio ready": monotonic(device, "gpu-upsampler"),
        "web ready": listening[0],
    }
    (artefacts / "milestones.json").write_text(json.dumps(milestones, indent=2) + "\n")
    for name, seconds in milestones.items():
        print(f"milestone: {name:14} {seconds:7.2f} s since kernel start")
        record_property(name, f"{seconds:.2f}")
    # Emulated time is no board's time: the specification's budgets are for a Jetson.
    assert milestones["gadget ready"] < milestones["audio ready"] < milestones["web ready"]


def test_nothing_of_ours_listens_beyond_loopback_and_the_usb_network(device):
    """TCP and UDP sockets of the product's own programs, by local address."""
    allowed = {"127.0.0.1", "[::1]", "192.168.55.1"}
    # avahi and the DHCP server bind a wildcard and check the interface themselves.
    wildcard_by_design = {"avahi-daemon", "systemd-network"}
    # What the bench itself put in: remote control, and the virtual cable.
    bench = {"sshd", "sshd-session", "systemd", "usbipd"}
    found = []
    for line in device.run("ss -H -l -n -t -u -p").splitlines():
        local, program = line.split()[4], line.split('(("')[-1].split('"')[0]
        address = local.rsplit(":", 1)[0].split("%")[0]
        if address not in allowed and program not in wildcard_by_design | bench:
            found.append(line)
    assert found == []
