SUMMARY = "What the read-only root has for data partition and ESP to be laid over"
DESCRIPTION = "Mount points, and links by which /etc/totton-audio/*.d lie on the data partition; the mount units are in conf/."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "file://LICENSE"

S = "${UNPACKDIR}"

inherit allarch

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}/boot/efi ${D}/opt/totton_audio/data ${D}${localstatedir}/log/journal ${D}${localstatedir}/lib/systemd/coredump
    # systemd wants it, and cannot make it.
    install -d -m 0700 ${D}${localstatedir}/log/private
    install -d ${D}${sysconfdir}/totton-audio
    for service in gadget upsampler web; do
        ln -s /opt/totton_audio/data/config/$service.d ${D}${sysconfdir}/totton-audio/$service.d
    done
}

FILES:${PN} = "/boot /opt ${localstatedir} ${sysconfdir}"
# Checking data partition and ESP at each start, making the data partition's file system at the
# first one.
RDEPENDS:${PN} = "dosfstools e2fsprogs-e2fsck e2fsprogs-mke2fs totton-audio-conf"
