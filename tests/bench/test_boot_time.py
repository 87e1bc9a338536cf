"""From the kernel's start to the page, in the device's own time.

A boot of its own, without network: images/qemu/bench/stopwatch.py counts the device's
instructions at one nanosecond each, so the host's load does not show.
"""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images/qemu"))

# A board has no clock that counts instructions; docs/hardware-bring-up.md times it.
pytestmark = pytest.mark.lg_feature("bench")

# The specification's budgets, in seconds.
BUDGETS = {"gadget ready": 10.0, "audio ready": 30.0, "web ready": 35.0}


@pytest.fixture(scope="module")
def boots(device, pc, artefacts):
    """Milestones of two boots of the same image."""
    from bench import image, stopwatch

    booted, _ = image.both()
    with device.standing_still(), pc.standing_still():
        return stopwatch.boots(booted, artefacts / "boot-time/first", artefacts / "boot-time/second")


@pytest.mark.timeout(1500)
def test_the_boot_keeps_the_budgets_of_the_specification(boots, artefacts, record_property):
    for name, seconds in boots[-1].items():
        print(f"milestone: {name:14} {seconds:7.3f} s since kernel start, 1 ns an instruction")
        record_property(name, f"{seconds:.3f}")
    (artefacts / "boot-time/milestones.json").write_text(json.dumps(boots, indent=2) + "\n")
    late = {name: boots[-1][name] for name, budget in BUDGETS.items() if boots[-1][name] >= budget}
    assert late == {}


def test_the_figures_repeat_within_two_per_cent(boots):
    first, second = boots
    apart = {name: abs(first[name] - second[name]) / first[name] for name in first}
    assert {name: share for name, share in apart.items() if share > 0.02} == {}


def test_the_critical_chain_is_drawn(boots, artefacts):
    assert "<svg" in (artefacts / "boot-time/second/plot.svg").read_text()
    assert "totton-audio-web.service" in (artefacts / "boot-time/second/critical-chain").read_text()
