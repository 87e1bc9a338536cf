"""The promise: the PC's browser opens http://totton-audio.local."""

import os
import shutil
import subprocess

import pytest
from eventually import eventually
from labgrid.util.helper import get_free_port
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGE = "http://totton-audio.local/"


@pytest.fixture(scope="module")
def browser(env, pc, cable):
    """Chromium, all of whose traffic and name look-ups go through the PC."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and chromedriver, "install Debian's chromium and chromium-driver"
    network = env.get_target("pc").get_resource("NetworkService")
    port = get_free_port()
    tunnel = subprocess.Popen(
        ["ssh", "-N", "-D", f"127.0.0.1:{port}", "-p", str(network.port), "-i", os.environ["LG_KEY"]]
        + ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        + ["-o", "ExitOnForwardFailure=yes", f"{network.username}@{network.address}"],
        stdin=subprocess.DEVNULL,
    )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--window-size=1280,1000",
        f"--proxy-server=socks5://127.0.0.1:{port}",
        # Nothing is resolved on this machine: the name is the PC's to find.
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()
    tunnel.terminate()
    tunnel.wait(10)


def part(browser, name):
    return browser.find_element(By.CSS_SELECTOR, f'[data-testid="{name}"]')


def shown_state(browser):
    return part(browser, "state").get_attribute("data-state")


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
