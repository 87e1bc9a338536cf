"""What the PC sees when the cable goes in."""

import pytest
from eventually import eventually


def usb_network(pc):
    """Name of the PC's network interface that the gadget's NCM function made."""
    out = pc.run("for i in /sys/class/net/*; do echo $(basename $i) $(basename $(readlink $i/device/driver)); done")
    names = [line.split()[0] for line in out.splitlines() if line.endswith(("cdc_ncm", "cdc_ether", "rndis_host"))]
    assert names, f"no USB network interface: {out}"
    return names[0]


def leased_address(pc):
    """The PC's IPv4 address on the USB network."""
    out = pc.run(f"ip -4 -o address show dev {usb_network(pc)}")
    addresses = [word.split("/")[0] for word in out.split() if word.startswith("192.168.55.")]
    assert addresses, f"no address yet: {out}"
    return addresses[0]


def page_loads(pc):
    return pc.attempt("curl -fsS -m 20 -o /dev/null http://totton-audio.local/", timeout=60)[0] == 0


def test_host_sees_the_gadget_with_sound_card_and_network(cable, pc):
    eventually("the gadget is on the PC's bus", cable.is_seen)
    details = pc.run("lsusb -v -d 1d6b:0104 2>/dev/null")
    assert "Totton Audio" in details
    cards = eventually("a USB sound card", lambda: "Totton" in pc.run("cat /proc/asound/cards") and pc.run("cat /proc/asound/cards"))
    assert "USB-Audio" in cards
    eventually("a USB network interface", lambda: usb_network(pc))


def test_sound_card_offers_stereo_32_bit_at_every_rate(cable, pc):
    stream = eventually(
        "the card's stream description",
        lambda: pc.attempt("cat $(grep -l Totton /proc/asound/card*/stream0)")[1],
    )
    assert "Playback:" in stream and "Capture:" not in stream, stream
    assert "Format: S32_LE" in stream and "Channels: 2" in stream, stream
    rates = {int(r) for r in stream.split("Rates:")[1].splitlines()[0].replace(",", " ").split()}
    assert rates == {44100, 48000, 88200, 96000, 176400, 192000}
    # Asynchronous with an explicit feedback endpoint, which Windows insists on.
    assert "ASYNC" in stream and "Sync Endpoint" in stream, stream


def test_host_gets_an_address_by_dhcp(cable, pc):
    address = eventually("an address by DHCP", lambda: leased_address(pc), deadline=120)
    assert 100 <= int(address.split(".")[3]) <= 199, address


def test_the_box_does_not_take_over_the_default_route(cable, pc):
    eventually("an address by DHCP", lambda: leased_address(pc), deadline=120)
    assert "192.168.55.1" not in pc.run("ip route show default")


def test_host_resolves_the_name_by_mdns(cable, pc):
    answer = eventually(
        "totton-audio.local resolves",
        lambda: pc.attempt("avahi-resolve -4 -n totton-audio.local", timeout=60)[1],
        deadline=120,
    )
    assert answer.split() == ["totton-audio.local", "192.168.55.1"]
    # And as every program resolves it.
    assert pc.run("getent ahostsv4 totton-audio.local").split()[0] == "192.168.55.1"


def test_host_finds_the_web_service(cable, pc):
    lines = eventually(
        "the _http._tcp service",
        lambda: [
            line
            for line in pc.run("avahi-browse -r -p -t _http._tcp", timeout=60).splitlines()
            if line.startswith("=") and "192.168.55.1" in line
        ],
        deadline=120,
    )
    assert any(";totton-audio.local;" in line and ";80;" in line for line in lines), lines


@pytest.mark.parametrize("time", [1, 2, 3])
def test_network_and_page_are_back_after_replugging(cable, pc, playing, time):
    cable.unplug()
    eventually("the gadget is gone", lambda: not cable.is_seen())
    cable.plug()
    eventually("the gadget is on the PC's bus", cable.is_seen, deadline=120)
    eventually("the sound card is back", lambda: "Totton" in pc.run("cat /proc/asound/cards"))
    eventually("an address by DHCP", lambda: leased_address(pc), deadline=120)
    eventually("the page loads", lambda: page_loads(pc), deadline=120)
