"""What both machines say of themselves, asked when a test has failed."""

QUESTIONS = {
    "pc": (
        "lsusb",
        "ip -br address",
        "networkctl --no-pager --no-legend list",
        "cat /sys/devices/platform/vhci_hcd.0/status",
        "dmesg | tail -n 30",
        "journalctl -b -n 25 --no-pager -o short-monotonic",
    ),
    "device": (
        "ip -br address",
        "networkctl --no-pager --no-legend list",
        "cat /sys/class/udc/*/state",
        "totton-audio-gadget-setup status",
        "systemctl --failed --no-legend",
        "dmesg | tail -n 30",
        "journalctl -b -n 40 --no-pager -o short-monotonic",
        # The kernel's lines push these out.
        "journalctl -b -n 40 --no-pager -o short-monotonic -u 'totton-audio*' -u gpu-upsampler",
    ),
}


def of(machine):
    """The machine's answers, each under the command that asked; never an error of its own."""
    told = []
    for question in QUESTIONS[machine.name]:
        try:
            _, out, err = machine.attempt(question, timeout=30)
        except Exception as error:  # labgrid tells a lost connection by a plain one
            out, err = "", f"cannot be asked: {error}"
        told.append(f"$ {question}\n{out}{err}".rstrip())
    return "\n".join(told)
