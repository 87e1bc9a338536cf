SUMMARY = "What a Jetson needs for this product beside its kernel"
DESCRIPTION = "The GPU's driver and its device nodes, power model, fan, and what capsules need."
SECTION = "multimedia"
LICENSE = "MIT"

# Before the class, which would make it `all`: its parts are of the machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

COMPATIBLE_MACHINE = "(tegra)"

# packagegroup-base would bring these, and cameras, CAN and display with them.
# setup-nv-boot-control-service tells the firmware which board it is: without that it takes no
# capsule. Not tegra-redundant-boot: its nvbootctrl is not called, and its
# nv_update_verifier.service would call every start good as soon as it runs.
RDEPENDS:${PN} = "\
    nvidia-kernel-oot-compute-nvgpu \
    setup-nv-boot-control-service \
    tegra-configs-sysctl \
    tegra-configs-udev \
    tegra-nvfancontrol \
    tegra-nvpmodel \
    tegra-nvpower \
    tegra-nvsciipc \
"
