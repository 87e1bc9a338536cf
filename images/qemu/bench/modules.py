"""Kernel modules of our own for the device of the bench, from Debian's source of the
very kernel that it boots.

The virtual cable's two ends, usbip-vudc and vhci-hcd, with the patches of
tests/kernel/usbip/: as they come from Debian no sound crosses the cable. The product
has neither. The network function, usb_f_ncm, with the product's own patches, which
the layer carries for the kernels of its images. Runs in the builder.
"""

from . import cache
from .payload import Layer

# Patches, the folders of the source that they need, the modules made of them.
CABLE = (
    cache.REPOSITORY / "tests/kernel/usbip",
    ["drivers/usb/usbip"],
    ["drivers/usb/usbip/usbip-vudc", "drivers/usb/usbip/vhci-hcd"],
)
GADGET = (
    cache.REPOSITORY / "meta-totton/recipes-kernel/linux/files",
    ["drivers/usb/gadget"],
    ["drivers/usb/gadget/function/usb_f_ncm"],
)
STEPS = ("kernel-source", "kernel-modules")
FETCH = cache.HERE / "machine/fetch-kernel.sh"
BUILD = cache.HERE / "machine/build-modules.sh"


def patched(base, arch):
    """The layer with the modules for the kernel in `base`, by which depmod prefers them."""
    release = next((base / "root/usr/lib/modules").iterdir()).name
    folders = [folder for _, needed, _ in (CABLE, GADGET) for folder in needed]

    def fetch(into):
        cache.run_logged([FETCH, release, arch, into, *folders], "kernel-source", f"fetching the source of Linux {release}")

    def build(into):
        for patches, _, modules in (CABLE, GADGET):
            cache.run_logged(
                [BUILD, source, release, arch, patches, into, *modules], "kernel-modules", f"building modules for {release}"
            )

    source = cache.step(
        "kernel-source", cache.digest(release, arch, *folders, FETCH), f"device: the source of Linux {release}", fetch
    )
    built = cache.step(
        "kernel-modules", cache.digest(source.name, BUILD, CABLE[0], GADGET[0]), "device: kernel modules with our patches", build
    )
    return Layer(files={f"usr/lib/modules/{release}/updates/{file.name}": file for file in sorted(built.glob("*.ko"))})
