IMAGE_INSTALL:append:tegra = " packagegroup-totton-jetson-dev"
