SUMMARY = "The product's filters, one for each rate family"
DESCRIPTION = "Designed while the image is built, so that the device designs nothing when it boots."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "multimedia"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

DEPENDS = "totton-audio-native"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
SRC_URI = "file://LICENSE"

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

inherit allarch

# The names are those of upsampler.toml: {family}-x{ratio}.filter.
RATIO ?= "16"
TAPS ?= "640000"

do_configure[noexec] = "1"

do_compile() {
    for family in 44100 48000; do
        totton-filter design ${B}/$family-x${RATIO}.filter \
            --input-rate $family --ratio ${RATIO} --taps ${TAPS}
    done
}
do_compile[cleandirs] = "${B}"

do_install() {
    install -d ${D}/opt/totton_audio/filters
    install -m 0644 ${B}/*.filter ${D}/opt/totton_audio/filters/
}

PACKAGES = "${PN}"
FILES:${PN} = "/opt/totton_audio/filters"
