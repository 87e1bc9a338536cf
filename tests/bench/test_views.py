"""Every view of the page: what it shows, what its controls do, in both languages, on both sizes, for everyone."""

import json
from pathlib import Path

import axe_playwright_python
import pytest
import signals
from eventually import eventually
from page import DESKTOP, PAGE, PHONE, VIEWS, WIDTHS, ask, click, forget, part, parts, press, shown_state, view, width
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

# Where the focus is, and whether its middle is seen; None outside the page. The skip link has no place of its own.
FOCUS = """
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const box = one.getBoundingClientRect();
  const y = Math.min(Math.max(box.top, 0) + Math.min(box.height, innerHeight) / 2, innerHeight - 1);
  const top = document.elementFromPoint(box.left + box.width / 2, y);
  const label = one.closest("label");
  const seen = top !== null && (one.contains(top) || top.contains(one) || (label !== null && label.contains(top)));
  return {id: one.outerHTML.slice(0, 90), seen, under: top?.outerHTML.slice(0, 90) ?? "the edge of the window"};
"""

MOST_STOPS = 80

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.fixture
def page(browser, playing):
    """The page, live, in English."""
    browser.set_window_size(*DESKTOP)
    browser.get(PAGE)
    Select(part(browser, "language")).select_by_value("en")
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=60)
    yield browser
    browser.set_window_size(*DESKTOP)


def settings(page):
    status, answer = ask(page, "GET", "settings")
    assert status == 200, answer
    return answer["settings"]


def sound(page):
    return settings(page)["sound"]


def filled(page, name):
    """Opens a view and waits for what its cards show: empty ones are narrow and short."""
    view(page, name)
    last = {"sound": "[data-testid=filter-facts] dd", "system": "[data-testid=board] dd", "check": ".steps li"}.get(name, "h1")
    eventually(f"{name} is filled", lambda: page.find_element(By.CSS_SELECTOR, f".view.{name} {last}"), deadline=60)


