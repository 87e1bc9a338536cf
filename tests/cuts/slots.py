"""What a box with two slots does after a power cut: systemd-boot's choice, then the slot program itself, start after start."""

import json
import os
import subprocess
from dataclasses import dataclass

from . import loader

SLOTS = {"a": "APP", "b": "APP_b"}
# Starts that are looked at after a cut.
STARTS = 5
TRIES = 3


def other(slot):
    return "b" if slot == "a" else "a"


class Fault(Exception):
    pass


@dataclass(frozen=True)
class Started:
    """What one start was."""

    slot: str
    on_trial: bool
    # What the program says while this start runs, before it is confirmed: the slots that are good, and
    # the one that was tried in vain.
    told_good: tuple = ()
    told_lost: str | None = None


class Program:
    """A slot program, on machines made of folders."""

    def __init__(self, binary, folder, tells=True):
        self.binary = binary
        self.folder = folder
        # The one that ships has `start` and `status --json`.
        self.tells = tells
        self.known = {}
        for label in SLOTS.values():
            (folder / f"sys/dev/block/{label}").mkdir(parents=True)
            (folder / f"sys/dev/block/{label}/uevent").write_text(f"PARTNAME={label}\n")
        (folder / "proc/self").mkdir(parents=True)
        self.esp = folder / "boot/efi"

    def call(self, *words):
        environment = os.environ | {"TOTTON_SLOT_ROOT": str(self.folder)}
        return subprocess.run([self.binary, *words], env=environment, capture_output=True, text=True, check=False)

    def done(self, *words):
        done = self.call(*words)
        if done.returncode:
            raise Fault(f"`{' '.join(words)}` fails: {done.stderr.strip()}")
        return done.stdout

    def lay(self, files):
        subprocess.run(["rm", "-rf", self.esp], check=True)
        for path, content in files.items():
            (self.esp / path).parent.mkdir(parents=True, exist_ok=True)
            (self.esp / path).write_bytes(content)

    def taken_up(self):
        return {str(path.relative_to(self.esp)): path.read_bytes() for path in self.esp.rglob("*") if path.is_file()}

    def start(self, entry, files, healthy):
        """The slot of `entry` starts; what it was, and the files after it."""
        key = (entry, frozenset(files.items()), healthy)
        if key not in self.known:
            self.known[key] = self.really_start(entry, files, healthy)
        return self.known[key]

    def really_start(self, entry, files, healthy):
        slot = next((slot for slot, label in SLOTS.items() if f"root=PARTLABEL={label} " in f"{entry.options} "), None)
        if slot is None or entry.linux != f"totton/{slot}/Image":
            raise Fault(f"{entry.name} starts {entry.linux} with {entry.options}")
        files = dict(files)
        path = f"{loader.ENTRIES}/"
        files[path + entry.started()] = files.pop(path + entry.name)
        self.lay(files)
        (self.folder / "proc/self/mountinfo").write_text(f"21 1 {SLOTS[slot]} / / ro - ext4 /dev/root ro\n")
        status = None
        if self.tells:
            self.done("start")
            status = json.loads(self.done("status", "--json"))
        on_trial = self.call("trial").returncode == 0
        if status is not None:
            self.compare(slot, on_trial, status)
        if healthy:
            self.done("confirm")
            if self.tells:
                after = json.loads(self.done("status", "--json"))
                if after["on_trial"] or after[slot]["is"] != "good" or after["next"] != slot:
                    raise Fault(f"confirmed, slot {slot} is told as {after}")
        if status is None:
            return Started(slot, on_trial), self.taken_up()
        good = tuple(slot for slot in SLOTS if status[slot]["is"] == "good")
        return Started(slot, on_trial, good, status["lost"] and status["lost"]["slot"]), self.taken_up()

    def compare(self, slot, on_trial, status):
        if status["running"] != slot or status["on_trial"] != on_trial:
            raise Fault(f"slot {slot} runs, on trial: {on_trial}; told as {status}")
        chosen = loader.choices(self.taken_up())
        if any(f"totton-{status['next']}" not in choice.name for choice in chosen) or not chosen:
            raise Fault(f"the next start is told as slot {status['next']}, and would be of {[choice.name for choice in chosen]}")


def starts(program, files, healthy):
    """The starts from now on, each way that the boot loader's rules allow."""
    choices = loader.choices(files)
    if not choices:
        raise Fault("no entry can be started")
    ways = []
    for choice in choices:
        entry, now, way = choice, files, []
        for _ in range(STARTS):
            started, now = program.start(entry, now, healthy)
            way.append(started)
            later = loader.choices(now)
            if not later:
                raise Fault(f"after {len(way)} starts no entry can be started")
            entry = later[0]
        ways.append(way)
    return ways


def judge(ways, allowed, healthy):
    """What is wrong with these starts where only the slots of `allowed` may start; None where nothing is."""
    for way in ways:
        slots = "".join(start.slot for start in way)
        first = way[0]
        if first.slot not in allowed:
            return f"slot {first.slot} starts, not {' or '.join(allowed)}"
        if healthy or not first.on_trial:
            if set(slots) != {first.slot}:
                return f"the starts are {slots}: slot {first.slot} does not stay"
            if any(start.on_trial for start in way[1:]):
                return f"slot {first.slot} was confirmed, and is on trial"
            continue
        tries = len(slots) - len(slots.lstrip(first.slot))
        if tries > TRIES or set(slots[tries:]) != {other(first.slot)}:
            return f"slot {first.slot} is not healthy, and the starts are {slots}"
        if way[-1].told_lost != first.slot:
            return f"slot {first.slot} was tried in vain, and slot {way[-1].told_lost} is told"
    return None
