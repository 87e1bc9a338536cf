# The product does not run jetson_clocks: fixed maximum clocks make the fan heard, and the
# engine, at a few per cent of the GPU, does not need them (docs/hardware-bring-up.md measures it).
NVPMODEL_CONFIG_DEFAULT:totton = "${TOTTON_POWER_MODEL}"
