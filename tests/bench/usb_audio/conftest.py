"""Sound over the cable: both ends, attached for as long as a file's tests last."""

import pytest
from daemon_status import Page
from ends import CARD, Box, Host
from eventually import eventually
from packets import Packets

# What only tells of a fault in the kernel. Everything of this boot before the test is not its own.
KERNEL_FAULTS = "BUG:|WARNING:|Oops|Call trace|Unable to handle|rcu:.*stall|hung task"


@pytest.fixture(scope="module")
def host(env, device, cable):
    """The computer, the cable plugged in."""
    plug, unplug = (env.config.get_option(name) for name in ("sound_plug", "sound_unplug"))
    machine = {"device": device, "pc": cable.pc}[env.config.get_option("sound_host")]
    host = Host(machine, plug, unplug)
    cable.unplug()
    host.plug()
    yield host
    host.unplug()
    cable.plug()


@pytest.fixture(scope="module")
def box(device):
    return Box(device)


@pytest.fixture(scope="module")
def upsampling(env, device, host):
    """The daemon takes its input from the cable; the page tells of it."""
    fragment = "/etc/totton-audio/upsampler.d/60-usb.toml"
    device.run(f"printf '[capture]\\ndevice = \"hw:UAC2Gadget,0\"\\nrate = \"auto\"\\n' > {fragment}")
    try:
        device.run("systemctl reload gpu-upsampler")
        page = Page(host, env.config.get_option("sound_network"))
        eventually("the computer is told to send nothing", lambda: page.status()["state"] == "idle", deadline=60)
        yield page
    finally:
        device.run(f"rm {fragment} && systemctl reload gpu-upsampler")
        closed = f"grep -qx closed /proc/asound/{CARD}/pcm0c/sub0/status"
        eventually("the daemon has let go of the cable's card", lambda: device.attempt(closed)[0] == 0)


@pytest.fixture
def packets(device):
    return Packets(device)


@pytest.fixture(autouse=True)
def clean(host, box):
    """Nothing of a test plays, records or fills the memory after it; the kernel is sound."""
    box.device.run("dmesg -c > /dev/null")
    yield
    host.clean()
    box.clean()
    faults = box.device.attempt(f"dmesg | grep -E '{KERNEL_FAULTS}'")[1]
    assert faults == "", f"the kernel complains: {faults}"
