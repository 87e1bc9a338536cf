"""Reads FAT16 and FAT32, as much as a boot loader does of it, from a buffer that may be damaged."""

import array
import struct

FOLDER, VOLUME, LONG = 0x10, 0x08, 0x0F


def _long_name(parts, short):
    """The name that the long entries before `short` spell; None if they are not its own, or not whole."""
    total = 0
    for byte in short[:11]:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    if not parts[0][0] & 0x40 or [part[0] & 0x3F for part in parts] != list(range(len(parts), 0, -1)):
        return None
    if any(part[13] != total for part in parts):
        return None
    text = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(parts))
    return text.decode("utf-16le", "replace").split("\0")[0]


class Fat:
    def __init__(self, content, start=0):
        """`start`: offset of the file system in bytes."""
        self.content = content
        self.start = start
        (self.sector, per_cluster, reserved, copies, root_entries, small, _, table) = struct.unpack_from(
            "<HBHBHHBH", content, start + 11
        )
        large, table32 = struct.unpack_from("<II", content, start + 32)
        table = table or table32
        self.cluster = per_cluster * self.sector
        self.table = start + reserved * self.sector
        root = self.table + copies * table * self.sector
        self.data = root + -(-root_entries * 32 // self.sector) * self.sector
        sectors = small or large
        self.clusters = (sectors * self.sector - (self.data - start)) // self.cluster
        self.is_32 = self.clusters >= 65525
        # FAT16 has its root folder before the clusters.
        self.root = struct.unpack_from("<I", content, start + 44)[0] if self.is_32 else None
        self.fixed_root = (root, self.data - root)
        self.end = 0x0FFFFFF8 if self.is_32 else 0xFFF8

    def next(self, cluster):
        if self.is_32:
            return struct.unpack_from("<I", self.content, self.table + 4 * cluster)[0] & 0x0FFFFFFF
        return struct.unpack_from("<H", self.content, self.table + 2 * cluster)[0]

    def chain(self, cluster):
        """Its clusters, and whether it ends as a chain should."""
        found = []
        while 2 <= cluster < self.clusters + 2 and len(found) <= self.clusters:
            found.append(cluster)
            cluster = self.next(cluster)
        return found, cluster >= self.end

    def read(self, cluster, size=None):
        """The bytes of a file; fewer where its chain is too short."""
        out = bytearray()
        for each in self.chain(cluster)[0] if cluster else ():
            at = self.data + (each - 2) * self.cluster
            out += self.content[at:at + self.cluster]
            if size is not None and len(out) >= size:
                break
        return bytes(out if size is None else out[:size])

    def list(self, folder=None):
        """(name, is a folder, first cluster, size) of what is in a folder; None: the root folder."""
        if folder is None and not self.is_32:
            at, size = self.fixed_root
            raw = bytes(self.content[at:at + size])
        else:
            raw = self.read(self.root if folder is None else folder)
        parts = []
        for at in range(0, len(raw), 32):
            entry = raw[at:at + 32]
            if entry[0] == 0:
                break
            if entry[0] == 0xE5:
                parts = []
            elif entry[11] == LONG:
                parts.append(entry)
            else:
                if not entry[11] & VOLUME:
                    stem, ending = (entry[slice_].decode("latin1").rstrip() for slice_ in (slice(0, 8), slice(8, 11)))
                    name = (parts and _long_name(parts, entry)) or (f"{stem}.{ending}" if ending else stem)
                    high, = struct.unpack_from("<H", entry, 20)
                    low, size = struct.unpack_from("<HI", entry, 26)
                    yield name, bool(entry[11] & FOLDER), (high << 16 if self.is_32 else 0) | low, size
                parts = []

    def find(self, path):
        """(is a folder, first cluster, size); None: there is no such file."""
        found = (True, None, 0)
        for part in path.strip("/").split("/"):
            if not found[0]:
                return None
            found = next((rest for name, *rest in self.list(found[1]) if name.lower() == part.lower()), None)
            if found is None:
                return None
        return found

    def used_to(self):
        """Where what is in use ends."""
        width = 4 if self.is_32 else 2
        table = self.content[self.table:self.table + width * (self.clusters + 2)]
        return self.data + (-(-len(table.rstrip(b"\0")) // width) - 2) * self.cluster

    def used(self):
        """How many clusters are not free."""
        table = array.array("I" if self.is_32 else "H")
        table.frombytes(self.content[self.table:self.table + table.itemsize * (self.clusters + 2)])
        return self.clusters - table[2:].count(0)

    def faults(self):
        """What a check of the file system would have to mend, and the bytes of lost clusters."""
        taken, faults = set(), []

        def claim(cluster, path, size):
            clusters, ends = self.chain(cluster)
            if not ends:
                faults.append(f"{path}: its chain breaks off")
            if size is not None and not len(clusters) - 1 < size / self.cluster <= len(clusters):
                faults.append(f"{path}: {size} bytes in {len(clusters)} clusters")
            if taken.intersection(clusters):
                faults.append(f"{path}: shares a cluster")
            taken.update(clusters)

        def walk(folder, path):
            for name, is_folder, cluster, size in self.list(folder):
                if name in (".", ".."):
                    continue
                if is_folder and not cluster:
                    faults.append(f"{path}/{name}: a folder without clusters")
                elif is_folder:
                    claim(cluster, f"{path}/{name}", None)
                    if [first for first, *_ in self.list(cluster)][:2] != [".", ".."]:
                        # Linux does not open it.
                        faults.append(f"{path}/{name}: a folder without . and ..")
                    walk(cluster, f"{path}/{name}")
                elif cluster or size:
                    claim(cluster, f"{path}/{name}", size)

        if self.is_32:
            claim(self.root, "/", None)
        walk(None, "")
        return faults, (self.used() - len(taken)) * self.cluster
