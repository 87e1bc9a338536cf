"""The data partition while the page's service keeps documents and passwords: after a cut each file is the old or the new one."""

import base64
import collections
import json
import re
import shutil
import subprocess

from . import guest
from .record import HERE, MIB, ROOT, Failed
from .writes import Disk, Epoch, epochs

# More than one group of blocks, so that there is another superblock.
SIZE = 160 * MIB
CHECK = ROOT / "conf/usr/lib/totton-audio/data-file-system"
CHUNK = 64 << 10
SETTINGS = """listen.hosts = ["127.0.0.1"]
listen.port = 8080
storage.folder = "/data"
storage.min_free_bytes = 1048576
system.power_sockets = "/sockets"
system.updater_sockets = "/sockets"
system.check_socket = "/sockets/check"
[daemon]
control = "ipc:///sockets/control"
telemetry = "ipc:///sockets/telemetry"
"""


def profile(points):
    return {"name": "Mine", "preamp_db": 0.0, "bands": [], "curves": [{"points": [[20.0 + n, -n / 7] for n in range(points)]}]}


STEPS = [
    ("kept", "equalisers/mine.json", "POST /api/v1/equalisers", profile(10)),
    ("replaced", "equalisers/mine.json", "PUT /api/v1/equalisers/mine", profile(400)),
    ("set", "password.json", "PUT /api/v1/password", {"current": None, "new": "the first password"}),
    ("changed", "password.json", "PUT /api/v1/password", {"current": "the first password", "new": "another password"}),
    ("replaced-again", "equalisers/mine.json", "PUT /api/v1/equalisers/mine", profile(20)),
]


def play(folder, binary):
    layout = guest.layout([("UDA", SIZE), ("unused", MIB), ("unused too", MIB), ("phases", MIB)])
    guest.make_disk(folder / "vda", layout)
    # As usr/lib/totton-audio/data-file-system makes it.
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-L", "UDA", "-E", f"offset={layout['UDA'][0]}", "vda", str(SIZE // 4096)],
        cwd=folder, check=True, capture_output=True,
    )
    shutil.copy(folder / "vda", folder / "before")
    lines = "".join(f"{name}|{file}|{line}|{json.dumps(body)}\n" for name, file, line, body in STEPS)
    files = {"life.sh": HERE / "life.sh", "web.toml": SETTINGS.encode(), "steps": lines.encode()}
    guest.tree(folder / "tree", files, HERE / "data-life", [binary])
    said = guest.run(folder, ["vda"])
    (folder / "said").write_text(said)
    if not re.search("^DONE", said, re.M) or "FAULT" in said:
        raise Failed(f"the guest did not do its work:\n{said}")
    return layout


def contents(folder):
    """For each phase the contents that each file may have after a cut in it; None: there is no such file."""
    said = (folder / "said").read_text()
    told = {int(number): base64.b64decode(text) for number, text in re.findall(r"^content (\d+) \S+ (\S+)\s*$", said, re.M)}
    phases = re.findall(r"^phase \S+ (\d+) (\S+) (\S+)", said, re.M)
    now = {file: None for _, file, _, _ in STEPS}
    may = [{}]
    for number, name, file in phases:
        may.append({each: {content} for each, content in now.items()})
        if file == "-":
            continue
        # An answered change has its own phase, after which its content was told.
        new = told[int(number) if name.endswith("-answered") else int(number) + 1]
        if name.endswith("-answered"):
            now[file] = new
            may[-1][file] = {new}
        else:
            may[-1][file] = {now[file], new}
    return may


def explore(folder, layout, draws, flushes=True):
    may = contents(folder)
    found = epochs(folder / "vda.log", layout["phases"][0])
    if not flushes:
        whole = Epoch([], found[0].first_phase, found[-1].last_phase)
        # All of it may be lost, or be there in part: the service said that each was kept.
        whole.writes = [write for epoch in found for write in epoch.writes]
        found = [whole]
    with open(folder / "before", "rb") as file:
        disk = Disk(bytearray(file.read()))
    start = layout["UDA"][0]
    used = {at for at in range(0, SIZE, CHUNK) if any(disk.content[start + at:start + at + CHUNK])}
    used |= {(sector * 512 - start) // CHUNK * CHUNK for epoch in found for sector, _, _ in epoch.writes if 0 <= sector * 512 - start < SIZE}
    counts, faults, path = collections.Counter(), collections.Counter(), folder / "state"
    for number, epoch in enumerate(found):
        if epoch.last_phase == 0:
            disk.apply(epoch)
            continue
        for since in disk.states(epoch, draws, number):
            counts["states"] += 1
            with open(path, "wb") as file:
                file.truncate(SIZE)
                for at in used:
                    file.seek(at)
                    file.write(disk.content[start + at:start + at + CHUNK])
            # As the box does it before it mounts the partition.
            checked = subprocess.run(["sh", CHECK, path], capture_output=True, text=True, check=False)
            counts["mended"] += "mended" in checked.stdout
            counts["damaged"] += "was damaged" in checked.stdout
            if checked.returncode:
                faults[f"data-file-system: exit status {checked.returncode}: {checked.stdout[-200:]}"] += 1
            there = {file: read(path, file) for file in may[-1]}
            for phase in range(max(since, 1), epoch.last_phase + 1):
                for file, allowed in may[phase].items():
                    if there[file] not in allowed:
                        what = "is not there" if there[file] is None else "is neither the old nor the new one"
                        faults[f"{file} {what}"] += 1
    return counts, faults


def read(image, file):
    done = subprocess.run(["debugfs", "-R", f"cat /{file}", image], capture_output=True, check=False)
    return None if b"File not found" in done.stderr else done.stdout
