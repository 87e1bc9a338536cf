FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:"

# `totton` is the distro's override: with another distro the layer changes nothing.
SRC_URI:append:totton = " \
    file://totton-gadget.cfg \
    file://0001-usb-gadget-f_ncm-send-an-NTB-later-when-every-reques.patch \
    file://0002-usb-gadget-f_ncm-forget-the-unsent-NTB-of-a-connecti.patch \
"

# The bench's cable: without these patches no sound crosses it (tests/kernel/README.md).
FILESEXTRAPATHS:prepend:totton:qemuall := "${TOTTON_SOURCE}/tests/kernel:"
SRC_URI:append:totton:qemuall = " \
    file://totton-bench.cfg \
    file://usbip/0001-usbip-vudc-stop-the-timer-before-a-connection-s-queu.patch \
    file://usbip/0002-usbip-vudc-accept-isochronous-URBs-of-small-packets.patch \
    file://usbip-6.16/0003-usbip-vudc-schedule-transfers-by-a-high-resolution-t.patch \
    file://usbip/0004-usbip-vudc-carry-isochronous-transfers.patch \
    file://usbip/0005-usbip-vhci_hcd-count-frames.patch \
"
