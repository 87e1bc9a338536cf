//! Every fault since the daemon started: which, how often, whether it lasts.

use std::collections::BTreeMap;

use totton_protocol::{Fault, FaultKind};

/// The book of faults. Each entry is a line in the journal, too.
#[derive(Debug, Default)]
pub struct Faults {
    entries: BTreeMap<FaultKind, Fault>,
}

/// The fault's name in messages.
fn name(kind: FaultKind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Faults {
    /// Notes that a fault occurred `count` times, and is over.
    pub fn occurred(&mut self, kind: FaultKind, count: u64, message: &str, uptime_seconds: f64) {
        self.write(kind, count, false, message, uptime_seconds);
        log::warn!("{}: {message}", name(kind));
    }

    /// Notes that a fault has begun. One that lasts already, with the same words, is no other.
    pub fn begins(&mut self, kind: FaultKind, message: &str, uptime_seconds: f64) {
        let lasting = self.entries.get(&kind).filter(|fault| fault.active);
        if lasting.is_some_and(|fault| fault.message == message) {
            return;
        }
        let count = u64::from(lasting.is_none());
        self.write(kind, count, true, message, uptime_seconds);
        log::error!("{}: {message}", name(kind));
    }

    /// Notes that a fault is over, if it lasted.
    pub fn ends(&mut self, kind: FaultKind) {
        if let Some(fault) = self.entries.get_mut(&kind)
            && fault.active
        {
            fault.active = false;
            log::info!("{} is over", name(kind));
        }
    }

    fn write(
        &mut self,
        kind: FaultKind,
        count: u64,
        active: bool,
        message: &str,
        uptime_seconds: f64,
    ) {
        let fault = self.entries.entry(kind).or_insert_with(|| Fault {
            kind,
            count: 0,
            active,
            message: String::new(),
            uptime_seconds,
        });
        fault.count += count;
        (fault.active, fault.uptime_seconds) = (active, uptime_seconds);
        message.clone_into(&mut fault.message);
    }

    /// All that occurred.
    pub fn list(&self) -> Vec<Fault> {
        self.entries.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_lasts_counts_once_until_it_is_over() {
        let mut faults = Faults::default();
        let found = |faults: &Faults| {
            let fault = faults.list().remove(0);
            (fault.count, fault.active, fault.message)
        };
        faults.begins(FaultKind::DacLost, "gone", 1.0);
        faults.begins(FaultKind::DacLost, "gone", 2.0);
        assert_eq!(found(&faults), (1, true, "gone".to_owned()));
        faults.begins(FaultKind::DacLost, "still gone", 3.0);
        assert_eq!(found(&faults), (1, true, "still gone".to_owned()));
        faults.ends(FaultKind::DacLost);
        faults.ends(FaultKind::DacBusy);
        assert_eq!(found(&faults), (1, false, "still gone".to_owned()));
        faults.begins(FaultKind::DacLost, "gone", 4.0);
        assert_eq!(found(&faults), (2, true, "gone".to_owned()));
        faults.occurred(FaultKind::PlaybackXrun, 3, "ran dry", 5.0);
        let list = faults.list();
        assert_eq!((list.len(), list[0].kind, list[0].count), (2, FaultKind::PlaybackXrun, 3));
    }
}
