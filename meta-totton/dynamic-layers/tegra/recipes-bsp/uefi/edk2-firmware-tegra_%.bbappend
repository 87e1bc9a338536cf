# meta-tegra's minimal firmware for the Orin Nano kit's card reads eMMC only, which that module
# does not have; enable-sdcard.cfg is meta-tegra's.
SRC_URI:append:totton = " ${@'file://enable-sdcard.cfg' if d.getVar('TEGRA_MINIMAL_BOOTORDER_OVERLAY') == 'BootOrderSD.dtbo' else ''}"
