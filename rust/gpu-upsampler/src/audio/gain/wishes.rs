//! The sound that is asked for. Any thread may write; the audio threads look at
//! each block and ramp to what they find.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use totton_protocol::{Gain, HostVolume, Sound};

use super::ramp::amplitude;

/// An `f64` that threads share.
#[derive(Debug, Default)]
pub(crate) struct SharedF64(AtomicU64);

impl SharedF64 {
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }
}

/// What the gain chain is asked for.
#[derive(Debug, Default)]
pub struct Wishes {
    gain_db: SharedF64,
    mute: AtomicBool,
    balance: SharedF64,
    mono: AtomicBool,
    /// Hz; 0: no crossfeed.
    cut_hz: SharedF64,
    feed_db: SharedF64,
    /// dBFS; 0: no limiter.
    threshold_db: SharedF64,
    /// At most 0.
    headroom_db: SharedF64,
    /// At most 0.
    host_db: SharedF64,
    host_mute: AtomicBool,
}

impl Wishes {
    /// Asks for `sound`; the headroom and the computer's volume have calls of their own.
    pub fn set_sound(&self, sound: &Sound) {
        self.gain_db.set(sound.gain_db);
        self.mute.store(sound.mute, Relaxed);
        self.balance.set(sound.balance);
        self.mono.store(sound.mono, Relaxed);
        self.feed_db.set(sound.crossfeed.map_or(0.0, |crossfeed| crossfeed.feed_db));
        self.cut_hz.set(sound.crossfeed.map_or(0.0, |crossfeed| crossfeed.cut_hz));
        self.threshold_db.set(sound.limiter.map_or(0.0, |limiter| limiter.threshold_db));
    }

    /// Takes `db` decibels away as headroom, at most 0.
    pub fn set_headroom_db(&self, db: f64) {
        self.headroom_db.set(db.min(0.0));
    }

    /// Obeys the computer's volume control; `None`: there is none, or it is not to be obeyed.
    pub fn set_host(&self, host: Option<HostVolume>) {
        self.host_db.set(host.map_or(0.0, |host| host.volume_db.min(0.0)));
        self.host_mute.store(host.is_some_and(|host| host.mute), Relaxed);
    }

    /// What it comes down to.
    pub fn gain(&self) -> Gain {
        let headroom_db = self.headroom_db.get();
        Gain {
            headroom_db,
            total_db: self.gain_db.get() + headroom_db + self.host_db.get(),
            muted: self.mute.load(Relaxed) || self.host_mute.load(Relaxed),
        }
    }

    /// The amplitude for `channel` of `channels`: 0 is the left side of two, 1 the right.
    pub(super) fn amplitude(&self, channel: usize, channels: usize) -> f64 {
        let gain = self.gain();
        if gain.muted {
            return 0.0;
        }
        let balance = self.balance.get();
        let side = match (channel, channels) {
            (0, 2) => 1.0 - balance.max(0.0),
            (1, 2) => 1.0 + balance.min(0.0),
            _ => 1.0,
        };
        amplitude(gain.total_db) * side
    }

    pub(super) fn mono(&self) -> bool {
        self.mono.load(Relaxed)
    }

    /// Cut-off in Hz and level in dB of the crossfeed.
    pub(super) fn crossfeed(&self) -> Option<(f64, f64)> {
        let cut_hz = self.cut_hz.get();
        (cut_hz > 0.0).then(|| (cut_hz, self.feed_db.get()))
    }

    /// The limiter's threshold as an amplitude.
    pub(super) fn threshold(&self) -> Option<f64> {
        let threshold_db = self.threshold_db.get();
        (threshold_db < 0.0).then(|| amplitude(threshold_db))
    }
}
