SUMMARY = "What the upsampler's CUDA engine loads at run time"
DESCRIPTION = "The engine opens these when it starts; nothing links to them, so the daemon also runs without a GPU."
SECTION = "multimedia"
LICENSE = "MIT"

# Before the class, which would make it `all`: its parts are of the SoC.
PACKAGE_ARCH = "${TEGRA_PKGARCH}"

inherit packagegroup

COMPATIBLE_MACHINE = "(tegra)"

# tegra-libraries-cuda is the driver, with the compiler of embedded PTX; cuda-cudart
# also owns the ld.so.conf.d entry by which libcufft is found.
RDEPENDS:${PN} = "\
    cuda-cudart \
    libcufft \
    tegra-libraries-cuda \
"
