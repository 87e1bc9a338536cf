RDEPENDS:${PN}:append = " totton-audio-update"
