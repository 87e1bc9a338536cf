FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:"

# `totton` is the distro's override: with another distro the layer changes nothing.
SRC_URI:append:totton = " \
    file://totton-gadget.cfg \
    file://0001-usb-gadget-f_ncm-send-an-NTB-later-when-every-reques.patch \
    file://0002-usb-gadget-f_ncm-forget-the-unsent-NTB-of-a-connecti.patch \
"
SRC_URI:append:totton:qemuall = " file://totton-bench.cfg"
