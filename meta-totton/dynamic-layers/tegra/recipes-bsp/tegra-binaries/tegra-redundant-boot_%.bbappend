# It would call every boot good as soon as it runs. totton-audio-health.service does it
# once gadget, sound and page have been up for a minute.
SYSTEMD_AUTO_ENABLE:totton = "disable"
