"""Updates of the image under test: taken and kept when good, left when not, refused when not ours.

The bundles are made here, of that image (of the layer's the development image, for the product's has
no SSH that tests could come in by). They are signed by a key of the tests, which lies over the
device's own while a bundle of theirs is handed over.
"""

import base64
import hashlib
import os
import subprocess
from pathlib import Path

import pytest
import stick
import update_bundle
from eventually import eventually
from machine import CommandFailed
from page import PAGE, part, press, view
from selenium.webdriver.support.ui import Select

pytestmark = pytest.mark.lg_feature("bench")
QUICK = not os.environ.get("TOTTON_DEVICE_IMAGE")

KEY = "/usr/share/totton-audio/update-key.pem"
BUNDLE = "/dev/shm/update.swu"
HEALTH = "totton-audio-health"
KEPT = "/etc/totton-audio/upsampler.d/70-kept.toml"
PARTITIONS = {"a": "APP", "b": "APP_b"}
# A start is given up after this many seconds, not five minutes.
IMPATIENT = "[Service]\nEnvironment=TOTTON_HEALTH_DEADLINE=40\n"


def long_on_the_quick_image(test):
    """Each run has one of each kind there; the layer's image is tested once in a while, and wholly."""
    return pytest.mark.long(test) if QUICK else test


def deployed(*patterns):
    """A file of BitBake's deploy folder, or of the quick image's, by the first pattern that has one."""
    folder = Path(os.environ["TOTTON_DEPLOYED"])
    found = next((found for pattern in patterns if (found := sorted(folder.glob(pattern)))), None)
    assert found, f"no {patterns} in {folder}"
    return found[-1].resolve()


def sha256(source):
    """Of what a program writes."""
    with subprocess.Popen(source, stdout=subprocess.PIPE) as writes:
        return hashlib.file_digest(writes.stdout, "sha256").hexdigest()


class Slots:
    """The device's slots, and what boots next."""

    def __init__(self, device):
        self.device = device

    def say(self, word):
        return self.device.run(f"totton-audio-slot {word}").strip()

    def running(self):
        return self.say("current")

    def entries(self):
        """The boot loader's, with the tries that their names tell."""
        return sorted(self.device.run("cd /boot/efi/loader/entries && ls").split())

    def confirmed(self):
        """Whether the health check has found this start good."""
        return f"slot {self.running()} confirmed" in self.device.run(
            "journalctl -b --no-pager -o cat -u totton-audio-health"
        )


class Bundles:
    """Makes bundles of the image under test."""

    def __init__(self, folder):
        self.folder = folder
        self.rootfs = deployed("totton-image-dev-*.rootfs.ext4.zst", "totton-image-*.rootfs.ext4.zst")
        self.kernel = deployed("Image")
        for name in ("ours", "theirs"):
            update_bundle.key_pair(folder, name)

    def make(self, rootfs=None, kernel=None, key="ours", machine="qemuarm64", spoil=None):
        """A bundle; `key` None: not signed; `spoil` names a file in it that is changed after it was hashed."""
        names = ["slot.sh", "root.ext4.zst", "Image"]
        sources = [update_bundle.FILES / "slot.sh", rootfs or self.rootfs, kernel or self.kernel]
        for name, source in zip(names, sources, strict=True):
            (self.folder / name).unlink(missing_ok=True)
            (self.folder / name).write_bytes(source.read_bytes())
        variables = {"MACHINE": machine, "DISTRO_VERSION": "0.1.0", "KERNEL_IMAGETYPE": "Image", "ROOTFS": "root.ext4.zst"}
        (self.folder / "sw-description").write_text(update_bundle.description("qemuarm64", variables, self.folder))
        first = ["sw-description"]
        if key:
            update_bundle.sign(self.folder, self.folder / f"{key}.pem")
            first.append("sw-description.sig")
        if spoil:
            with open(self.folder / spoil, "r+b") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read(1)
                file.seek(-1, os.SEEK_END)
                file.write(bytes([last[0] ^ 1]))
        return update_bundle.pack(self.folder, [*first, *names], self.folder / "update.swu")

    def changed(self, *orders):
        """The root file system after debugfs' `orders`, compressed."""
        image = self.folder / "changed.ext4"
        image.unlink(missing_ok=True)
        update_bundle.run("zstd", "-q", "-d", self.rootfs, "-o", image)
        (self.folder / "orders").write_text("".join(f"{order}\n" for order in orders))
        said = update_bundle.run("debugfs", "-w", "-f", self.folder / "orders", image)
        # It ends with 0 whatever happened; what it says beyond its orders is a complaint.
        complaints = [line for line in said.stderr.decode().splitlines()[1:] if line]
        assert not complaints, complaints
        return self.compressed(image)

    def empty(self):
        """A root file system with nothing in it."""
        image = self.folder / "empty.ext4"
        update_bundle.run("mkfs.ext4", "-q", "-F", image, "8M")
        return self.compressed(image)

    def compressed(self, image):
        update_bundle.run("zstd", "-q", "-f", "-1", "-T2", image, "-o", f"{image}.zst")
        return Path(f"{image}.zst")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return Bundles(tmp_path_factory.mktemp("update"))


