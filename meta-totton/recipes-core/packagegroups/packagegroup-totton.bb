SUMMARY = "What makes an image a Totton Audio"
DESCRIPTION = "The services with their storage; dynamic-layers/ add the updater, and what a Jetson needs beside its kernel."
SECTION = "multimedia"
LICENSE = "MIT"

# Before the class, which would make it `all`: a machine adds parts of its own.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "\
    totton-audio \
    totton-audio-storage \
"
RDEPENDS:${PN}:append:qemuall = " totton-audio-bench"
