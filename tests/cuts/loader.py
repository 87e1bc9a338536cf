"""Which entry systemd-boot starts, by its rules: the Boot Loader Specification, and sd-boot's boot.c.

An entry counts if its name ends in .conf, it names a kernel, and that file is there. First those
with starts left or not counted, of these the highest version. `totton-b+2-1.conf` has two starts
left after one; before it is started it is renamed to `+1-2`.
"""

import re
from dataclasses import dataclass

ENTRIES = "loader/entries"
COUNTED = re.compile(r"(.*)\+(\d+)(?:-(\d+))?\.conf")


@dataclass(frozen=True)
class Entry:
    name: str
    linux: str
    options: str
    version: int
    left: int | None

    @property
    def spent(self):
        return self.left == 0

    def started(self):
        """Its name when it is started."""
        if not self.left:
            return self.name
        stem, left, done = COUNTED.fullmatch(self.name).groups()
        return f"{stem}+{int(left) - 1}-{int(done or 0) + 1}.conf"


def entries(files):
    """The entries that count of a tree: path to content."""
    lower = {path.lower() for path in files}
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        if folder.lower() != ENTRIES or not name.lower().endswith(".conf"):
            continue
        words = [line.split(None, 1) for line in content.decode("utf-8", "replace").splitlines()]
        fields = {pair[0]: pair[1].strip() for pair in words if len(pair) == 2 and not pair[0].startswith("#")}
        if fields.get("linux", "").strip("/").lower() not in lower:
            continue
        counted = COUNTED.fullmatch(name)
        version = fields.get("version", "")
        yield Entry(
            name, fields["linux"].strip("/"), fields.get("options", ""), int(version) if version.isdigit() else 0,
            int(counted[2]) if counted else None,
        )


def choices(files):
    """The entries that it may start: more than one where its rules leave it to the names' order."""
    found = list(entries(files))
    best = min(((entry.spent, -entry.version) for entry in found), default=None)
    return [entry for entry in found if (entry.spent, -entry.version) == best]
