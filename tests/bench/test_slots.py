"""The slot program and the health check in their units, as shipped: what a board has, played.

The quick image's own slots are those of test_update.py; here an Orin's are played, and faults. A
folder stands for the machine, by the variable that the programs know for tests: partitions, EFI
variables (files that are immutable, as efivarfs makes them) and the firmware's part of a start. What a
sandbox could forbid is real: /dev/mem is opened and mapped at memory of a PCI device that no driver
claims, immutable flags are taken off and put back, and the ESP is a FAT file system on a block device.
"""

import contextlib
import os
import struct
import uuid

import pytest
from eventually import eventually

pytestmark = [
    pytest.mark.lg_feature("bench"),
    pytest.mark.skipif(
        bool(os.environ.get("TOTTON_DEVICE_IMAGE")), reason="not adapted to the layer's own image: its systemd-boot is test_update.py's"
    ),
]

# On the disk, for a test that restarts the device: on the root file system, which has nothing else that
# a start could write before it mounts anything. It is writable meanwhile.
WORK = "/srv/slots"
WRITABLE, READ_ONLY = "mount -o remount,rw /", "mount -o remount,ro /"
ROOT = f"{WORK}/root"
ESP = f"{WORK}/esp"
EFIVARS = f"{ROOT}/sys/firmware/efi/efivars"
NVIDIA = "781e084c-a330-417c-b678-38e696380cb9"
UPDATE_FILES = f"{ROOT}/run/totton-audio-update"
START, CONFIRM, HEALTH, UPDATE = "totton-audio-slot-start", "totton-audio-slot-confirm", "totton-audio-health", "swupdate"
UNITS = f"{START} {CONFIRM} {HEALTH} {UPDATE}"
ENTRY_OF = "journalctl --sync; journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {unit})"
ENTRY = """title Totton Audio (slot {slot})
version {version}
linux /totton/{slot}/Image
options root=PARTLABEL={label} ro
"""
# chattr +i (16) or -i (0), which Debian's minimal system has not: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of
# <linux/fs.h>, FS_IMMUTABLE_FL. The other flags stay: ext4 does not let all of them go.
CHATTR = (
    "perl -e '$f = shift; for (@ARGV) { $n = pack(q(L), 0); open(F, $_) && ioctl(F, 0x80086601, $n)"
    " && ioctl(F, 0x40086602, pack(q(L), unpack(q(L), $n) & ~16 | $f)) || die qq($_: $!) }'"
)
LSATTR = "perl -e '$n = pack(q(L), 0); open(F, shift) && ioctl(F, 0x80086601, $n) || die $!; print unpack(q(L), $n)'"


def fat_image(sectors=20480):
    """An empty FAT16 file system of 10 MiB (Microsoft's FAT specification 1.03, section 3.1)."""
    reserved, tables, roots, sectors_a_table = 1, 2, 512, 80
    boot = struct.pack(
        "<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"MSDOS5.0", 512, 1, reserved, tables, roots, sectors, 0xF8, sectors_a_table, 32, 64, 0, 0
    )
    boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 1, b"ESP        ", b"FAT16   ")
    image = bytearray(sectors * 512)
    image[: len(boot)] = boot
    image[510:512] = b"\x55\xaa"
    for table in range(tables):
        begin = (reserved + table * sectors_a_table) * 512
        image[begin : begin + 4] = b"\xf8\xff\xff\xff"
    return bytes(image)


