SUMMARY = "The Totton Audio appliance"
DESCRIPTION = "Boots into the USB sound card, the upsampler and the page \
http://totton-audio.local. There is no password and no login service."
LICENSE = "MIT"

inherit core-image

IMAGE_INSTALL = " \
    packagegroup-core-boot \
    totton-audio \
"
