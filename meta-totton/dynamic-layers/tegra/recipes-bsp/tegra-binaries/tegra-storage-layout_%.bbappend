# NVIDIA's A/B layouts have 400 MB for user data (UDA); ours keeps settings, filters,
# journal and cores there. The rest of the layout stays NVIDIA's.
do_compile:append:totton() {
    local layout found=0
    for layout in internal-flash.xml external-flash.xml; do
        [ -e $layout ] || continue
        grep -q '<partition name="UDA"' $layout || continue
        grep -q '<partition name="APP_b"' $layout || bbfatal "$layout: no partition APP_b; USE_REDUNDANT_FLASH_LAYOUT is not in force"
        sed -i '/<partition name="UDA"/,/<\/partition>/ s|<size>[^<]*</size>|<size> ${TOTTON_DATA_SIZE} </size>|' $layout
        sed -n '/<partition name="UDA"/,/<\/partition>/p' $layout | grep -q '<size> ${TOTTON_DATA_SIZE} </size>' || bbfatal "$layout: the size of UDA could not be set"
        found=1
    done
    [ $found = 1 ] || bbfatal "no layout of ${MACHINE} has a partition UDA for the product's data"
}
