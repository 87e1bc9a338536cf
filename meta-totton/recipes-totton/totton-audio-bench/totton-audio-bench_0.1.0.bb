SUMMARY = "What makes the QEMU image a device of the virtual bench"
DESCRIPTION = "images/qemu/device/files as it stands: virtual USB cable, loopback sound cards, CPU engine with a short filter."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "multimedia"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

DEPENDS = "totton-audio-native"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "\
    file://LICENSE \
    file://images/qemu/device/files \
    file://images/qemu/device/filter \
"

S = "${UNPACKDIR}/images/qemu/device"
B = "${WORKDIR}/build"

COMPATIBLE_MACHINE = "(qemuall)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit systemd

do_configure[noexec] = "1"

# device/filter holds the arguments by which images/qemu makes the same filter.
do_compile() {
    totton-filter design $(cat ${S}/filter) ${B}/bench-x16.filter
}
do_compile[cleandirs] = "${B}"

do_install() {
    cp -R --no-dereference --preserve=mode,links ${S}/files/. ${D}/
    chmod -R u=rwX,go=rX ${D}
    install -D -m 0644 ${B}/bench-x16.filter ${D}/opt/totton_audio/filters/bench-x16.filter
}

SYSTEMD_SERVICE:${PN} = "bench-milestones.service usbipd.service"
FILES:${PN} = "/*"
# plug-here has the computer's network in a namespace, which busybox's ip cannot.
RDEPENDS:${PN} = "iproute2-ip totton-audio-conf usbip-tools"
# Recommended, since a kernel may have them built in.
RRECOMMENDS:${PN} = "\
    kernel-module-cdc-ncm \
    kernel-module-snd-aloop \
    kernel-module-usbip-vudc \
    kernel-module-vhci-hcd \
"
