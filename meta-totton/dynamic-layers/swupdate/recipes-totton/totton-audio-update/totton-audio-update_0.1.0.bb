SUMMARY = "What lets the device take updates, and only ours"
DESCRIPTION = "SWUpdate, the public key that an update must be signed for, and the machine's name; its configuration is in conf/."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "file://LICENSE"

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

TOTTON_HARDWARE_REVISION ?= "1"

# The machine's name is in it.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit totton_update_key

do_configure[noexec] = "1"

python do_compile() {
    import subprocess

    key = totton_update_key(d)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", d.expand("${B}/update-key.pem")], check=True)
    with open(d.expand("${B}/hwrevision"), "w") as file:
        file.write(d.expand("${MACHINE} ${TOTTON_HARDWARE_REVISION}\n"))
}
do_compile[cleandirs] = "${B}"
do_compile[file-checksums] += "${@(d.getVar('TOTTON_UPDATE_KEY') or 'none') + ':' + str(os.path.exists(d.getVar('TOTTON_UPDATE_KEY') or ''))}"
do_compile[vardeps] += "TOTTON_HARDWARE_REVISION TOTTON_RELEASE"

do_install() {
    install -D -m 0644 ${B}/update-key.pem ${D}${datadir}/totton-audio/update-key.pem
    install -D -m 0644 ${B}/hwrevision ${D}${sysconfdir}/hwrevision
}

FILES:${PN} += "${datadir}/totton-audio"
RDEPENDS:${PN} = "swupdate swupdate-client totton-audio-conf"
