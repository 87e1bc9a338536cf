SUMMARY = "The way out of recovery, for a Jetson Orin's recovery partition"
DESCRIPTION = "An EFI program in an Android boot image: NVIDIA's launcher starts it when it has no slot left to start."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "bootloaders"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

DEPENDS = "gnu-efi"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "file://LICENSE file://firmware/way-out"

S = "${UNPACKDIR}/firmware/way-out"
B = "${WORKDIR}/build"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit deploy nopackages

COMPATIBLE_MACHINE = "(tegra)"

do_configure[noexec] = "1"
do_install[noexec] = "1"

do_compile() {
    EFI_LIB=${STAGING_LIBDIR} EFI_INCLUDE=${STAGING_INCDIR}/efi ${S}/make-efi ${S}/way-out.c ${B}/totton-way-out.efi
    ${S}/android-image ${B}/totton-way-out.efi ${B}/totton-way-out.img
}

do_deploy() {
    install -m 0644 ${B}/totton-way-out.img ${DEPLOYDIR}/
}

addtask deploy after do_compile before do_build
