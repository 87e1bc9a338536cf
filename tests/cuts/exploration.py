"""All the states in which a power cut may leave a recorded disk, judged."""

import collections
import random

from . import box, guest, slots
from .fat import Fat


class Exploration:
    """All states of one disk's epochs, judged."""

    def __init__(self, record, name, mends=True):
        self.record, self.name, self.mends = record, name, mends
        self.layout = record.layouts[name]
        self.phases = record.phases(name)
        self.disk = record.disk(name)
        self.fat = Fat(self.disk.content, self.layout["esp"][0])
        self.slots = box.Slots(self.layout, record.contents)
        self.program = record.program(name)
        self.check = guest.parts() / "fsck.fat"
        self.judged = {}
        self.writes = self.states = self.checked = 0
        # Called with each state whose ESP changed, if anybody wants them: what it holds, and whether fsck.fat left something.
        self.seen = None
        # (phase, what is wrong): in how many states.
        self.faults = collections.Counter()

    def run(self, found, draws):
        chance = random.Random(self.name)
        for number, epoch in enumerate(found):
            if epoch.last_phase == 0:
                self.disk.apply(epoch)
                continue
            self.writes += len(epoch.writes)
            on_esp, *on_roots = (self.touches(epoch, label) for label in ("esp", *slots.SLOTS.values()))
            roots = {slot: self.slots.root(self.disk.content, slot) for slot in slots.SLOTS}
            written = [slot for slot, touched in zip(slots.SLOTS, on_roots) if touched]
            files = None
            # All where few were written, else some.
            share = 1 if len(epoch.writes) < 4 else 4 / len(epoch.writes)
            for since in self.disk.states(epoch, draws, number):
                self.states += 1
                roots |= {slot: self.slots.root(self.disk.content, slot) for slot in written}
                if on_esp or files is None:
                    files = self.slots.files(self.fat)
                self.judge(files, roots, range(since, epoch.last_phase + 1))
                if on_esp and self.mends and chance.random() < share:
                    self.mend(roots, range(since, epoch.last_phase + 1))
                if on_esp and self.seen:
                    self.seen(files, roots)
        self.nothing_lost()
        return self

    def touches(self, epoch, label):
        start, size = self.layout[label]
        return any(start <= sector * 512 < start + size for sector, _, _ in epoch.writes)

    def judge(self, files, roots, phases, after=""):
        for phase in phases:
            what, allowed = self.phases[phase]
            if allowed == "-":
                continue
            key = (frozenset(files.items()), tuple(roots.values()), allowed)
            if key not in self.judged:
                self.judged[key] = box.fault(self.program, files, roots, allowed)
            if self.judged[key]:
                self.faults[what, after + self.judged[key]] += 1

    def mend(self, roots, phases):
        self.checked += 1
        path = self.record.folder / "mended"
        fat, faults = box.mended(self.check, self.fat, self.layout["esp"][1], path)
        for fault in faults:
            self.faults[self.phases[phases[-1]][0], f"fsck.fat leaves: {fault}"] += 1
        self.judge(self.slots.files(fat), roots, phases, "after fsck.fat: ")

    def nothing_lost(self):
        faults, lost = self.fat.faults()
        for fault in [*faults, *([f"{lost} bytes in lost clusters"] if lost else [])]:
            self.faults["at the end, without a cut", fault] += 1