@pytest.fixture
def slots(device):
    slots = Slots(device)
    if not slots.confirmed():
        # It looks for a minute without a fault, and other tests may have made some since this start.
        device.run(f"systemctl restart {HEALTH}")
    eventually("the running slot is known to be good", slots.confirmed, deadline=240)
    return slots


@pytest.fixture
def our_key(device, bundles):
    """The device trusts the tests' key, until it restarts at the latest."""
    device.put(bundles.folder / "ours.pub", "/dev/shm/ours.pub")
    # Stopped more often than a box would: systemd is not to count it.
    stop = "systemctl stop swupdate && systemctl reset-failed swupdate"
    device.run(f"{stop} && mount --bind /dev/shm/ours.pub {KEY}")
    yield
    # After a restart there is nothing to undo.
    device.run(f"if grep -q {KEY} /proc/self/mountinfo; then {stop} && umount {KEY}; fi; rm -f /dev/shm/ours.pub {BUNDLE}")


def hand_over(device, bundle):
    """Has the device install a bundle; an error of SWUpdate's is a CommandFailed."""
    # A bundle is cpio's, in blocks of 512 bytes as a disk is. SSH would take longer than the update.
    with stick.holding(bundle):
        device.run("udevadm wait --timeout=60 /dev/sda")
        return device.run("swupdate-client -v /dev/sda", timeout=400)


