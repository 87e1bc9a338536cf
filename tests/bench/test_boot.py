"""From power-on to ready: what systemd did, and when."""

import json

SECONDS = 1e6


def boot_times(device, unit):
    """When systemd first began and first finished to start a unit, in seconds since the kernel started.

    Read from the journal: what a later restart did to the unit does not matter.
    """
    told = [
        (str(entry.get("MESSAGE", "")).split()[0], int(entry["__MONOTONIC_TIMESTAMP"]) / SECONDS)
        for entry in device.journal("_PID=1", f"UNIT={unit}.service")
    ]
    begun = [seconds for word, seconds in told if word in ("Starting", "Started", "Finished")]
    done = [seconds for word, seconds in told if word in ("Started", "Finished")]
    assert begun and done, f"{unit} was never started: {told}"
    return begun[0], done[0]


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
    units = ("totton-audio-gadget", "systemd-networkd", "avahi-daemon", "gpu-upsampler", "totton-audio-web")
    begun, done = {}, {}
    for unit in units:
        begun[unit], done[unit] = boot_times(device, unit)
    for first, second in (
        ("totton-audio-gadget", "systemd-networkd"),
        ("systemd-networkd", "avahi-daemon"),
        ("totton-audio-gadget", "gpu-upsampler"),
        ("gpu-upsampler", "totton-audio-web"),
    ):
        assert done[first] <= begun[second], f"{second} did not wait for {first}: {begun} {done}"


def test_milestones_of_the_boot_are_reported(device, artefacts, record_property):
    listening = [
        int(entry["__MONOTONIC_TIMESTAMP"]) / SECONDS
        for entry in device.journal("-u totton-audio-web")
        if "listening on" in str(entry.get("MESSAGE", ""))
    ]
    assert listening, "the web service never said that it listens"
    milestones = {
        "gadget ready": boot_times(device, "totton-audio-gadget")[1],
        "network ready": boot_times(device, "systemd-networkd")[1],
        "mDNS ready": boot_times(device, "avahi-daemon")[1],
        "audio ready": boot_times(device, "gpu-upsampler")[1],
        "web ready": listening[0],
    }
    (artefacts / "milestones.json").write_text(json.dumps(milestones, indent=2) + "\n")
    for name, seconds in milestones.items():
        print(f"milestone: {name:14} {seconds:7.2f} s since kernel start")
        record_property(name, f"{seconds:.2f}")
    # Emulated time is no board's time: the specification's budgets are for a Jetson.
    assert milestones["gadget ready"] < milestones["audio ready"] < milestones["web ready"]


def test_nothing_of_ours_listens_beyond_loopback_and_the_usb_network(device):
    """TCP and UDP sockets of the product's own programs, by local address and interface."""
    # Linux answers for any address on any interface: the page's sockets are bound to both.
    allowed = {"127.0.0.1%lo", "192.168.55.1%usb0"}
    # The kernel keeps 15 bytes of a program's name.
    web = "totton-audio-web"[:15]
    # avahi and the DHCP server bind a wildcard and check the interface themselves
    # (test_other_network.py asks them).
    wildcard_by_design = {"avahi-daemon", "systemd-network"}
    # What the bench itself put in: remote control, and the virtual cable.
    bench = {"sshd", "sshd-session", "systemd", "usbipd"}
    found, page = [], set()
    for line in device.run("ss -H -l -n -t -u -p").splitlines():
        local, program = line.split()[4], line.split('(("')[-1].split('"')[0]
        address = local.rsplit(":", 1)[0]
        if program == web:
            page.add(address)
        if address not in allowed and program not in wildcard_by_design | bench:
            found.append(line)
    assert found == []
    assert page == allowed


def test_what_the_preset_disables_is_disabled(device):
    preset = device.run("cat /usr/lib/systemd/system-preset/80-totton-audio.preset")
    units = [line.split()[1] for line in preset.splitlines() if line.startswith("disable ")]
    assert units
    states = {unit: device.attempt(f"systemctl is-enabled {unit}")[1].strip() for unit in units}
    assert [unit for unit, state in states.items() if state == "enabled"] == []


def test_the_kernel_s_messages_are_in_the_journal_once(device):
    """A syslog daemon beside the journal would pass them on to it again."""
    assert device.run("journalctl -b -q --no-pager -o cat -t kernel _TRANSPORT=syslog") == ""
