//! The volume control that the computer has on the gadget's card.
//!
//! A UAC2 gadget has a feature unit; what the host sets there shows as the
//! controls `PCM Capture Volume` (with its range in dB) and `PCM Capture Switch`
//! on the gadget's card (kernel 5.18 or later, `drivers/usb/gadget/function/u_audio.c`:
//! `u_audio_volume_info()`, `u_audio_mute_info()`). The kernel leaves the sound
//! itself as it is: obeying is the daemon's part.

use alsa::mixer::{Mixer, SelemChannelId, SelemId};
use totton_protocol::{CardDevice, HostVolume};

/// The control of one card.
pub(super) struct VolumeControl {
    mixer: Mixer,
    id: SelemId,
}

// SAFETY: the id is plain bytes in a box of its own, used by one owner at a time.
unsafe impl Send for VolumeControl {}

impl VolumeControl {
    /// That of the card of the PCM `device`; `None` where the card has none.
    pub(super) fn open(device: &str) -> Option<Self> {
        let CardDevice { card, .. } = CardDevice::spelled(device)?;
        let mixer = Mixer::new(&format!("hw:{card}"), true).ok()?;
        let id = SelemId::new("PCM", 0);
        mixer.find_selem(&id).filter(alsa::mixer::Selem::has_capture_volume)?;
        Some(Self { mixer, id })
    }

    /// What the computer has set; `None` once the card is gone.
    pub(super) fn read(&self) -> Option<HostVolume> {
        self.mixer.handle_events().ok()?;
        let control = self.mixer.find_selem(&self.id)?;
        let channel = SelemChannelId::mono();
        let volume_db = f64::from(control.get_capture_vol_db(channel).ok()?.to_db());
        let on = !control.has_capture_switch() || control.get_capture_switch(channel).ok()? != 0;
        Some(HostVolume { volume_db, mute: !on })
    }
}
