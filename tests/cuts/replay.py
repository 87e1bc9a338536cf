"""The box's next start from states that a power cut left, with Linux' FAT driver: start, check of the file system, confirm, update."""

import random
import shutil

from . import guest, loader, slots
from .fat import Fat
from .record import HERE, MIB, Record, kernel, mount_options
from .exploration import Exploration
from .writes import Disk, epochs

NEXT = "4"


class Replay:
    """Of one disk of a record; `count` of its states are drawn."""

    def __init__(self, record, name, count, draws):
        self.record, self.name = record, name
        self.states, self.told = [], []
        self.exploration = Exploration(record, name, mends=False)
        start, size = record.layouts[name]["esp"]
        chance, known, seen = random.Random(name), set(), 0

        def see(files, roots):
            nonlocal seen
            # One of each kind of folder and rest of a file that it may find: the same files may lie on other clusters.
            content = self.exploration.fat.content
            used = content[start:self.exploration.fat.used_to()]
            if hash(used) in known or None in roots.values():
                return
            known.add(hash(used))
            seen += 1
            state = (used, dict(files), dict(roots))
            if len(self.states) < count:
                self.states.append(state)
            elif (at := chance.randrange(seen)) < count:
                self.states[at] = state

        self.exploration.seen = see
        self.exploration.run(record.epochs(name), draws)
        self.seen = seen

    def run(self, folder):
        """Faults, as text."""
        folder.mkdir()
        mib = -(-max(len(used) for used, _, _ in self.states) // MIB)
        lines, wanted = [], []
        with open(folder / "vdb", "wb") as store:
            store.truncate(len(self.states) * mib * MIB)
            for number, (used, files, roots) in enumerate(self.states):
                store.seek(number * mib * MIB)
                store.write(used)
                slot = next(slot for slot, label in slots.SLOTS.items() if f"root=PARTLABEL={label} " in f"{loader.choices(files)[0].options} ")
                lines.append(f"{number} {slot} {roots['a']} {roots['b']}\n")
                wanted.append(slots.other(slot))
        shutil.copy(self.record.folder / f"{self.name}.before", folder / "vda")
        shutil.copy(self.record.folder / f"{self.name}.before", folder / "before")
        contents = {}
        for name, (image, root) in self.record.contents.items():
            contents |= {f"contents/{name}/Image": image, f"contents/{name}/root": root}
        files = contents | {
            "life.sh": HERE / "life.sh", "options": f"{mount_options()} {mib}\n".encode(), "states": "".join(lines).encode(),
        }
        guest.tree(folder / "tree", files, HERE / "replay-life", [self.record.binary, guest.parts() / "fsck.fat"])
        said = guest.run(folder, ["vda"], ["vdb"], deadline_s=30 + 5 * len(self.states))
        (folder / "said").write_text(said)
        faults = [line for line in said.splitlines() if "FAULT" in line]
        # What Linux tells of a file system that nobody has checked yet is no fault: the check mends it.
        self.told = [line for line in said.splitlines() if "FAT-fs" in line]
        if "\nDONE" not in said:
            faults.append("the guest did not come to its end")
        return faults + list(self.after(folder, wanted))

    def after(self, folder, wanted):
        with open(folder / "before", "rb") as file:
            disk = Disk(bytearray(file.read()))
        layout = self.record.layouts[self.name]
        fat = Fat(disk.content, layout["esp"][0])
        for epoch in epochs(folder / "vda.log", layout["phases"][0]):
            # The phase is told after a flush; what follows it is the next state.
            disk.apply(epoch.until(epoch.last_phase))
            if epoch.last_phase == epoch.first_phase:
                continue
            number = epoch.last_phase - 1
            faults, lost = fat.faults()
            if lost:
                faults.append(f"{lost} bytes in lost clusters")
            files = self.exploration.slots.files(fat)
            chosen = [entry.name for entry in loader.choices(files)]
            slot = wanted[number]
            if chosen != [f"totton-{slot}+3.conf"] or files.get(f"totton/{slot}/Image") != NEXT.encode():
                faults.append(f"{chosen} would start with kernel {files.get(f'totton/{slot}/Image')}")
            for fault in faults:
                yield f"state {number}, the next update taken: {fault}"
            disk.apply(epoch)
