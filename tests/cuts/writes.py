"""A log of writes, as QEMU's blklogwrites filter keeps it (dm-log-writes' format), and the disks that a
power cut may leave.

Between two flushes a drive may have any part of what it was given, in any order: 512 bytes are
written whole or not at all. The guest says where it is by discards of single sectors in a partition that
holds nothing else: the n-th sector is its n-th phase.
"""

import itertools
import os
import random
import struct
from dataclasses import dataclass, field

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
# Of so few sectors all subsets are taken.
FEW = 10


class BadLog(Exception):
    pass


@dataclass
class Epoch:
    """What was written between two flushes."""

    # (sector, its 512 bytes, index of the phase in which it was written)
    writes: list = field(default_factory=list)
    first_phase: int = 0
    last_phase: int = 0

    def until(self, phase):
        """What of it was written before this phase; all of it where it is of that phase."""
        if self.first_phase == phase:
            return self
        return Epoch([write for write in self.writes if write[2] < phase], self.first_phase, phase)


def events(path):
    """(sector, data) of each write, (sector, None) of each discard; None for a flush."""
    size = os.path.getsize(path)
    with open(path, "rb") as log:
        magic, _, entries, sector_size = struct.unpack("<QQQI", log.read(28))
        if magic != MAGIC or sector_size != SECTOR:
            raise BadLog(f"{path}: no log of writes in units of {SECTOR} bytes")
        position = SECTOR
        for _ in range(entries):
            log.seek(position)
            sector, count, flags, _ = struct.unpack("<QQQQ", log.read(32))
            position += SECTOR
            if flags & FLUSH:
                yield None
            if flags & DISCARD:
                yield sector, None
            elif count:
                log.seek(position)
                yield sector, log.read(count * SECTOR)
                position += count * SECTOR
            if flags & FUA:
                yield None
        if position > size:
            raise BadLog(f"{path}: it ends in the middle of a write")


def epochs(path, marks):
    """What was written, flush by flush; `marks`: the offset of the partition that tells the phases, which count from 1."""
    found = []
    now = Epoch()
    for event in itertools.chain(events(path), [None]):
        if event is None:
            if now.writes or now.last_phase > now.first_phase:
                found.append(now)
            now = Epoch([], now.last_phase, now.last_phase)
            continue
        sector, data = event
        if data is None:
            phase = sector - marks // SECTOR
            if phase != now.last_phase + 1:
                raise BadLog(f"{path}: a discard of sector {sector}, after phase {now.last_phase}")
            now.last_phase = phase
            continue
        for index in range(len(data) // SECTOR):
            now.writes.append((sector + index, data[index * SECTOR:(index + 1) * SECTOR], now.last_phase))
    return found


def subsets(count, draws, seed):
    """Which of `count` writes are there: all subsets where they are few; else all prefixes, all but one, and so many drawn."""
    if count <= FEW:
        yield from itertools.product((False, True), repeat=count)
        return
    for end in range(count + 1):
        yield tuple(index < end for index in range(count))
    chance = random.Random(seed)
    for _ in range(draws):
        # Few missing, few there, or half.
        share = chance.choice((0.03, 0.2, 0.5, 0.8, 0.97))
        yield tuple(chance.random() < share for _ in range(count))


class Disk:
    """A disk whose sectors come and go."""

    def __init__(self, content):
        self.content = content

    def put(self, sector, data):
        self.content[sector * SECTOR:(sector + 1) * SECTOR] = data

    def apply(self, epoch):
        for sector, data, _ in epoch.writes:
            self.put(sector, data)

    def states(self, epoch, draws, seed):
        """Each distinct disk that a cut in this epoch may leave, as the first phase in which the cut can have been.

        The disk is in that state until the next one is asked for; at the end it has all of the epoch.
        """
        # What was there before each write is what lies below.
        below = {sector: bytes(self.content[sector * SECTOR:(sector + 1) * SECTOR]) for sector, _, _ in epoch.writes}
        there = dict(below)
        seen = set()
        for chosen in subsets(len(epoch.writes), draws, seed):
            wanted = dict(below)
            phase = epoch.first_phase
            for is_there, (sector, data, written_in) in zip(chosen, epoch.writes):
                if is_there:
                    wanted[sector] = data
                    phase = written_in
            key = (phase, tuple(wanted.values()))
            if hash(key) in seen:
                continue
            seen.add(hash(key))
            for sector, data in wanted.items():
                if there[sector] is not data:
                    self.put(sector, data)
                    there[sector] = data
            yield phase
        self.apply(epoch)