def start_is_complete(device, cable, api):
    eventually(
        "the device has booted",
        lambda: device.attempt("systemctl is-system-running --wait", timeout=240)[1].strip() == "running", deadline=300,
    )
    # The virtual cable was torn by the restart.
    eventually("the cable is in", lambda: cable.plug() or True, deadline=180)
    eventually("the PC sees the stream", api.streaming, deadline=180)


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        ({"key": None}, "not signed"),
        ({"key": "theirs"}, "signed by another"),
        ({"machine": "another-board"}, "for another machine"),
        ({"spoil": "sw-description"}, "its description was changed"),
        ({"spoil": "root.ext4.zst"}, "its root file system was changed"),
        ({"spoil": "slot.sh"}, "its script was changed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_bundle_that_is_not_ours_is_refused(device, slots, bundles, our_key, bundle, why):
    running, before = slots.running(), slots.entries()
    with pytest.raises(CommandFailed) as refused:
        hand_over(device, bundles.make(bundles.empty(), kernel=Path(__file__), **bundle))
    assert "swupdate-client" in str(refused.value)
    # What is found out while the slot is written has made it one that nothing starts.
    begun = bundle.get("spoil", "sw-description") != "sw-description"
    assert slots.entries() == ([f"totton-{running}.conf"] if begun else before), f"{why}, and yet it is tried"
    # And it says so in the journal.
    assert "ERROR" in device.run("journalctl -b --no-pager -o cat -u swupdate"), why


def drop(page, bundle):
    """Drops a bundle onto the Update view."""
    page.execute_script(
        """
        const [name, content] = arguments;
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0))], name));
        document.querySelector("[data-testid=update-drop]").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer}));
        """,
        bundle.name,
        base64.b64encode(bundle.read_bytes()).decode(),
    )


def test_update_view_hands_a_bundle_over_and_says_what_came_of_it(browser, device, slots, bundles, our_key, playing):
    before, rootfs = slots.entries(), bundles.empty()
    browser.get(PAGE)
    Select(part(browser, "language")).select_by_value("en")
    view(browser, "update")
    eventually("a bundle is asked for", part(browser, "update-drop").is_displayed, deadline=60)
    drop(browser, bundles.make(rootfs, kernel=Path(__file__), key="theirs"))
    press(browser, "confirm-yes")
    eventually("it is refused", lambda: part(browser, "update-status").text == "The bundle was not installed", deadline=120)
    press(browser, "update-check")
    drop(browser, bundles.make(rootfs, kernel=Path(__file__)))
    eventually("it is found to be good", lambda: part(browser, "update-status").text == "The bundle is good.", deadline=120)
    eventually("and that is the last that is told", lambda: "worked · Only check" in part(browser, "update-last").text)
    assert slots.entries() == before


@long_on_the_quick_image
def test_bundle_of_the_build_is_taken_with_the_key_of_the_image(device, slots):
    """The build's own bundle, signed by it; not started, for the bench could not come into the layer's."""
    other = slots.say("other")
    try:
        hand_over(device, deployed("totton-update-*.swu"))
        assert f"totton-{other}+3.conf" in slots.entries()
        rootfs, kernel = deployed("totton-image-qemuarm64.rootfs.ext4.zst"), deployed("Image")
        size = len(subprocess.run(["zstd", "-q", "-d", "-c", rootfs], capture_output=True, check=True).stdout)
        written = device.run(f"head -c {size} /dev/totton/{PARTITIONS[other]} | sha256sum", timeout=300).split()[0]
        assert written == sha256(["zstd", "-q", "-d", "-c", rootfs])
        assert device.run(f"sha256sum /boot/efi/totton/{other}/Image").split()[0] == sha256(["cat", kernel])
    finally:
        # The running slot is the one that boots.
        device.run(f"totton-audio-slot open {other}")
        assert slots.entries() == [f"totton-{slots.running()}.conf"]


@long_on_the_quick_image
def test_power_cut_while_an_update_is_written_leaves_the_running_slot(device, slots, bundles, our_key, cable, api):
    running = slots.running()
    # A computer sees at once that a box is gone; the virtual cable's end on the PC would not.
    cable.unplug()
    device.put(bundles.make(), BUNDLE)
    device.run(f"(swupdate-client {BUNDLE}) > /dev/null 2>&1 < /dev/null & sleep 0.1")
    # A fifth of the bundle has been read, and what is written of it is on the disk.
    read = "awk '$1 == \"pos:\" && $2 > 10000000 { found = 1 } END { exit !found }' /proc/$(pgrep -x swupdate-client)/fdinfo/*"
    device.run(f"until {read}; do sleep 0.05; done; sync")
    assert device.attempt("pgrep -x swupdate-client")[0] == 0, "it was over before the power was cut"
    device.reboot(cut=True)
    assert slots.running() == running and slots.entries() == [f"totton-{running}.conf"]
    start_is_complete(device, cable, api)


def update(device, slots, bundles):
    """Hands a good update over, and restarts into it, on trial; the slot before."""
    before, other = slots.running(), slots.say("other")
    hand_over(device, bundles.make())
    assert slots.running() == before
    device.reboot()
    assert slots.running() == other and "on trial: yes" in slots.say("status")
    return before


@pytest.mark.timeout(1200)
def test_good_update_is_tried_and_kept_with_what_is_on_the_data_partition(device, slots, bundles, our_key, cable, api):
    device.run(f"echo '# mine' > {KEPT}")
    try:
        update(device, slots, bundles)
        start_is_complete(device, cable, api)
        eventually("the update is kept", slots.confirmed, deadline=240)
        assert "on trial: no" in slots.say("status")
        assert device.run(f"cat {KEPT}").strip() == "# mine"
    finally:
        device.run(f"rm {KEPT}")


@long_on_the_quick_image
@pytest.mark.timeout(1200)
def test_the_way_back_by_hand_is_open_after_an_update(device, slots, bundles, our_key, cable, api):
    """As docs/updates.md has it."""
    before = update(device, slots, bundles)
    start_is_complete(device, cable, api)
    eventually("the update is kept", slots.confirmed, deadline=240)
    slots.say(f"try {before}")
    device.reboot()
    assert slots.running() == before
    start_is_complete(device, cable, api)
    eventually("the slot before is kept", slots.confirmed, deadline=240)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("the sound daemon is missing", marks=[pytest.mark.long] if QUICK else []),
        "the kernel finds no init",
    ],
)
def test_update_that_does_not_come_up_is_left_after_three_starts(device, slots, bundles, our_key, cable, api, fault):
    before, other = slots.running(), slots.say("other")
    if fault == "the sound daemon is missing":
        (bundles.folder / "impatient.conf").write_text(IMPATIENT)
        folder = "/usr/lib/systemd/system/totton-audio-health.service.d"
        rootfs = bundles.changed(
            "rm /opt/totton_audio/bin/gpu_upsampler_alsa", f"mkdir {folder}",
            f"write {bundles.folder}/impatient.conf {folder}/impatient.conf",
        )
    else:
        rootfs = bundles.empty()
    hand_over(device, bundles.make(rootfs))
    first = device.boot_id()
    device.reboot(deadline=900, until=lambda: slots.running() == before)
    assert slots.entries() == sorted([f"totton-{other}+0-3.conf", f"totton-{before}.conf"])
    assert f"slot {other} did not come up in 3 starts" in slots.say("status")
    start_is_complete(device, cable, api)
    eventually("the slot before is good as ever", slots.confirmed, deadline=240)
    assert f"slot {other} did not come up in 3 starts" in device.run("journalctl -b --no-pager -o cat -u totton-audio-health")
    if fault == "the sound daemon is missing":
        # The journal outlives the slots: it has the three starts.
        said = device.run("journalctl --no-pager -o cat -u totton-audio-health")
        assert said.count("this slot is on trial, starting anew") == 3, said
    assert device.boot_id() != first