def violations(result):
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in result["violations"]]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", VIEWS)
def test_view_is_whole_and_accessible_in_this_language_on_desktop_and_phone(page, artefacts, name, language):
    Select(part(page, "language")).select_by_value(language)
    filled(page, name)
    assert page.find_element(By.CSS_SELECTOR, f".view.{name} h1").text
    assert page.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    page.execute_script(AXE)
    for size, window in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_window_size(*window)
        wide = page.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} pixels stand over the edge on a {size}"
        result = page.execute_async_script("axe.run().then(arguments[0])")
        page.save_screenshot(str(artefacts / f"page-{name}-{language}-{size}.png"))
        assert violations(result) == []
        assert len(result["passes"]) > 10
    # A button whose order is under way is read as well as before.
    page.execute_script("for (const one of document.querySelectorAll('button:enabled')) one.ariaBusy = 'true'")
    assert violations(page.execute_async_script("axe.run({runOnly: ['color-contrast']}).then(arguments[0])")) == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_nothing_stands_over_the_edge_at_any_width(page, language):
    Select(part(page, "language")).select_by_value(language)
    for name in VIEWS:
        filled(page, name)
        for pixels in WIDTHS:
            with width(page, pixels):
                assert page.execute_script("return innerWidth") == pixels
                wide = page.execute_script("return document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name} stands {wide} pixels over the edge at {pixels}"


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_has_the_focus_is_never_hidden_under_a_bar(page, window):
    """WCAG 2.2, 2.4.11: walks through each view by Tab, to its end and back."""
    page.set_window_size(*window)
    for name in VIEWS:
        filled(page, name)
        places = []
        for key in (Keys.TAB, Keys.SHIFT + Keys.TAB):
            for _ in range(MOST_STOPS):
                ActionChains(page).send_keys(key).perform()
                place = page.execute_script(FOCUS)
                if place is None:
                    break
                places.append(place["id"])
                assert place["seen"], f"{name}: {place['id']} is under {place['under']}"
            else:
                pytest.fail(f"the focus never leaves {name}: {places}")
        # Back from the end it passes everything: header and views, too.
        assert any("go-update" in place for place in places), places


def test_whole_page_in_dark(page, artefacts):
    Select(part(page, "theme")).select_by_value("dark")
    try:
        background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(15, 17, 19)"
        page.execute_script(AXE)
        for name in VIEWS:
            view(page, name)
            result = page.execute_async_script("axe.run({runOnly: ['color-contrast']}).then(arguments[0])")
            assert not result["violations"], [node["html"] for one in result["violations"] for node in one["nodes"]]
            page.save_screenshot(str(artefacts / f"page-{name}-dark.png"))
    finally:
        Select(part(page, "theme")).select_by_value("auto")


def test_first_paint_comes_quickly_and_the_page_is_small(page, artefacts):
    # As at the first visit: what comes from the browser's cache has no size.
    page.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.get(PAGE)
    eventually("the page is live", lambda: shown_state(page) == "streaming", deadline=60)
    for name in VIEWS:
        view(page, name)
        eventually(f"{name} is there", lambda name=name: parts(page, f"view-{name}"))
    figures = page.execute_script(
        """
        const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
        const files = performance.getEntriesByType("resource").filter((one) => !one.name.includes("/api/"));
        const html = performance.getEntriesByType("navigation")[0].encodedBodySize;
        return {first_paint_ms: paint, bytes: html + files.reduce((sum, one) => sum + one.encodedBodySize, 0)};
        """
    )
    (artefacts / "page-figures.json").write_text(json.dumps(figures, indent=1))
    assert 10_000 < figures["bytes"] < 150_000, figures
    # The device is emulated, many times slower than a board.
    assert figures["first_paint_ms"] < 10_000, figures


def test_listen_volume_by_keyboard_and_stream_restart(page, api):
    slider = part(page, "gain")
    slider.send_keys(Keys.HOME)
    eventually("the volume is at its lowest", lambda: api.status()["sound"]["gain_db"] == -60)
    slider.send_keys(Keys.END)
    eventually("the volume is full again", lambda: api.status()["sound"]["gain_db"] == 0)
    starts = api.status()["counters"]["stream_starts"]
    press(page, "restart-stream")
    eventually("the stream was opened again", lambda: api.status()["counters"]["stream_starts"] > starts, deadline=60)
    eventually("sound flows", api.streaming, deadline=60)


def test_sound_equaliser_reaches_the_daemon_and_bypass_takes_it_away(page):
    view(page, "sound")
    eventually("the equaliser is loaded", lambda: part(page, "eq-name").get_attribute("value"))
    press(page, "eq-add")
    point = eventually("the band is there", lambda: part(page, "eq-point-1"))
    # Up twelve half decibels, two semitones to the right: the whole editor works by keyboard.
    point.send_keys(Keys.ARROW_UP * 12 + Keys.ARROW_RIGHT * 2)
    text = lambda: (settings(page)["equaliser"] or {}).get("text", "")
    eventually("the daemon has the band", lambda: "Gain 6 dB" in text() and "Fc 1122" in text(), deadline=60)
    eventually("the measured curve is drawn", lambda: page.find_element(By.CSS_SELECTOR, ".plot .real").get_attribute("d"))
    press(page, "eq-bypass")
    eventually("nothing is heard of it", lambda: settings(page)["equaliser"] is None, deadline=60)
    press(page, "eq-bypass")
    press(page, "eq-b")
    eventually("side B is flat", lambda: settings(page)["equaliser"] is None, deadline=60)
    press(page, "eq-a")
    eventually("side A is back", lambda: "Gain 6 dB" in text(), deadline=60)
    press(page, "eq-remove-1")
    eventually("the equaliser is flat", lambda: settings(page)["equaliser"] is None, deadline=60)


def test_sound_crossfeed_headroom_balance_and_a_preset(page):
    view(page, "sound")
    press(page, "crossfeed")
    eventually("its strength can be chosen", lambda: part(page, "crossfeed-strong").is_enabled())
    press(page, "crossfeed-strong")
    eventually("crossfeed is in force", lambda: (sound(page)["crossfeed"] or {}).get("feed_db") == 4.5)
    press(page, "headroom-worst-case")
    # Nothing was cut off: there is nothing to count anew, and it can be asked for all the same.
    assert not part(page, "overs-reset").is_displayed()
    status, told = ask(page, "POST", "reset-overs", {})
    assert (status, told["overs"]["clipped_samples"]) == (200, 0) and told["overs"]["since_uptime_seconds"] > 0
    press(page, "mono")
    eventually("headroom and mono are in force", lambda: sound(page)["headroom"] == "worst-case" and sound(page)["mono"])
    press(page, "preset-keep")
    part(page, "preset-name").send_keys("Evening")
    press(page, "preset-save")
    chip = eventually("the preset is there", lambda: page.find_element(By.XPATH, "//button[text()='Evening']"))
    for name in ("crossfeed", "mono", "headroom-off"):
        press(page, name)
    eventually("all is off", lambda: sound(page)["crossfeed"] is None and not sound(page)["mono"])
    click(page, chip)
    eventually("the preset is in force", lambda: sound(page)["mono"] and sound(page)["crossfeed"]["feed_db"] == 4.5)
    # A switch changes what the page shows, and the page hears of a preset a moment later.
    eventually("the page shows it", lambda: all(part(page, name).is_selected() for name in ("crossfeed", "mono")))
    click(page, page.find_element(By.CSS_SELECTOR, "[aria-label='Delete: Evening']"))
    press(page, "confirm-yes")
    eventually("the preset is gone", lambda: ask(page, "GET", "presets")[1]["presets"] == [])
    for name in ("crossfeed", "mono", "headroom-off"):
        press(page, name)
    eventually("all is off", lambda: sound(page)["crossfeed"] is None and sound(page)["headroom"] == "off")


def test_a_switch_shows_and_sends_what_the_user_sees_whatever_is_answered_late(page):
    """The answers to what was asked before the last change come after it, and are of no account."""
    view(page, "sound")
    # Each answer of the box takes longer than the one after it.
    page.execute_script(
        """
        const asked = window.fetch;
        let late = 3000;
        window.fetch = async (...request) => {
          const wait = String(request[0]).endsWith("/settings") ? (late = Math.max(0, late - 1000)) : 0;
          const response = await asked(...request);
          await new Promise((go) => setTimeout(go, wait));
          return response;
        };
        """
    )
    try:
        seen = []
        for wanted in (True, False):
            press(page, "mono")
            seen.append(part(page, "mono").is_selected() == wanted)
        shown = page.execute_async_script(
            """
            const [done] = arguments;
            const seen = new Set();
            const look = setInterval(() => seen.add(document.querySelector("[data-testid=mono]").checked), 20);
            setTimeout(() => { clearInterval(look); done([...seen]); }, 5000);
            """
        )
        assert all(seen) and shown == [False], (seen, shown)
        assert sound(page)["mono"] is False
    finally:
        page.get(PAGE)
        ask(page, "PATCH", "settings", {"sound": {"mono": False}})


def test_sound_filter_is_plotted(page):
    view(page, "sound")
    for kind in ("plot-response", "plot-impulse", "plot-passband"):
        press(page, kind)
        eventually("a curve is drawn", lambda: page.find_element(By.CSS_SELECTOR, "[data-testid=filter-plot] .sum"), deadline=60)
    assert "dB" in part(page, "filter-facts").text


@pytest.mark.lg_feature("loopback")
def test_spectrum_shows_what_plays(page, device, tmp_path):
    signals.write_s32(tmp_path / "tone.wav", 44100, signals.tone(44100, 5.0, 997.0, -6.0))
    device.put(tmp_path / "tone.wav", "/dev/shm/tone.wav")
    device.run("(while aplay -q -D hw:Input,0 /dev/shm/tone.wav; do :; done) > /dev/null 2>&1 < /dev/null & sleep 0.1")
    try:
        view(page, "spectrum")
        eventually(
            "the spectrum has a loudest frequency",
            lambda: "dBFS" in part(page, "spectrum").get_attribute("aria-label"),
            deadline=60,
        )
    finally:
        device.attempt("rm /dev/shm/tone.wav; pkill -x aplay")


def test_system_tells_services_boot_log_and_gives_files(page):
    view(page, "system")
    eventually("three services", lambda: part(page, "services").text.count("running") >= 2, deadline=60)
    milestones = part(page, "milestones").text
    assert "USB gadget" in milestones and " s" in milestones
    eventually("the log has entries", lambda: len(page.find_elements(By.CSS_SELECTOR, ".log li")) > 3, deadline=60)
    press(page, "log-follow")
    page.find_element(By.CSS_SELECTOR, "[data-testid=log-text]").send_keys("listening on")
    eventually("the log is filtered", lambda: {"totton-audio-web"} == {one.text for one in page.find_elements(By.CSS_SELECTOR, ".log .from")}, deadline=60)
    sizes = page.execute_async_script(
        """
        const done = arguments[0];
        Promise.all(["diagnostics", "backup", "logs/download"].map(async (path) => {
          const response = await fetch("/api/v1/" + path);
          return [response.status, (await response.arrayBuffer()).byteLength];
        })).then(done);
        """
    )
    assert [status for status, _ in sizes] == [200, 200, 200] and min(size for _, size in sizes) > 300, sizes


def test_update_asks_for_a_bundle(page):
    view(page, "update")
    eventually("a bundle is asked for", part(page, "update-drop").is_displayed, deadline=60)
    assert not part(page, "update-away").is_displayed()


def let_in(page, problem):
    """Types the password into the dialog, a wrong one first."""
    field = eventually("the password is asked for", lambda: part(page, "login-password"), deadline=60)
    assert shown_state(page) == "locked"
    assert ask(page, "GET", "status")[0] == 401
    field.send_keys("wrong horse" + Keys.ENTER)
    eventually("it is told that it is wrong", lambda: problem in page.find_element(By.CSS_SELECTOR, ".dialog .problem").text)
    field.clear()
    field.send_keys("correct horse" + Keys.ENTER)
    eventually("the page is live", lambda: shown_state(page) == "streaming", deadline=60)
    assert not parts(page, "login-dialog")


def test_password_is_asked_for_and_lets_in(page):
    assert ask(page, "PUT", "password", {"current": None, "new": "correct horse"})[0] == 200
    try:
        # This browser has given it; it goes on.
        page.get(PAGE)
        eventually("the page is live", lambda: shown_state(page) == "streaming", deadline=60)
        forget(page)
        page.get(PAGE)
        let_in(page, "wrong")
    finally:
        ask(page, "POST", "session", {"password": "correct horse"})
        assert ask(page, "PUT", "password", {"current": "correct horse", "new": None})[0] == 200


def test_open_page_asks_for_the_password_as_soon_as_its_session_has_ended(page):
    """Set on another computer: the live stream ends, and the page asks, not loaded again."""
    page.execute_script("document.body.dataset.same = 'yes'")
    assert ask(page, "PUT", "password", {"current": None, "new": "correct horse"})[0] == 200
    try:
        forget(page)
        let_in(page, "wrong")
        assert page.execute_script("return document.body.dataset.same") == "yes"
    finally:
        ask(page, "POST", "session", {"password": "correct horse"})
        assert ask(page, "PUT", "password", {"current": "correct horse", "new": None})[0] == 200


def test_audio_service_is_restarted_from_the_page(page, api):
    """The one power action that a test can watch to its end; the socket is the same kind for all."""
    before = api.status()["uptime_seconds"]
    view(page, "system")
    press(page, "restart-audio")
    press(page, "confirm-yes")
    eventually("the daemon is a new one", lambda: api.status()["uptime_seconds"] < before, deadline=120)
    eventually("the page is live again", lambda: shown_state(page) == "streaming", deadline=120)
