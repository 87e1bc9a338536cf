FILESEXTRAPATHS:prepend:totton := "${TOTTON_LAYERDIR}/recipes-kernel/linux/files:"

SRC_URI:append:totton = " file://totton-gadget.cfg"
