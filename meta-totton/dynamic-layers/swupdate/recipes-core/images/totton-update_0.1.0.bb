SUMMARY = "A signed update bundle with totton-image"
DESCRIPTION = "What SWUpdate on the device writes into the slot that does not run: root file system, and kernel or firmware where these are not in it."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COREBASE}/meta/COPYING.MIT;md5=3da9cfbcb788c80a0384361b4de20420"

SRC_URI = "file://sw-description file://slot.sh"

inherit swupdate totton_update_key

COMPATIBLE_MACHINE = "(qemuarm64|tegra)"

ROOTFS = "totton-image-${MACHINE}.rootfs.ext4.zst"
IMAGE_DEPENDS = "totton-image"
SWUPDATE_IMAGES = "${ROOTFS}"

# Jetson: the kernel is in the root file system; the firmware is a capsule for the ESP.
SWUPDATE_IMAGES:append:tegra = " tegra-bl.cap"
CAPSULES = ""
CAPSULES:tegra = "tegra-uefi-capsules:do_deploy"
# As /sys/firmware/efi/esrt tells it: a decimal number.
FIRMWARE_VERSION = ""
FIRMWARE_VERSION:tegra = "${@int(d.getVar('TEGRA_UEFI_FW_VERSION'), 16)}"

# Which boards take the bundle, totton-audio-update's /etc/hwrevision.
TOTTON_HARDWARE_REVISION ?= "1"

# QEMU: systemd-boot reads the kernel from the ESP.
SWUPDATE_IMAGES:append:qemuarm64 = " ${KERNEL_IMAGETYPE}"
KERNELS = ""
KERNELS:qemuarm64 = "virtual/kernel:do_deploy"

do_swuimage[depends] += "${CAPSULES} ${KERNELS}"

SWUPDATE_SIGNING = "RSA-PSS"
SWUPDATE_PRIVATE_KEY = "${TOTTON_UPDATE_KEY}"

python do_swuimage:prepend() {
    totton_update_key(d)
}
do_swuimage[vardeps] += "TOTTON_RELEASE"
