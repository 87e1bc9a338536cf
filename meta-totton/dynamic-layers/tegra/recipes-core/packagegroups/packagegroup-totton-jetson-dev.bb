SUMMARY = "What the development image needs on a Jetson beside the product"
DESCRIPTION = "The driver of the board's Ethernet port, by which the tests come in while they pull the USB cable."
SECTION = "multimedia"
LICENSE = "MIT"

# Before the class, which would make it `all`: its parts are of the machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

COMPATIBLE_MACHINE = "(tegra)"

# By meta-tegra's machine; packagegroup-base, which the product leaves out, would bring them.
# Recommended, since a kernel may have one built in.
DEVKIT_ETHERNET_RRECOMMENDS ?= ""
RRECOMMENDS:${PN} = "${DEVKIT_ETHERNET_RRECOMMENDS}"
