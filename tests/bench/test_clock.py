"""The clock of a box without a battery: the page sets it, a hostile page does not, a power cut does not put it back."""

import json
import time

import pytest
from eventually import eventually
from machine import API
from page import PAGE, ask, browser, forget, shown_state  # noqa: F401 (a fixture)
from sandbox import Sandbox

DAY = 24 * 3600
EPOCH = "/usr/lib/clock-epoch"
KEPT = "/opt/totton_audio/data/system/clock"
UNIT = "totton-audio-clock"
DATA = "/opt/totton_audio/data"
# RTC_SET_TIME of linux/rtc.h on arm64; the year counts from 1900. Noon of 3 February 2001.
OLD_RTC = """perl -e 'open(my $rtc, "+<", "/dev/rtc0") or die "rtc0: $!";
my $time = pack("l9", 0, 0, 12, 3, 1, 101, 0, 0, 0); ioctl($rtc, 0x4024700a, $time) or die "RTC_SET_TIME: $!"'"""


def shown(device):
    """What the device's clock shows, in seconds since 1970."""
    return float(device.run("date +%s.%N"))


def built(device):
    return float(device.run(f"stat -c %Y {EPOCH}"))


def off(device, ahead=0):
    """By how many seconds the device's clock is from the time here, or from one `ahead` of it, at least."""
    before = time.time() + ahead
    device_s = shown(device)
    after = time.time() + ahead
    return max(before - device_s, device_s - after, 0)


def put(pc, seconds, origin="http://totton-audio.local"):
    """HTTP status and answer of a request for the time to be set."""
    body = json.dumps({"unix_time_ms": round(seconds * 1000)})
    out = pc.run(
        f"curl -sS -m 40 -w '\\n%{{http_code}}' -X PUT -H 'Origin: {origin}' -H 'Content-Type: application/json'"
        f" --data '{body}' {API}/clock",
        timeout=90,
    )
    answer, code = out.rsplit("\n", 1)
    return int(code), json.loads(answer)


# The computer's clock as a page sees it, and what the page was told of the box's.
COMPUTER = """
const now = Date.now, ask = window.fetch;
Date.now = () => now.call(Date) + AHEAD_MS;
window.clocks = [];
window.fetch = async (path, options) => {
  const before = Date.now(), answer = await ask(path, options), after = Date.now();
  if (String(path).endsWith("/clock")) window.clocks.push({before, after, ...await answer.clone().json()});
  return answer;
};
"""


def opened(browser, device, ahead=0):  # noqa: F811
    """Opens the page on a computer whose clock is `ahead` seconds ahead; the box's clock follows.

    Whether it is right is told by the answer to the page: an emulated device's time goes much
    slower than this computer's while that is busy, so that it is wrong again when it is looked at.
    """
    script = COMPUTER.replace("AHEAD_MS", str(ahead * 1000))
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    browser.get("about:blank")
    browser.get(PAGE)
    told = eventually("the page has set the clock", lambda: browser.execute_script("return window.clocks"), deadline=90)
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    assert len(told) == 1 and told[0]["changed"], told
    assert told[0]["before"] - 2000 < told[0]["unix_time_ms"] < told[0]["after"] + 2000, told
    print(f"asked and answered within {told[0]['after'] - told[0]['before']} ms; the clock {told[0]['after'] - told[0]['unix_time_ms']} ms behind then")
    assert off(device, ahead) < 60
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=120)


def journal_of(device):
    return [str(entry.get("MESSAGE", "")) for entry in device.journal(f"-t {UNIT}")]


@pytest.fixture
def asked_anew(device):
    """As if the clock had not been set for a minute."""
    device.run(f"systemctl stop {UNIT}.service")


@pytest.fixture
def right(device, browser):  # noqa: F811
    """Whatever the test did, the device's clock is right after it."""
    yield
    device.run(f"systemctl stop {UNIT}.service; date -s @{time.time():.3f}")
    eventually("the right time is kept", lambda: abs(float(device.run(f"stat -c %Y {KEPT}")) - time.time()) < 60, deadline=60)


