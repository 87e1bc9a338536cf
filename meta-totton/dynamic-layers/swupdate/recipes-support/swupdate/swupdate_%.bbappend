FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:"

SRC_URI:append:totton = " file://totton.cfg"