class Board:
    """The machine that is played, and its firmware."""

    def __init__(self, device, folder):
        self.device = device
        run = device.run
        (folder / "esp.img").write_bytes(fat_image())
        run(f"{WRITABLE} && mkdir -p {WORK} {EFIVARS} {ESP}")
        device.put(folder / "esp.img", f"{WORK}/esp.img")
        self.loop = run(f"losetup -f --show {WORK}/esp.img").strip().removeprefix("/dev/")
        # As boot-efi.mount has it.
        run(f"mount -t vfat -o ro /dev/{self.loop} {ESP}")
        run(f"mkdir -p {ROOT}/dev {ROOT}/proc/self {ROOT}/proc/device-tree {UPDATE_FILES}")
        run(f"ln -s /dev/mem /dev/{self.loop} {ROOT}/dev/ && ln -s /proc/net /proc/uptime {ROOT}/proc/")
        minor = self.loop.removeprefix("loop")
        mounts = ["21 1 254:2 / / ro - ext4 /dev/root ro", f"35 21 7:{minor} / {ESP} ro - vfat /dev/{self.loop} ro"]
        self.write(f"{ROOT}/proc/self/mountinfo", "\n".join(mounts) + "\n")
        self.write(f"{ROOT}/sys/dev/block/esp/uevent", f"MAJOR=7\nMINOR={minor}\nDEVNAME={self.loop}\nPARTNAME=esp\n")
        self.units(f"0x{self.register():x}")

    def anew(self):
        """A machine of no kind yet, slot a running: no variable, an empty ESP, no file of an update."""
        self.device.run(f"systemctl stop {UNITS}; systemctl reset-failed {UNITS}; true")
        self.device.run(f"find {EFIVARS} -type f -exec {CHATTR} 0 {{}} +")
        self.device.run(f"rm -rf {EFIVARS}/* {ROOT}/proc/device-tree/* {ROOT}/run/* && mkdir -p {UPDATE_FILES}")
        self.device.run(f"mount -o remount,rw {ESP} && rm -rf {ESP}/* && mount -o remount,ro {ESP}")
        self.device.run(f"find {ROOT}/proc -maxdepth 1 -name '[0-9]*' -delete")
        self.runs("a")

    def register(self):
        """The address of the PCI device's memory (BAR 2), which is not to be used by any driver."""
        found = self.device.run("grep -l 0x1110 /sys/bus/pci/devices/*/device").split()
        self.pci = found[0].removesuffix("/device")
        return int(self.device.run(f"sed -n 3p {self.pci}/resource").split()[0], 16)

    def units(self, register):
        """The units as they are shipped, for the machine that is played."""
        told = f"[Service]\nEnvironment=TOTTON_SLOT_ROOT={ROOT} TOTTON_SLOT_REGISTER={register}\nReadWritePaths={ROOT}\n"
        # What a board's bus does by itself.
        enable = f"ExecStartPre=+/bin/sh -c 'echo 1 > {self.pci}/enable'\n"
        # The first of our units in a start. What it mounts is for itself alone, even so.
        self.drop_in(START, told + f"ExecStartPre=+nsenter --target 1 --mount {WRITABLE}\n" + enable)
        self.drop_in(CONFIRM, told + enable)
        self.drop_in(HEALTH, told + "Environment=TOTTON_HEALTH_HOLD=5 TOTTON_HEALTH_EVERY=1 TOTTON_HEALTH_DEADLINE=60\n")
        # SWUpdate's, with what slot.sh of an update calls. Its sandbox is the product's.
        script = f"ExecStart=/bin/sh -e {WORK}/update\nType=oneshot\n"
        self.write(f"/etc/systemd/system/{UPDATE}.service", f"[Service]\n{script}")
        self.drop_in(UPDATE, told)
        self.device.run("systemctl daemon-reload")

    def drop_in(self, unit, text):
        self.write(f"/etc/systemd/system/{unit}.service.d/bench.conf", text)

    @contextlib.contextmanager
    def without(self, unit, taken):
        """The unit with some of its rights taken away, under another name: nothing has to be read anew."""
        name = f"{unit}-{uuid.uuid4().hex[:8]}"
        file = f"/run/systemd/system/{name}.service"
        text = self.device.run(f"systemctl cat {unit}").replace("[Install]", "[X-Install]")
        self.write(file, f"{text}\n[Service]\n{taken}\n")
        try:
            yield name
        finally:
            self.device.run(f"systemctl reset-failed {name} || true; rm {file}")

    def write(self, path, text):
        self.device.run(f"mkdir -p {os.path.dirname(path)} && cat > {path} << 'END'\n{text}END")

    def runs(self, slot):
        label = {"a": "APP", "b": "APP_b"}[slot]
        self.write(f"{ROOT}/sys/dev/block/254:2/uevent", f"MAJOR=254\nMINOR=2\nDEVNAME=vda2\nPARTNAME={label}\n")

    def entry(self, unit):
        """The lines of the unit's last start."""
        return self.device.run(ENTRY_OF.format(unit=unit))

    def begin(self, unit):
        """Starts a oneshot unit anew; whether it ended well, and what it said."""
        begin = f"systemctl stop {unit}; systemctl reset-failed {unit}; systemctl start {unit} 2> /dev/null; echo $?"
        status, _, said = self.device.run(f"({begin}) 2> /dev/null; {ENTRY_OF.format(unit=unit)}", timeout=180).partition("\n")
        return status == "0", said

    def begins(self, unit):
        well, said = self.begin(unit)
        assert well, f"{unit}: {said}"
        return said

    def update(self, *commands):
        """What an update does, in SWUpdate's sandbox."""
        self.write(f"{WORK}/update", "".join(f"{command}\n" for command in commands))
        return self.begins(UPDATE)

    def healthy(self):
        """The health check's last word on this start."""
        self.device.run(f"mkdir -p {ROOT}/proc && find {ROOT}/proc -maxdepth 1 -name '[0-9]*' -delete")
        page = self.device.show("totton-audio-web", "MainPID")["MainPID"]
        self.device.run(f"ln -s /proc/{page} {ROOT}/proc/ && systemctl restart {HEALTH}")
        return eventually("the health check has ended", lambda: self._verdict(), deadline=120)

    def _verdict(self):
        ended = self.device.show(HEALTH, "SubState")["SubState"] in ("exited", "failed")
        return self.entry(HEALTH) if ended else None

    def remove(self):
        # One that still runs would write while its machine is taken away.
        self.device.run(f"systemctl stop {UNITS} || true")
        names = " ".join(f"/etc/systemd/system/{unit}.service.d" for unit in UNITS.split())
        self.device.run(f"rm -rf {names} /etc/systemd/system/{UPDATE}.service; systemctl daemon-reload")
        self.device.attempt(f"umount {ESP}; losetup -d /dev/{self.loop}")
        self.device.attempt(f"find {EFIVARS} -type f -exec {CHATTR} 0 {{}} +")
        self.device.run(f"rm -rf {WORK} && {READ_ONLY}")
        self.device.run(f"systemctl reset-failed {UNITS} || true; systemctl restart {START} {HEALTH}")

    # ---- the ESP

    def on_esp(self, path):
        return self.device.attempt(f"test -e {ESP}/{path}")[0] == 0

    def esp_is_read_only(self):
        (line,) = [line for line in self.device.run("cat /proc/self/mountinfo").splitlines() if f" {ESP} " in line]
        # Of the file system, not of this mount alone.
        return line.split()[-1].split(",")[0] == "ro"


    # ---- the firmware's variables

    def file(self, name):
        return f"{EFIVARS}/{name}-{NVIDIA}"

    def set(self, name, value):
        file, text = self.file(name), "".join(f"\\{byte:03o}" for byte in struct.pack("<II", 7, value))
        self.device.run(f"[ ! -e {file} ] || {CHATTR} 0 {file}; printf '{text}' > {file} && {CHATTR} 16 {file}")

    def get(self, name):
        """None: there is no such variable."""
        status, out, _ = self.device.attempt(f"od -An -tu4 -j4 {self.file(name)}")
        return int(out) if status == 0 else None

    def immutable(self, name):
        return int(self.device.run(f"{LSATTR} {self.file(name)}")) & 16 != 0

    def firmware_changes_to(self, slot):
        """What BootChainDxe does with a wish for another chain."""
        assert self.get("BootChainFwNext") == "ab".index(slot), "the wish was not for this slot"
        self.device.run(f"{CHATTR} 0 {self.file('BootChainFwNext')} && rm {self.file('BootChainFwNext')}")
        self.set("BootChainFwStatus", 0)
        self.set("BootChainFwCurrent", "ab".index(slot))
        self.runs(slot)


