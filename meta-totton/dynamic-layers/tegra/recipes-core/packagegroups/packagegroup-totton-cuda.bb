SUMMARY = "What the upsampler's CUDA engine loads at run time"
DESCRIPTION = "The engine opens these libraries when it starts; nothing links to \
them, so that the same daemon also runs on a machine without a GPU."
LICENSE = "MIT"

# Its parts are of the SoC; this has to stand before the class.
PACKAGE_ARCH = "${TEGRA_PKGARCH}"
COMPATIBLE_MACHINE = "(tegra)"

inherit packagegroup

# tegra-libraries-cuda: the driver, with the compiler of embedded PTX. cuda-cudart
# also owns the ld.so.conf.d entry by which libcufft is found.
RDEPENDS:${PN} = " \
    cuda-cudart \
    libcufft \
    tegra-libraries-cuda \
"
