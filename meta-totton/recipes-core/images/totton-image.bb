SUMMARY = "The Totton Audio appliance"
DESCRIPTION = "The USB sound card, the upsampler and the page http://totton-audio.local; no password, no login service."
LICENSE = "MIT"

require totton-image.inc
