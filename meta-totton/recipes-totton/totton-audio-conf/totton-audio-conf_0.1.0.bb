SUMMARY = "The device's files: units, USB network, mDNS, journal, defaults"
DESCRIPTION = "conf/ as it stands: a path there is the path on the device, so nothing is listed here."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "multimedia"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "file://conf file://LICENSE"

S = "${UNPACKDIR}/conf"

inherit allarch

do_configure[noexec] = "1"
do_compile[noexec] = "1"

# A checkout keeps only the executable bit; the rest of its modes are the builder's umask.
do_install() {
    cp -R --no-dereference --preserve=mode,links ${S}/. ${D}/
    chmod -R u=rwX,go=rX ${D}
}

PACKAGES = "${PN}"
FILES:${PN} = "/*"
CONFFILES:${PN} = "${sysconfdir}"