def test_a_hostile_page_sets_no_clock(browser, device, pc, playing, right, asked_anew):  # noqa: F811
    before = off(device)
    browser.get("data:text/html,<title>hostile</title>")
    told = browser.execute_async_script(
        """
        const [time, done] = arguments;
        const url = "http://totton-audio.local/api/v1/clock", body = JSON.stringify({unix_time_ms: time});
        const ways = [{headers: {"content-type": "application/json"}}, {headers: {"content-type": "text/plain"}}, {mode: "no-cors", method: "POST"}];
        Promise.all(ways.map((way) => fetch(url, {method: "PUT", body, ...way}).then((answer) => answer.type, () => "refused"))).then(done);
        """,
        round((time.time() + 400 * DAY) * 1000),
    )
    assert told[:2] == ["refused", "refused"] and told[2] in ("opaque", "refused"), told
    for origin in ("null", "http://evil.example"):
        assert put(pc, time.time() + 400 * DAY, origin)[0] == 403, origin
    assert off(device) < before + 300
    # Nobody asked for the unit at all.
    assert device.show(f"{UNIT}.service", "ActiveState")["ActiveState"] == "inactive"


def test_a_time_that_the_box_cannot_believe_is_refused(device, pc, playing, right, asked_anew):
    before = off(device)
    for seconds, why in (
        (built(device) - 60, "before the image was built"),
        (built(device) + 20.1 * 365.25 * DAY, "more than 20 years"),
        (9e12, "more than 20 years"),
    ):
        status, problem = put(pc, seconds)
        assert (status, problem["type"].rsplit(":", 1)[1]) == (422, "not-accepted"), problem
        assert why in problem["detail"], problem
    # Nor is one that is right to a minute set: the device's own may be the better one.
    status, answer = put(pc, shown(device) + 30)
    assert (status, answer["changed"]) == (200, False), answer
    assert off(device) < before + 300
    # In bounds it is set, and the next time is not before a minute is over.
    status, answer = put(pc, time.time() + 400 * DAY)
    assert (status, answer["changed"]) == (200, True), answer
    assert off(device, 400 * DAY) < 60
    status, problem = put(pc, time.time())
    assert (status, problem["type"].rsplit(":", 1)[1]) == (429, "clock-set-just-now"), problem
    assert off(device, 400 * DAY) < 300


def test_a_jump_of_years_ends_no_session_and_loses_no_log(browser, device, playing, right, asked_anew):  # noqa: F811
    browser.get(PAGE)
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=120)
    assert ask(browser, "PUT", "password", {"current": None, "new": "correct horse"})[0] == 200
    try:
        first = device.run("journalctl -b -q --no-pager -o cat -t systemd | head -n 3")
        assert first
        opened(browser, device, 400 * DAY)
        assert ask(browser, "GET", "session")[1] == {"password_set": True, "open": True}
        # The next entry has journald begin another file.
        device.run("logger -t bench 'after the jump' && journalctl --sync")
        assert device.run("journalctl -b -q --no-pager -o cat -t systemd | head -n 3") == first
        assert "after the jump" in device.run("journalctl -b -q --no-pager -o cat -t bench")
        # It is kept at once, not in an hour.
        eventually("the time is kept", lambda: abs(float(device.run(f"stat -c %Y {KEPT}")) - time.time() - 400 * DAY) < 60)
        # A computer with the right time puts it right.
        device.run(f"systemctl stop {UNIT}.service")
        opened(browser, device)
        assert ask(browser, "GET", "session")[1] == {"password_set": True, "open": True}
    finally:
        device.run(f"systemctl stop totton-audio-web; rm -f {DATA}/password.json {DATA}/browsers.json; systemctl start totton-audio-web")
        forget(browser)


