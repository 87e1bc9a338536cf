"""What the PC plays into the USB cable shows live on the page in its browser.

The PC and the box are two machines here: on the virtual bench they do not keep one
time, so nothing is asserted of the sound itself (usb_audio/ does that).
"""

import re

import pytest
from eventually import eventually
from page import PAGE, part, shown_state

pytestmark = pytest.mark.on_time

FRAGMENT = "/etc/totton-audio/upsampler.d/60-usb.toml"
# Noise that peaks at -18 dBFS, without end.
NOISE = "perl -e '$n = pack(q(l<*), map { int(rand(2**29)) - 2**28 } 1 .. 96000); print $n while 1'"


@pytest.fixture
def input_from_the_cable(device, api, cable):
    device.run(f"printf '[capture]\\ndevice = \"hw:UAC2Gadget,0\"\\nrate = \"auto\"\\n' > {FRAGMENT}")
    try:
        device.run("systemctl reload gpu-upsampler")
        eventually("the daemon waits for the PC", lambda: api.status()["state"] == "idle")
        yield
    finally:
        cable.pc.attempt("pkill -x aplay")
        device.run(f"rm {FRAGMENT} && systemctl reload gpu-upsampler")
    eventually("the stream runs as before", api.streaming, deadline=120)


def start_playing(pc, rate):
    card = re.search(r"^ *(\d+) \[.*USB-Audio - Totton", pc.run("cat /proc/asound/cards"), re.MULTILINE).group(1)
    pc.run(
        f"({NOISE} | aplay -q -D hw:{card},0 -t raw -f S32_LE -c 2 -r {rate} --buffer-time=500000) "
        "> /dev/null 2>&1 < /dev/null & sleep 1"
    )


def shown_rate(browser):
    return int(part(browser, "input-rate").get_attribute("data-hz") or 0)


def shown_level(browser):
    """The louder channel's input meter, in dBFS."""
    meters = part(browser, "input-levels").find_elements("css selector", '[role="meter"]')
    return max(float(meter.get_attribute("aria-valuenow") or -200) for meter in meters)


@pytest.mark.lg_feature("bench")
def test_page_shows_rate_and_level_of_what_the_pc_plays(browser, pc, api, input_from_the_cable, artefacts):
    browser.get(PAGE)
    eventually("the page says that nothing plays", lambda: shown_state(browser) == "idle", deadline=60)
    for rate in (96000, 44100):
        start_playing(pc, rate)
        eventually(f"the page shows {rate} Hz", lambda: shown_rate(browser) == rate, deadline=90)
        assert api.status()["input"]["rate"] == rate
        eventually("the meter moves", lambda: -40 < shown_level(browser) < 0, deadline=60)
        browser.save_screenshot(str(artefacts / f"page-usb-{rate}.png"))
        pc.run("pkill -x aplay; while pgrep -x aplay; do sleep 0.1; done")
        eventually("the page says that nothing plays", lambda: shown_state(browser) == "idle", deadline=60)