@pytest.fixture(scope="module")
def board(device, tmp_path_factory):
    """One for all tests: systemd reads its units anew at the begin and at the end."""
    board = Board(device, tmp_path_factory.mktemp("slots"))
    yield board
    board.remove()


@pytest.fixture
def orin(board):
    board.anew()
    board.device.run(f"printf 'nvidia,tegra234\\0' > {ROOT}/proc/device-tree/compatible")
    for name in ("RootfsStatusSlotA", "RootfsStatusSlotB", "BootChainFwCurrent"):
        board.set(name, 0)
    return board


@pytest.fixture
def qemu(board):
    board.anew()
    board.device.run(f"mount -o remount,rw {ESP} && mkdir -p {ESP}/loader/entries {ESP}/totton/a {ESP}/totton/b")
    for slot, version, label in (("a", 2, "APP"), ("b", 1, "APP_b")):
        board.write(f"{ESP}/loader/entries/totton-{slot}.conf", ENTRY.format(slot=slot, version=version, label=label))
        board.write(f"{ESP}/totton/{slot}/Image", "kernel\n")
    board.device.run(f"mount -o remount,ro {ESP}")
    return board


def test_an_update_goes_its_way_through_the_units_of_an_orin(orin):
    assert "slot a runs" in orin.begins(START)
    assert orin.immutable("RootfsStatusSlotA")
    orin.update("totton-audio-slot open b", "totton-audio-slot try b")
    assert orin.get("RootfsStatusSlotB") == 0xFF and orin.immutable("RootfsStatusSlotB")
    orin.firmware_changes_to("b")
    assert "slot b runs, on trial" in orin.begins(START)
    assert "slot b confirmed" in orin.healthy()
    assert orin.get("RootfsStatusSlotB") == 0 and orin.immutable("RootfsStatusSlotB")
    assert "slot b runs" in orin.begins(START)


