"""Chromium on the PC's side of the cable, and what the tests of the page share."""

import contextlib
import os
import shutil
import socket
import subprocess

import pytest
from eventually import eventually
from labgrid.util.helper import get_free_port
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGE = "http://totton-audio.local/"
VIEWS = ("listen", "sound", "spectrum", "system", "update", "check")
DESKTOP, PHONE = (1280, 1000), (400, 860)
# CSS pixels: small and usual phones, a tablet, a desktop.
WIDTHS = (320, 360, 390, 412, 768, 1280)


def is_open(tunnel, port):
    """Whether the tunnel takes connections; RuntimeError if its process has ended."""
    if tunnel.poll() is not None:
        raise RuntimeError(f"the tunnel to the PC has ended with {tunnel.returncode}")
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=10):
        return True
    return False


@pytest.fixture(scope="session")
def chromium(env, pc, cable):
    """Chromium, all of whose traffic and name look-ups go through the PC."""
    program, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert program and chromedriver, "install Debian's chromium and chromium-driver"
    network = env.get_target("pc").get_resource("NetworkService")
    port = get_free_port()
    tunnel = subprocess.Popen(
        ["ssh", "-N", "-D", f"127.0.0.1:{port}", "-p", str(network.port), "-i", os.environ["LG_KEY"]]
        + ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        + ["-o", "ExitOnForwardFailure=yes", f"{network.username}@{network.address}"],
        stdin=subprocess.DEVNULL,
    )
    # Chromium's first request would fail: it does not wait for its proxy.
    eventually("the tunnel to the PC is open", lambda: is_open(tunnel, port))
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--lang=en",
        "--window-size=1280,1000",
        f"--proxy-server=socks5://127.0.0.1:{port}",
        # Nothing is resolved on this machine: the name is the PC's to find.
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(120)
    yield driver
    driver.quit()
    tunnel.terminate()
    tunnel.wait(10)


@pytest.fixture(scope="module")
def browser(chromium):
    """Chromium as it is on a computer that was never here; it looks at no page after the last test of a file."""
    chromium.set_window_size(*DESKTOP)
    yield chromium
    chromium.get("about:blank")
    forget(chromium)
    chromium.execute_cdp_cmd("Network.clearBrowserCache", {})
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": PAGE, "storageTypes": "all"})


def part(browser, name):
    return browser.find_element(By.CSS_SELECTOR, f'[data-testid="{name}"]')


def parts(browser, name):
    return browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]')


def click(browser, element):
    """Clicks what may be anywhere on the page.

    WebDriver's own scrolling brings it to the edge of the window, under the page's header: it
    knows nothing of `scroll-padding`. A person scrolls on.
    """
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def press(browser, name):
    """Presses a button, wherever it is on the page."""
    click(browser, part(browser, name))


def shown_state(browser):
    return part(browser, "state").get_attribute("data-state")


def view(browser, name):
    """Opens a view of the page, not loading the page again."""
    browser.execute_script("location.hash = arguments[0]", name)
    # The page learns of it by an event, later.
    return eventually(f"the view {name} is there", lambda: parts(browser, f"view-{name}"))[0]


@contextlib.contextmanager
def width(browser, pixels):
    """The page in so many CSS pixels: narrower than a window of Chromium can be."""
    metrics = {"width": pixels, "height": 860, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def forget(browser):
    """As a browser that was never here: no cookie.

    WebDriver's delete_all_cookies() leaves the session's: its path is the API's, not the page's.
    """
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})


def ask(browser, method, path, body=None):
    """The page's own request to the API: HTTP status and answer."""
    return browser.execute_async_script(
        """
        const [method, path, body, done] = arguments;
        fetch("/api/v1/" + path, method === "GET" ? {} : {
          method, headers: {"content-type": "application/json"}, body: JSON.stringify(body ?? {}),
        }).then(async (response) => done([response.status, await response.json()]), (error) => done([0, String(error)]));
        """,
        method,
        path,
        body,
    )
