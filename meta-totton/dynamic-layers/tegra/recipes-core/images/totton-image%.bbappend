# Of both images, totton-image and totton-image-dev: the flash archive has what our layout names
# beside NVIDIA's files (tegra-storage-layout_%.bbappend).
# An append: the class that defines it is inherited after this is read.
tegraflash_custom_pre:append:totton() {
    cp "${DEPLOY_DIR_IMAGE}/totton-way-out.img" .
}
WAY_OUT = ""
WAY_OUT:tegra = "totton-audio-way-out:do_deploy"
do_image_tegraflash_tar[depends] += "${WAY_OUT}"
