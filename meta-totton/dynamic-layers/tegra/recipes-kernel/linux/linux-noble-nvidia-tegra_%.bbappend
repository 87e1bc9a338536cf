FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:${TOTTON_LAYERDIR}/recipes-kernel/linux/files:"

SRC_URI:append:totton = " \
    file://totton-gadget.cfg \
    file://totton-jetson.cfg \
    file://0001-usb-gadget-tegra-xudc-declare-isochronous-endpoints.patch \
"
