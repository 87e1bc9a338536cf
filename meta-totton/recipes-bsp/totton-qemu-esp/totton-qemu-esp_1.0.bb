SUMMARY = "systemd-boot's entries for the two slots of the QEMU machine"
DESCRIPTION = "Deployed for the ESP that wic makes (totton-qemu.wks); totton-audio-slot writes them anew on the device."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "bootloaders"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

INHIBIT_DEFAULT_DEPS = "1"

SRC_URI = "file://entry.conf.in file://loader.conf"

S = "${UNPACKDIR}"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit deploy nopackages

COMPATIBLE_MACHINE = "(qemuarm64)"

KERNEL_OPTIONS ?= "ro rootwait console=ttyAMA0 panic=10 systemd.machine_id=firmware"

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

entry() {
    sed -e 's|@SLOT@|'$1'|; s|@LABEL@|'$2'|; s|@VERSION@|'$3'|' \
        -e 's|@KERNEL@|${KERNEL_IMAGETYPE}|; s|@OPTIONS@|${KERNEL_OPTIONS}|' ${S}/entry.conf.in > ${DEPLOYDIR}/totton-$1.conf
}
entry[doc] = "Writes the entry of a slot: SLOT LABEL VERSION"

# Slot a is the newer at first; both are good.
do_deploy() {
    install -m 0644 ${S}/loader.conf ${DEPLOYDIR}/totton-loader.conf
    entry a APP 2
    entry b APP_b 1
}

addtask deploy after do_install before do_build
