"""Kernel modules of our own for the device of the bench, never for the product.

The virtual cable's two ends, usbip-vudc and vhci-hcd, from the source of the very
kernel that the machine boots, with the patches of tests/kernel/usbip/: as they
come from Debian no sound crosses the cable.  Runs in the builder.
"""

from . import cache
from .payload import Layer

SOURCE = "drivers/usb/usbip"
PATCHES = cache.REPOSITORY / "tests/kernel/usbip"
WANTED = ("usbip-vudc", "vhci-hcd")
STEPS = ("kernel-source", "kernel-modules")
FETCH = cache.HERE / "machine/fetch-kernel.sh"
BUILD = cache.HERE / "machine/build-modules.sh"


def usbip(base, arch):
    """The layer with the modules for the kernel in `base`, by which depmod prefers them."""
    release = next((base / "root/usr/lib/modules").iterdir()).name

    def fetch(into):
        cache.run_logged([FETCH, release, arch, SOURCE, into], "kernel-source", f"fetching the source of Linux {release}")

    def build(into):
        cache.run_logged(
            [BUILD, source, release, arch, SOURCE, PATCHES, into], "kernel-modules", f"building modules for {release}"
        )

    source = cache.step(
        "kernel-source", cache.digest(release, arch, SOURCE, FETCH), f"device: the source of Linux {release}", fetch
    )
    built = cache.step(
        "kernel-modules", cache.digest(source.name, BUILD, PATCHES), "device: the virtual cable's modules", build
    )
    return Layer(files={f"usr/lib/modules/{release}/updates/{name}.ko": built / f"{name}.ko" for name in WANTED})
