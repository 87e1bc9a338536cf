# Of both images, totton-image and totton-image-dev: the flash archive has what our layout names
# beside NVIDIA's files (tegra-storage-layout_%.bbappend).
tegraflash_custom_pre() {
    cp "${DEPLOY_DIR_IMAGE}/totton-way-out.img" .
}
tegraflash_custom_pre[doc] = "Adds the recovery partition's content to the flash archive"
WAY_OUT = ""
WAY_OUT:tegra = "totton-audio-way-out:do_deploy"
do_image_tegraflash_tar[depends] += "${WAY_OUT}"
