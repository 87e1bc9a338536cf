FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:${TOTTON_LAYERDIR}/recipes-kernel/linux/files:"

SRC_URI:append:totton = " \
    file://totton-gadget.cfg \
    file://totton-jetson.cfg \
    file://0001-usb-gadget-tegra-xudc-declare-isochronous-endpoints.patch \
    file://0001-usb-gadget-f_ncm-send-an-NTB-later-when-every-reques.patch \
    file://0002-usb-gadget-f_ncm-forget-the-unsent-NTB-of-a-connecti.patch \
"