def test_the_unit_may_set_the_clock_and_nothing_else(device, playing):
    sandbox = Sandbox(device, UNIT)
    try:
        sets = 'date -s "@$(date +%s)"'
        assert sandbox.allowed(
            sets,
            f"ls {DATA}",
            f"touch {KEPT}",
            "touch /etc/clock",
            "touch /run/clock",
            "touch /opt/totton_audio/bin/clock",
            f"touch {EPOCH}",
            "ls /dev/rtc0",
            "echo x > /dev/kmsg",
            "cat /etc/shadow",
            "kill -0 1",
            "ls /proc/1",
            "hostname other",
            "echo 1 > /proc/sys/vm/drop_caches",
            "echo b > /proc/sysrq-trigger",
            "mount -t tmpfs none /mnt",
            "chrt -f 50 true",
            "systemctl --no-block start emergency.target",
        ) == [sets]
        assert sandbox.connects("/run/totton-audio/control.sock", "/run/totton-audio-power/reboot", "/run/dbus/system_bus_socket") == []
        network = "readlink /proc/self/ns/net"
        words = sandbox.run(f"id -u; grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status; {network}")
        # CAP_SYS_TIME is number 25. The network is its own.
        assert int(words[0]) >= 61184 and {line.split()[1] for line in words[1:4]} == {f"{1 << 25:016x}"}, words
        assert words[4].startswith("net:") and words[4] != device.run(network).strip(), words
    finally:
        sandbox.remove()


def booted_with_the_board_s_clock_at(device, cable, api, old_rtc):
    device.run(f"sync; {old_rtc}")
    # A computer sees at once that a box is gone; the virtual cable's end on the PC would not.
    cable.unplug()
    device.reboot(cut=True)
    eventually("the device has booted", lambda: device.attempt("systemctl is-system-running --wait", timeout=240)[1].strip() in ("running", "degraded"), deadline=300)
    return shown(device) - device.uptime()


@pytest.mark.lg_feature("bench")
def test_the_clock_never_starts_before_the_image_and_goes_on_after_a_power_cut(browser, device, api, cable, playing, right):  # noqa: F811
    assert built(device) <= time.time(), "the image is from the future"
    # A page that is open would set the clock as soon as the box is back.
    browser.get("about:blank")
    # Nothing is known but the image: as at the first start of a board whose clock has no battery.
    device.run(f"rm -f {KEPT}")
    started = booted_with_the_board_s_clock_at(device, cable, api, OLD_RTC)
    # systemd sets it, some seconds after the kernel's start.
    assert -60 < started - built(device) < 1 and shown(device) >= built(device), f"started at {started}, built at {built(device)}"
    # Its file is the only candidate: there is no timesyncd, and the one compiled in is older.
    assert device.attempt("test -e /var/lib/systemd/timesync/clock")[0] != 0
    # The computer's browser opens the page.
    eventually("the cable is in", lambda: cable.plug() or True, deadline=180)
    eventually("the PC sees the stream again", api.streaming, deadline=180)
    wrong = off(device)
    assert wrong > 60, f"only {wrong} s off: the image is too new for this test"
    opened(browser, device)
    assert any("the clock was set from" in line for line in journal_of(device))
    # The kernel writes it to the board's clock.
    eventually("the board's clock is right", lambda: abs(float(device.run("cat /sys/class/rtc/rtc0/since_epoch")) - time.time()) < 60, deadline=60)
    # The power goes, and the board's clock with it: time goes on from where it was last seen.
    eventually("the time is kept", lambda: abs(float(device.run(f"stat -c %Y {KEPT}")) - time.time()) < 60)
    kept = float(device.run(f"stat -c %Y {KEPT}"))
    started = booted_with_the_board_s_clock_at(device, cable, api, OLD_RTC)
    # It is set some seconds into the start, after the data partition is there.
    assert -60 < started - kept < 1, f"started at {started}, last seen at {kept}"
    assert any("goes on where it was last seen" in line for line in journal_of(device))
    assert device.run("systemctl list-units --failed --no-legend --plain 'totton-audio-*'").strip() == ""
    eventually("the cable is in", lambda: cable.plug() or True, deadline=180)
    eventually("the PC sees the stream again", api.streaming, deadline=180)