def test_a_capsule_is_copied_to_an_esp_that_is_read_only_before_and_after(orin):
    orin.begins(START)
    orin.device.run(f"echo capsule > {UPDATE_FILES}/TEGRA_BL.Cap")
    assert orin.esp_is_read_only()
    orin.update("totton-audio-slot open b", "totton-audio-slot try b")
    assert orin.device.run(f"cat {ESP}/EFI/UpdateCapsule/TEGRA_BL.Cap") == "capsule"
    assert orin.get("BootChainFwNext") is None, "the capsule changes slots"
    assert orin.esp_is_read_only()
    orin.update("totton-audio-slot open b")
    assert not orin.on_esp("EFI/UpdateCapsule/TEGRA_BL.Cap")
    assert orin.esp_is_read_only()


def test_an_update_goes_its_way_through_the_units_of_systemd_boot(qemu):
    entries = f"{ESP}/loader/entries"
    assert "slot a runs" in qemu.begins(START)
    qemu.device.run(f"echo new > {UPDATE_FILES}/Image")
    qemu.update("totton-audio-slot open b", "totton-audio-slot try b")
    assert qemu.device.run(f"ls {entries}").split() == ["totton-a.conf", "totton-b+3.conf"]
    assert qemu.device.run(f"cat {ESP}/totton/b/Image") == "new"
    assert qemu.esp_is_read_only()
    qemu.runs("b")
    assert "slot b runs, on trial" in qemu.begins(START)
    assert "slot b confirmed" in qemu.healthy()
    assert qemu.device.run(f"ls {entries}").split() == ["totton-a.conf", "totton-b.conf"]
    assert qemu.esp_is_read_only()


@pytest.mark.parametrize(
    ("taken", "complaint"),
    [
        ("CapabilityBoundingSet=~CAP_SYS_RAWIO", "/dev/mem: Operation not permitted"),
        ("DeviceAllow=\nDeviceAllow=block-* rw", "/dev/mem: Operation not permitted"),
        ("CapabilityBoundingSet=~CAP_LINUX_IMMUTABLE", "RootfsStatusSlotA cannot be written: Operation not permitted"),
    ],
    ids=["RAWIO", "dev-mem", "IMMUTABLE"],
)
@pytest.mark.parametrize("unit", [START, CONFIRM])
def test_each_right_is_needed_and_its_lack_is_told(orin, unit, taken, complaint):
    orin.set("RootfsStatusSlotA", 0xFF)
    with orin.without(unit, taken) as lacking:
        well, said = orin.begin(lacking)
    assert not well and complaint in said, said
    orin.begins(unit)
    assert orin.get("RootfsStatusSlotA") == 0


def test_the_right_to_write_the_esp_is_needed_and_its_lack_is_told(qemu):
    entries = f"{ESP}/loader/entries"
    qemu.device.run(f"mount -o remount,rw {ESP} && mv {entries}/totton-b.conf {entries}/totton-b+2-1.conf && mount -o remount,ro {ESP}")
    qemu.runs("b")
    with qemu.without(CONFIRM, "CapabilityBoundingSet=~CAP_SYS_ADMIN") as lacking:
        well, said = qemu.begin(lacking)
    assert not well and "ESP cannot be written" in said and "Operation not permitted" in said, said
    assert qemu.device.run(f"ls {entries}").split() == ["totton-a.conf", "totton-b+2-1.conf"]
    qemu.begins(CONFIRM)
    assert qemu.device.run(f"ls {entries}").split() == ["totton-a.conf", "totton-b.conf"]
    assert qemu.esp_is_read_only()


# The last of this file: nothing is left of the machine but its folder after it.
@pytest.mark.timeout(900)
def test_a_trial_that_does_not_come_up_restarts_the_box_early_until_it_is_over(orin, cable):
    device = orin.device
    orin.begins(START)
    orin.update("totton-audio-slot open b", "totton-audio-slot try b")
    # Each start from here on is one of a, as if no kernel of b had ever got there.
    device.run(f"{CHATTR} 0 {orin.file('BootChainFwNext')} && rm {orin.file('BootChainFwNext')}")
    cable.unplug()
    device.reboot(deadline=600, until=lambda: "slot b did not come up" in orin.entry(START))
    eventually("the cable is in", lambda: cable.plug() or True, deadline=180)
    # The last of them told so before any disk but the root file system's was looked at.
    began = {unit: int(device.show(unit, "ActiveEnterTimestampMonotonic").popitem()[1]) for unit in (START, "local-fs.target")}
    assert 0 < began[START] < began["local-fs.target"], began
    assert orin.get("BootChainFwNext") is None, "it is not tried once more"
