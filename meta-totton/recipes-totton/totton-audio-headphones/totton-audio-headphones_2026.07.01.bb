SUMMARY = "OPRA's headphone equalisers, for the page to search without a network"
DESCRIPTION = "Fetched and packed while the image is built; the page shows author and licence beside every equaliser."
HOMEPAGE = "https://github.com/opra-project/OPRA"
BUGTRACKER = "https://github.com/opra-project/OPRA/issues"
SECTION = "multimedia"
LICENSE = "CC-BY-SA-4.0"
LIC_FILES_CHKSUM = "file://LICENSE.md;md5=b8c7c1770e3522c0fedf3b03274e0e27"

DEPENDS = "totton-audio-native"

SRC_URI = "git://github.com/opra-project/OPRA.git;protocol=https;branch=main"
# "Rebuild dist/ folder" of 2026-07-01; the recipe's version is that day.
SRCREV = "0b88ecd4e2bef7cf69fd5d50f1d06fb586c10865"

B = "${WORKDIR}/build"

inherit allarch

do_configure[noexec] = "1"

do_compile() {
    totton-headphones import ${S} ${B}/headphones.jsonl.gz
}
do_compile[cleandirs] = "${B}"

do_install() {
    install -D -m 0644 ${B}/headphones.jsonl.gz ${D}/opt/totton_audio/share/headphones.jsonl.gz
}

PACKAGES = "${PN}"
FILES:${PN} = "/opt/totton_audio/share"
