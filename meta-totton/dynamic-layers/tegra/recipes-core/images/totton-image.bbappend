IMAGE_INSTALL:append:tegra = " packagegroup-totton-cuda"
