SUMMARY = "The services of Totton Audio: USB gadget, upsampler, web page"
DESCRIPTION = "The Cargo workspace rust/, one package per service; the package of the recipe's own name is the whole product."
HOMEPAGE = "https://github.com/michihitoTakami/totton_audio"
BUGTRACKER = "https://github.com/michihitoTakami/totton_audio/issues"
SECTION = "multimedia"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${UNPACKDIR}/LICENSE;md5=b4cfb09f21fae8a77b8aad778f1618db"

DEPENDS:class-target = "alsa-lib zeromq"

FILESEXTRAPATHS:prepend := "${TOTTON_SOURCE}:"
# The members of the workspace one by one: rust/ as a whole would bring target/.
SRC_URI = "\
    file://LICENSE \
    file://rust/Cargo.lock \
    file://rust/Cargo.toml \
    file://rust/gpu-upsampler \
    file://rust/totton-audio-check \
    file://rust/totton-audio-clock \
    file://rust/totton-audio-gadget \
    file://rust/totton-audio-slot \
    file://rust/totton-audio-web \
    file://rust/totton-cuda \
    file://rust/totton-dsp \
    file://rust/totton-fuzz \
    file://rust/totton-headphones \
    file://rust/totton-protocol \
    file://rust/totton-releases \
    file://rust/totton-render \
"
require totton-audio-crates.inc

S = "${UNPACKDIR}/rust"

inherit cargo pkgconfig useradd

# On the build host: the tools that design filters and import headphones.
CARGO_BUILD_FLAGS:append:class-native = " --package totton-dsp --package totton-headphones"

BINARIES = "${B}/target/${CARGO_TARGET_SUBDIR}"

do_install() {
    install -d ${D}${prefix}/local/bin ${D}/opt/totton_audio/bin
    install -m 0755 ${BINARIES}/totton-audio-gadget-setup ${BINARIES}/totton-audio-slot ${D}${prefix}/local/bin/
    install -D -m 0755 ${BINARIES}/totton-audio-health ${D}${nonarch_libdir}/totton-audio/health
    install -m 0755 ${BINARIES}/totton-audio-check ${D}${prefix}/local/bin/
    install -m 0755 ${BINARIES}/gpu_upsampler_alsa ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/totton-audio-web ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/totton-audio-clock ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/totton-filter ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/upsampler-bench ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/totton-headphones ${D}/opt/totton_audio/bin/
    install -m 0755 ${BINARIES}/totton-render ${D}/opt/totton_audio/bin/
}

do_install:class-native() {
    install -D -m 0755 ${BINARIES}/totton-filter ${D}${bindir}/totton-filter
    install -D -m 0755 ${BINARIES}/totton-headphones ${D}${bindir}/totton-headphones
}

PACKAGES =+ "totton-audio-check totton-audio-gadget totton-audio-slot gpu-upsampler totton-audio-web totton-filter totton-render upsampler-bench"

SUMMARY:totton-audio-check = "Goes through what a board has to show"
FILES:totton-audio-check = "${prefix}/local/bin/totton-audio-check"
RDEPENDS:totton-audio-check = "totton-audio-conf"

SUMMARY:totton-audio-gadget = "USB composite gadget: sound card and network"
FILES:totton-audio-gadget = "${prefix}/local/bin/totton-audio-gadget-setup"
RDEPENDS:totton-audio-gadget = "totton-audio-conf"
# Recommended, since a kernel may have them built in.
RRECOMMENDS:totton-audio-gadget = "\
    kernel-module-libcomposite \
    kernel-module-usb-f-ncm \
    kernel-module-usb-f-uac2 \
"

SUMMARY:totton-audio-slot = "The two system slots, and the health check that confirms one"
FILES:totton-audio-slot = "\
    ${prefix}/local/bin/totton-audio-slot \
    ${nonarch_libdir}/totton-audio/health \
"
RDEPENDS:totton-audio-slot = "totton-audio-conf"
# The ESP is mounted where one is changed.
RRECOMMENDS:totton-audio-slot = "kernel-module-vfat"

SUMMARY:gpu-upsampler = "The audio daemon"
FILES:gpu-upsampler = "/opt/totton_audio/bin/gpu_upsampler_alsa"
RDEPENDS:gpu-upsampler = "alsa-conf totton-audio-conf totton-audio-filters totton-audio-gadget"
RRECOMMENDS:gpu-upsampler = "kernel-module-snd-usb-audio"

SUMMARY:totton-audio-web = "The page and the HTTP API of the device"
FILES:totton-audio-web = "\
    /opt/totton_audio/bin/totton-audio-clock \
    /opt/totton_audio/bin/totton-audio-web \
    /opt/totton_audio/bin/totton-headphones \
"
RDEPENDS:totton-audio-web = "gpu-upsampler totton-audio-check totton-audio-conf"
# The USB stick that removes a forgotten password: only its label is read, no file system.
RRECOMMENDS:totton-audio-web = "\
    kernel-module-sd-mod \
    kernel-module-uas \
    kernel-module-usb-storage \
"

SUMMARY:totton-filter = "Designs, inspects and converts filters"
FILES:totton-filter = "/opt/totton_audio/bin/totton-filter"

# In no image: `gpu_upsampler_alsa render` is the same, with the box's filters and its GPU.
SUMMARY:totton-render = "Upsamples sound files without the audio daemon"
FILES:totton-render = "/opt/totton_audio/bin/totton-render"

SUMMARY:upsampler-bench = "Measures the GPU engine on this board"
FILES:upsampler-bench = "/opt/totton_audio/bin/upsampler-bench"

# The users of conf/usr/lib/sysusers.d, made when the image is made.
USERADD_PACKAGES = "gpu-upsampler totton-audio-web"
USERADD_PACKAGES:class-native = ""
SERVICE_USER = "--system --no-create-home --home-dir /opt/totton_audio --shell ${base_sbindir}/nologin"
# A new group or user comes last: the numbers of those before it are on the data partitions of
# boxes that are updated. So the check's are made with the page's.
GROUPADD_PARAM:gpu-upsampler = "--system totton_audio; --system render; --system gpu-upsampler"
USERADD_PARAM:gpu-upsampler = "${SERVICE_USER} --gid gpu-upsampler gpu-upsampler"
GROUPADD_PARAM:totton-audio-web = "--system totton_audio; --system totton-audio-check"
USERADD_PARAM:totton-audio-web = "\
    ${SERVICE_USER} --gid totton_audio totton_audio; \
    ${SERVICE_USER} --gid totton-audio-check totton-audio-check \
"

ALLOW_EMPTY:${PN} = "1"
RDEPENDS:${PN}:class-target = "\
    avahi-daemon \
    gpu-upsampler \
    systemd-networkd \
    totton-audio-check \
    totton-audio-gadget \
    totton-audio-slot \
    totton-audio-web \
    totton-filter \
    upsampler-bench \
"

BBCLASSEXTEND = "native"
