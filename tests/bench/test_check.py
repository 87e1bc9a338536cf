"""The check of the board: on the device, by the page's own unit, on the page."""

import json

import pytest
from eventually import eventually
from machine import API
from page import PAGE, ask, part, press, shown_state, view
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from test_least_power import Sandbox

PROGRAM = "/usr/local/bin/totton-audio-check"
UNIT = "totton-audio-check@probe"
# What only a Jetson has.
JETSON = {
    "command-line", "machine-id", "nvidia-verifier", "isochronous", "gpu", "gpu-nodes", "gpu-libraries",
    "gpu-power", "engine", "hardware-revision", "firmware",
}


def check(device):
    """The program's exit status and its report, as root runs it."""
    status, out, err = device.attempt(f"{PROGRAM} --json", timeout=120)
    assert out.startswith("{"), (status, out, err)
    return status, json.loads(out)


def by_id(report):
    return {step["id"]: step for step in report["steps"]}


def verdicts(report):
    return {step["id"]: step["verdict"] for step in report["steps"]}


@pytest.fixture
def board(device):
    """Whether the device is a Jetson."""
    return device.attempt("grep -q nvidia,tegra234 /proc/device-tree/compatible")[0] == 0


def test_nothing_fails_and_what_only_a_jetson_has_is_not_here(device, playing, board, artefacts):
    begin = device.uptime()
    status, text, err = device.attempt(PROGRAM, timeout=120)
    took = device.uptime() - begin
    print(text)
    (artefacts / "check.txt").write_text(text + "\n")
    assert (status, err) == (0, ""), text
    assert took < 45, took
    status, report = check(device)
    steps = by_id(report)
    assert status == 0 and report["failed"] is False, text
    assert len(steps) == len(report["steps"]) >= 30
    for step in report["steps"]:
        assert step["title"] in text and step["verdict"] in ("ok", "warning", "failed", "not-here"), step
        if step["verdict"] == "not-here":
            assert step["why"], step
        if step["verdict"] in ("warning", "failed"):
            assert step["action"], step
    assert steps["services"]["verdict"] == steps["gadget"]["verdict"] == steps["failed-units"]["verdict"] == "ok"
    assert "uac2 + ncm on " in steps["gadget"]["found"] and "usb0" in steps["gadget"]["found"]
    for name in ("journal", "limits", "clocksource", "clock", "udc"):
        assert steps[name]["verdict"] == "ok", steps[name]
    if not board:
        assert JETSON <= set(steps)
        for name in JETSON:
            assert steps[name]["verdict"] == "not-here", steps[name]
            assert steps[name]["why"] == f"only a Jetson has this; this is {report['model']}", steps[name]


def test_without_root_some_steps_are_not_here_and_say_so(device, playing):
    _, own = check(device)
    status, text, err = device.attempt(f"su -s /bin/sh nobody -c '{PROGRAM} --json'", timeout=120)
    steps = by_id(json.loads(text))
    differ = {name for name, verdict in verdicts(own).items() if steps[name]["verdict"] != verdict}
    print({name: steps[name]["why"] for name in differ})
    # The daemon's sockets are not everybody's.
    assert "scheduling" in differ and differ <= {"scheduling", "engine", "slots", "firmware", "esp"}, (status, err)
    for name in differ:
        assert steps[name]["verdict"] == "not-here" and "needs root" in steps[name]["why"], steps[name]


def test_it_changes_nothing(device, playing):
    before = device.run("systemctl list-units --plain --no-legend --state=active | sort; cat /proc/1/mountinfo")
    check(device)
    after = device.run("systemctl list-units --plain --no-legend --state=active | sort; cat /proc/1/mountinfo")
    # A session of the test's own comes and goes.
    own = ("session-", "user@", "user-", "/run/user", "-.slice")
    kept = lambda text: [line for line in text.splitlines() if not any(word in line for word in own)]
    assert kept(before) == kept(after)


def test_a_service_that_is_away_fails_the_check(device, playing, services_restored):
    device.run("systemctl stop totton-audio-web")
    status, report = check(device)
    step = by_id(report)["services"]
    assert status == 1 and report["failed"] is True
    assert step["verdict"] == "failed" and "totton-audio-web is inactive" in step["found"], step
    assert "systemctl status totton-audio-web" in step["action"], step


