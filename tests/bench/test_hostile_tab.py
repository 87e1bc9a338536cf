"""A page of somebody else in another tab of the owner's browser floods the device; the owner notices nothing."""

import functools
import http.server
import json
import threading

import pytest
from eventually import eventually
from page import PAGE, ask, browser, part, shown_state, view  # noqa: F401 (a fixture)

# What any page may send without asking: blind requests, images, forms' bodies, event streams, sockets.
HOSTILE = """<!doctype html><title>cat pictures</title><script>
const base = "http://totton-audio.local";
window.sent = 0;
const blind = async (path, options) => {
  for (;;) {
    try { await fetch(base + path + "?" + window.sent, {mode: "no-cors", cache: "no-store", ...options}); } catch {}
    window.sent += 1;
    // A request that fails at once leaves the page no time otherwise.
    await new Promise((next) => { const channel = new MessageChannel(); channel.port1.onmessage = next; channel.port2.postMessage(0); });
  }
};
const post = {method: "POST", headers: {"content-type": "text/plain"}, body: "{}"};
for (let i = 0; i < 6; i += 1) {
  blind("/api/v1/status", {referrerPolicy: "no-referrer"});
  blind("/api/v1/mute", post);
}
blind("/api/v1/logs", {referrerPolicy: "no-referrer"});
blind("/", {referrerPolicy: "no-referrer"});
for (let i = 0; i < 80; i += 1) {
  new EventSource(base + "/api/v1/events");
  new WebSocket("ws://totton-audio.local/api/v1/events");
  new Image().src = base + "/api/v1/events?" + i;
}
</script>
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def hostile(tmp_path):
    """The address of the page, on another origin; the browser asks it directly, not through the PC."""
    (tmp_path / "cats.html").write_text(HOSTILE)
    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cats.html"
        server.shutdown()


@pytest.fixture
def flooded(browser, hostile):  # noqa: F811
    """The hostile page works in another tab; a function that tells how many requests it has sent."""
    owner = browser.current_window_handle
    browser.switch_to.new_window("tab")
    tab = browser.current_window_handle
    browser.get(hostile)
    eventually("the flood has begun", lambda: browser.execute_script("return window.sent") > 100, deadline=120)

    def sent():
        browser.switch_to.window(tab)
        count = browser.execute_script("return window.sent")
        browser.switch_to.window(owner)
        return count

    browser.switch_to.window(owner)
    yield sent
    browser.switch_to.window(tab)
    browser.close()
    browser.switch_to.window(owner)


@pytest.mark.on_time
def test_flood_of_another_tab_takes_nothing_from_the_owner(browser, flooded, api, device, playing, artefacts):  # noqa: F811
    counters, clock, begun = api.status()["counters"], device.uptime(), flooded()
    # The page loads beside the flood, all of it, and is live.
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=120)
    for name in ("sound", "spectrum", "system", "listen"):
        view(browser, name)
    # It may order, and none of it is one too many.
    answers = [ask(browser, "PUT", "mute", {"mute": False})[0] for _ in range(40)]
    reads = [ask(browser, "GET", path)[0] for path in ("status", "settings", "presets", "system", "logs") * 4]
    live = [shown_state(browser) for _ in range(20)]
    after, passed = api.status()["counters"], device.uptime() - clock
    figures = {
        "hostile_requests": flooded() - begun,
        "device_seconds": round(passed, 1),
        "orders": {str(code): answers.count(code) for code in set(answers)},
        "reads": {str(code): reads.count(code) for code in set(reads)},
        "states": sorted(set(live)),
        "xruns": [after[key] - counters[key] for key in ("capture_xruns", "playback_xruns")],
        "refusals_logged": len([entry for entry in device.journal("-u totton-audio-web") if "refused" in str(entry.get("MESSAGE"))]),
    }
    (artefacts / "hostile-tab.json").write_text(json.dumps(figures, indent=1))
    assert figures["hostile_requests"] > 100, figures
    assert set(answers) == {200} and set(reads) == {200} and live == ["streaming"] * 20, figures
    assert figures["xruns"] == [0, 0], figures
    assert figures["refusals_logged"] < 200, figures
