"""A hostile page in another tab, and many pages at once."""

import json

import pytest
from eventually import eventually
from page import PAGE, ask, shown_state

REBOUND = "totton-audio.evil.example"
CLIENTS = 50
SECONDS = 30


@pytest.fixture
def rebound(pc):
    """A name of somebody else that points at the device, as after DNS rebinding."""
    pc.run(f"echo '192.168.55.1 {REBOUND}' >> /etc/hosts")
    yield f"http://{REBOUND}/"
    pc.run(f"sed -i '/{REBOUND}/d' /etc/hosts")


def drive(browser):
    """What a hostile script would send; how each try ended."""
    return browser.execute_async_script(
        """
        const done = arguments[0];
        const url = "http://totton-audio.local/api/v1/mute";
        const body = JSON.stringify({mute: true});
        const tries = {
          json: {method: "PUT", headers: {"content-type": "application/json"}, body},
          plain: {method: "PUT", headers: {"content-type": "text/plain"}, body},
          simple: {method: "POST", mode: "no-cors", headers: {"content-type": "text/plain"}, body},
          read: {},
        };
        Promise.all(Object.entries(tries).map(async ([name, options]) => {
          try {
            const response = await fetch(url.replace("mute", name === "read" ? "status" : "mute"), options);
            return [name, response.type, response.status];
          } catch (error) {
            return [name, "refused", 0];
          }
        })).then((all) => done(Object.fromEntries(all.map(([name, ...rest]) => [name, rest]))));
        """
    )


def test_page_of_another_origin_cannot_drive_or_read_the_device(browser, api, pc, playing):
    browser.get("data:text/html,<title>hostile</title>")
    ended = drive(browser)
    assert ended["json"] == ["refused", 0] and ended["plain"] == ["refused", 0], ended
    assert ended["read"] == ["refused", 0], ended
    # A request without CORS may be sent, blindly; newer browsers keep it from a local network.
    assert ended["simple"][0] in ("opaque", "refused"), ended
    # Whatever the browser does, the device refuses it.
    for kind in ("text/plain", "application/json"):
        told = pc.run(
            f"curl -s -o /dev/null -w '%{{http_code}}' -X PUT -H 'Origin: null' -H 'Content-Type: {kind}'"
            """ --data '{"mute": true}' http://totton-audio.local/api/v1/mute"""
        )
        assert told.strip() == "403", f"{kind}: {told}"
    assert api.status()["sound"]["mute"] is False


def test_name_that_was_rebound_to_the_device_gets_nothing(browser, api, rebound, playing):
    browser.get(rebound)
    assert "does not answer to this name" in browser.page_source
    assert ask(browser, "PUT", "mute", {"mute": True})[0] == 421
    assert ask(browser, "GET", "status")[0] == 421
    assert api.status()["sound"]["mute"] is False


@pytest.mark.on_time
def test_fifty_pages_with_events_break_no_sound(browser, api, device, pc, playing, artefacts):
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=60)
    cpu = lambda: int(device.run("systemctl show -P CPUUsageNSec totton-audio-web")) / 1e9
    before, used, clock = api.status()["counters"], cpu(), device.uptime()
    pc.run(
        f"rm -f /tmp/events.*; for i in $(seq {CLIENTS}); do"
        f" timeout {SECONDS} curl -sN http://totton-audio.local/api/v1/events > /tmp/events.$i & done; wait || true",
        timeout=SECONDS + 120,
    )
    after, spent, passed = api.status()["counters"], cpu() - used, device.uptime() - clock
    counts = [int(line) for line in pc.run("for f in /tmp/events.*; do grep -c '^event: telemetry' $f || true; done").split()]
    figures = {
        "clients": len(counts),
        "events_each": [min(counts), max(counts)],
        "device_seconds": round(passed, 1),
        "web_cpu_share": round(spent / passed, 4),
        "xruns": [after[key] - before[key] for key in ("capture_xruns", "playback_xruns")],
    }
    (artefacts / "web-load.json").write_text(json.dumps(figures, indent=1))
    assert len(counts) == CLIENTS and min(counts) > 5, figures
    assert figures["xruns"] == [0, 0], figures
    eventually("the page is still live", lambda: shown_state(browser) == "streaming", deadline=60)