def test_the_page_s_unit_finds_what_root_finds(device, pc, playing):
    _, own = check(device)
    asked = json.loads(pc.run(f"curl -sS -m 100 {API}/check", timeout=120))
    assert verdicts(asked) == verdicts(own)
    assert by_id(asked)["scheduling"]["found"] == by_id(own)["scheduling"]["found"]
    # Nothing of it stays, and nothing of it has failed.
    units = "systemctl list-units --all --plain --no-legend 'totton-audio-check@*'"
    eventually("the unit has gone", lambda: device.run(units) == "", deadline=30)
    assert device.show("totton-audio-check.socket", "ActiveState")["ActiveState"] == "active"


def test_only_the_page_s_user_may_ask(device, playing):
    socket = "/run/totton-audio-check/report"
    assert device.run(f"stat -c '%a %U' {socket}") == "600 totton_audio"
    if device.attempt("command -v perl")[0] != 0:
        pytest.skip("no perl on this device: nothing there connects to a socket and says why not")
    connect = "socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un(shift)) or print \\$!"
    told = device.run(f"su -s /bin/sh gpu-upsampler -c \"perl -MSocket -e '{connect}' {socket}\"")
    assert told == "Permission denied"


def test_a_check_that_was_taken_over_writes_nothing_and_speaks_to_nobody(device, playing):
    sandbox = Sandbox(device, UNIT)
    try:
        data = "/opt/totton_audio/data"
        device.run(f"ls {data}/upsampler /etc/shadow")
        assert sandbox.allowed(
            f"ls {data}/upsampler",
            "grep -q root /etc/shadow",
            *(f"touch {folder}/by-the-check" for folder in ("/etc", "/run", "/opt/totton_audio", "/var/log/journal")),
            "head -c 1 /dev/mem",
            "head -c 1 $(ls /dev/vda /dev/nvme0n1 2> /dev/null | head -n 1)",
        ) == []
        sockets = [f"/run/totton-audio/{name}.sock" for name in ("control", "telemetry")]
        others = ["/run/swupdate/control.sock", "/run/totton-audio-power/poweroff", "/run/totton-audio-check/report"]
        assert sandbox.connects(*sockets, *others) == sockets[1:]
    finally:
        sandbox.remove()


def test_the_diagnostics_have_the_report(pc, playing):
    packed = f"curl -sSf -m 110 {API}/diagnostics | tar -xzO totton-audio-diagnostics/check.json"
    report = json.loads(pc.run(packed, timeout=150))
    assert by_id(report)["gadget"]["verdict"] == "ok"


def test_the_page_shows_each_step(browser, playing, board, artefacts):
    browser.get(PAGE)
    Select(part(browser, "language")).select_by_value("en")
    eventually("the page is live", lambda: shown_state(browser) == "streaming", deadline=60)
    view(browser, "system")
    press(browser, "check")
    status = lambda: part(browser, "check-status").text
    eventually("the report is shown", lambda: " ok, " in status(), deadline=120)
    code, report = ask(browser, "GET", "check")
    assert code == 200
    for step in report["steps"]:
        row = part(browser, f"check-{step['id']}")
        assert row.get_attribute("data-verdict") == step["verdict"], row.text
        assert step["title"] in row.text and (step["why"] or "") in row.text, row.text
    counts = {one: sum(step["verdict"] == one for step in report["steps"]) for one in ("ok", "warning", "failed", "not-here")}
    assert status() == f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed, {counts['not-here']} not here"
    if not board:
        assert "only a Jetson has this" in part(browser, "check-gpu").text
    # It is within the system's view, and asks for nothing that changes anything.
    assert part(browser, "go-system").get_attribute("aria-current") == "page"
    buttons = browser.find_elements(By.CSS_SELECTOR, "main button")
    assert [button.get_attribute("data-testid") for button in buttons] == ["check-again"]
    browser.save_screenshot(str(artefacts / "page-check.png"))
