"""What the layer says of the product's disk: partitions, the ESP's files, what the root has for them.

Read from its recipes, and made by their own functions: nothing of it is said here again.
Runs in the builder.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .payload import Layer

# What the layer's checks read recipes with, and make bundles.
sys.path[:0] = [str(cache.REPOSITORY / "tests"), str(cache.REPOSITORY / "tests/layer")]

import update_bundle  # noqa: E402
from recipe import Recipe, only  # noqa: E402

LAYER = cache.REPOSITORY / "meta-totton"
WKS = LAYER / "files/wic/totton-qemu.wks"
DISTRO = LAYER / "conf/distro/totton.conf"
IMAGE = LAYER / "recipes-core/images/totton-image.inc"
ESP = LAYER / "recipes-bsp/totton-qemu-esp"
STORAGE = LAYER / "recipes-totton/totton-audio-storage"
UPDATE = update_bundle.SWUPDATE / "recipes-totton/totton-audio-update"
# What the files made here are made of.
SOURCES = (WKS, DISTRO, IMAGE, ESP, STORAGE, UPDATE, update_bundle.FILES)
MACHINE = "qemuarm64"
# Where oe-core's bitbake.conf puts things, and its machine's kernel.
VARIABLES = {"datadir": "/usr/share", "localstatedir": "/var", "KERNEL_IMAGETYPE": "Image", "MACHINE": MACHINE}


@dataclass(frozen=True)
class Partition:
    name: str
    # GPT's; None: sfdisk's default.
    type: str | None
    mib: int
    # "bootimg_partition", "rootfs" or None: empty.
    source: str | None


def partitions():
    """The disk's, in order."""
    found = []
    for line in WKS.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["part"]:
            continue
        options = dict(zip(words, words[1:]))
        size = options["--fixed-size"]
        if not size.endswith("M"):
            raise cache.StepFailed(f"{WKS.name}: {size} is no size in M")
        found.append(Partition(options["--part-name"], options.get("--part-type"), int(size[:-1]), options.get("--source")))
    return found


def _run(recipe, *functions, **more):
    """Runs the last of the recipe's shell functions; the others are known to it."""
    recipe.variables |= VARIABLES | {name: str(value) for name, value in more.items()}
    *known, last = functions
    body = "".join(f"{name}() {{\n{recipe.expand(recipe.function(name))}}}\n" for name in known)
    subprocess.run(["sh", "-eu", "-c", body + recipe.expand(recipe.function(last))], check=True)


def boot_files(deployed):
    """The files of the ESP: (file in `deployed`, path on the ESP). The kernel and the loader are there already."""
    recipe = only(ESP, "*.bb")
    _run(recipe, "entry", "do_deploy", S=ESP / "files", DEPLOYDIR=deployed)
    image = Recipe(IMAGE)
    image.variables |= VARIABLES
    return [tuple(word.split(";")) for word in image.get(f"IMAGE_BOOT_FILES:{MACHINE}").split()]


def update_key():
    """The private key that signs updates for the quick image, made once; the public is key.pub."""
    return cache.step("update-key", "key", "a key for updates", lambda into: update_bundle.key_pair(into, "key")) / "key.pem"


def payload():
    """What the layer's recipes put into the root file system beside programs and conf/: what the other
    partitions are laid over, and what lets the device take updates, and only ours."""
    key = update_key()

    def make(into):
        root, work = into / "root", into / "work"
        work.mkdir()
        _run(only(STORAGE, "*.bb"), "do_install", D=root)
        (work / "update-key.pem").write_bytes(key.with_suffix(".pub").read_bytes())
        revision = Recipe(DISTRO).get("TOTTON_HARDWARE_REVISION")
        (work / "hwrevision").write_text(f"{MACHINE} {revision}\n")
        _run(only(UPDATE, "*.bb"), "do_install", B=work, D=root)

    made = cache.step("layer", cache.digest(key, Path(__file__), *SOURCES), "device: the layer's files", make)
    return Layer(trees=[made / "root"])


def bundle(folder, rootfs, kernel):
    """Makes the update bundle of a compressed root file system and a kernel that lie in `folder`."""
    (folder / "slot.sh").write_bytes((update_bundle.FILES / "slot.sh").read_bytes())
    variables = VARIABLES | {"DISTRO_VERSION": Recipe(DISTRO).get("DISTRO_VERSION"), "ROOTFS": rootfs}
    (folder / "sw-description").write_text(update_bundle.description(MACHINE, variables, folder))
    update_bundle.sign(folder, update_key())
    names = ["sw-description", "sw-description.sig", "slot.sh", rootfs, kernel]
    return update_bundle.pack(folder, names, folder / f"totton-update-{MACHINE}.swu")
