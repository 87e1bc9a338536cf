SUMMARY = "What a Jetson needs for this product beside its kernel"
DESCRIPTION = "The GPU's driver and its device nodes, power model, fan, and the tools of the A/B slots."
SECTION = "multimedia"
LICENSE = "MIT"

# Before the class, which would make it `all`: its parts are of the machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

COMPATIBLE_MACHINE = "(tegra)"

# packagegroup-base would bring these, and cameras, CAN and display with them.
# efivar and nvbootctrl (tegra-redundant-boot) are what totton-audio-slot calls.
RDEPENDS:${PN} = "\
    efivar \
    nvidia-kernel-oot-compute-nvgpu \
    tegra-configs-sysctl \
    tegra-configs-udev \
    tegra-nvfancontrol \
    tegra-nvpmodel \
    tegra-nvpower \
    tegra-nvsciipc \
    tegra-redundant-boot \
"
