RDEPENDS:${PN}:append:tegra = " packagegroup-totton-cuda packagegroup-totton-jetson"
