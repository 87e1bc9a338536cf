"""The promise: the PC's browser opens http://totton-audio.local."""

from eventually import eventually
from page import PAGE, part, shown_state


def test_browser_opens_the_page_and_shows_the_stream_running(browser, playing, artefacts):
    browser.get(PAGE)
    eventually("the page says that it streams", lambda: shown_state(browser) == "streaming", deadline=60)
    rates = {name: int(part(browser, name).get_attribute("data-hz")) for name in ("input-rate", "output-rate")}
    assert rates["input-rate"] == playing["input"]["rate"]
    assert rates["output-rate"] == playing["output"]["rate"]
    assert rates["output-rate"] == rates["input-rate"] * playing["engine"]["ratio"]
    assert part(browser, "output-rate").is_displayed()
    browser.save_screenshot(str(artefacts / "page-desktop.png"))
    browser.set_window_size(400, 900)
    browser.save_screenshot(str(artefacts / "page-phone.png"))
    browser.set_window_size(1280, 1000)


def test_page_asks_nothing_of_the_internet(browser, playing):
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming")
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert loaded and all(name.startswith(PAGE) for name in loaded), loaded


def test_mute_on_the_page_mutes_the_device(browser, api, playing):
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming")
    assert api.status()["sound"]["mute"] is False
    try:
        part(browser, "mute").click()
        eventually("the daemon is muted", lambda: api.status()["sound"]["mute"])
    finally:
        part(browser, "mute").click()
    eventually("the daemon sounds again", lambda: not api.status()["sound"]["mute"])


def test_page_says_so_when_the_daemon_is_away_and_recovers(browser, device, playing, services_restored):
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming")
    device.run("systemctl stop gpu-upsampler")
    eventually("the page says that the box is away", lambda: shown_state(browser) != "streaming", deadline=60)
    device.run("systemctl start gpu-upsampler", timeout=180)
    # The same page, not loaded again.
    eventually("the page is live again", lambda: shown_state(browser) == "streaming", deadline=120)
