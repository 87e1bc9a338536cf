"""The journal: bounded, on disk, and still there after a reboot."""

from eventually import eventually


def test_journal_limits_are_in_force_and_entries_survive_a_reboot(device, api, cable, playing):
    config = device.run("systemd-analyze cat-config systemd/journald.conf")
    drop_in = config.split("journald.conf.d/totton-audio.conf")[1]
    for line in ("Storage=persistent", "SystemMaxUse=100M", "SystemMaxFileSize=10M", "MaxFileSec=1day"):
        assert line in drop_in, line
    # In force, not only in a file: journald says what it allows itself.
    limits = device.run("journalctl -b --no-pager -u systemd-journald -o cat | grep -i 'system journal'")
    assert "max 100M" in limits, limits

    first_boot = device.boot_id().replace("-", "")
    device.run("logger -t bench 'written before the reboot' && journalctl --sync")
    device.reboot()
    assert "written before the reboot" in device.run(f"journalctl -b {first_boot} --no-pager -t bench -o cat")

    # The virtual cable was torn by the reboot: put it in again, and all is well.
    eventually("the device has booted", lambda: device.attempt("systemctl is-system-running --wait", timeout=240)[1].strip() == "running", deadline=300)
    eventually("the cable is in", lambda: cable.plug() or True, deadline=180)
    eventually("the PC sees the stream again", api.streaming, deadline=180)
