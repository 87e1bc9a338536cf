FILESEXTRAPATHS:prepend:totton := "${THISDIR}/files:"

# `totton` is the distro's override: with another distro the layer changes nothing.
SRC_URI:append:totton = " file://totton-gadget.cfg"
SRC_URI:append:totton:qemuall = " file://totton-bench.cfg"
