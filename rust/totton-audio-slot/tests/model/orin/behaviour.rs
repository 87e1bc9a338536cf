//! What people see of the slots on an Orin.

use totton_audio_slot::Slot::{A, B};
use totton_audio_slot::loader::{BootLoader, Reason, Start, Tries};
use totton_audio_slot::orin::{Orin, Variable};
use totton_audio_slot::{Error, Result, Slot};

use super::chip::{Capsule, Chain, Chip, Fate, Session, Word, Write};
use super::firmware::{End, Firmware, start_up};
use super::system::System;

struct Box {
    chip: Chip,
    /// Slots whose system reaches its first unit.
    comes_up: [bool; 2],
}

impl Box {
    fn new() -> Box {
        let mut new = Box { chip: Chip::new(), comes_up: [true; 2] };
        assert_eq!(new.boots(), A);
        new.command(|loader| loader.confirm()).unwrap();
        new
    }

    fn command<T>(&mut self, f: impl Fn(&mut dyn BootLoader) -> Result<T>) -> Result<T> {
        let (_, chip, result) = System::SHIPPED.command(self.chip, Word::Start, f);
        self.chip = chip;
        result
    }

    /// A warm restart: the first slot that comes up, and what its `start` said.
    fn starts(&mut self) -> (Slot, Start) {
        self.chip = start_up(self.chip, Firmware::ORIN).chip;
        let slot = self.chip.root;
        if !self.comes_up[usize::from(slot.number())] {
            return self.starts();
        }
        (slot, self.command(|loader| loader.start()).expect("start"))
    }

    /// Until a slot stays.
    fn boots(&mut self) -> Slot {
        match self.starts() {
            (_, Start::TryAgain(_) | Start::GoBackTo(_)) => self.boots(),
            (slot, _) => slot,
        }
    }

    fn status(&mut self) -> totton_audio_slot::loader::Status {
        self.command(|loader| loader.status()).expect("status")
    }
}

#[test]
fn only_the_other_slot_can_be_opened_and_tried() {
    let mut at = Box::new();
    let before = at.chip;
    assert!(matches!(at.command(|loader| loader.try_slot(A)), Err(Error::Running(A))));
    assert!(matches!(at.command(|loader| loader.open(A)), Err(Error::Running(A))));
    assert_eq!(at.chip, before);
}

#[test]
fn a_slot_on_trial_keeps_the_one_before() {
    let mut at = Box::new();
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.starts(), (B, Start::OnTrial));
    assert!(matches!(at.command(|loader| loader.open(A)), Err(Error::OnTrial(B))));
    assert!(matches!(at.command(|loader| loader.try_slot(A)), Err(Error::OnTrial(B))));
}

#[test]
fn an_update_that_is_good_stays() {
    let mut at = Box::new();
    at.command(|loader| loader.open(B)).unwrap();
    assert_eq!(at.status().b, Tries::NotGood);
    at.command(|loader| loader.try_slot(B)).unwrap();
    let status = at.status();
    assert_eq!((status.next, status.a, status.b), (B, Tries::Good, Tries::Trial(3)));
    assert_eq!(status.lost, None, "it has not been started");
    assert_eq!(at.starts(), (B, Start::OnTrial));
    assert!(at.status().on_trial());
    assert_eq!(at.status().b, Tries::Trial(2));
    at.command(|loader| loader.confirm()).unwrap();
    let status = at.status();
    assert_eq!((status.next, status.a, status.b), (B, Tries::Good, Tries::Good));
    assert_eq!([(); 7].map(|()| at.boots()), [B; 7]);
    assert_eq!(at.status().lost, None);
}

#[test]
fn an_update_that_never_comes_up_is_left_after_three_starts() {
    let mut at = Box::new();
    at.comes_up[1] = false;
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.starts(), (A, Start::TryAgain(B)));
    assert_eq!(at.starts(), (A, Start::TryAgain(B)));
    let (slot, Start::TrialOver(lost)) = at.starts() else { panic!("a fourth start") };
    assert_eq!((slot, lost.slot, lost.reason, lost.reached), (A, B, Reason::Starts, 0));
    assert_eq!([at.boots(), at.boots()], [A, A]);
    let status = at.status().to_string();
    assert!(status.contains("slot b did not come up in 3 starts; slot a, the one before it, runs"));
    // It can be written and tried again, and is good this time.
    at.command(|loader| loader.open(B)).unwrap();
    assert_eq!(at.status().lost, None);
    at.comes_up[1] = true;
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.starts(), (B, Start::OnTrial));
}

#[test]
fn an_update_that_is_not_healthy_is_told_from_one_that_is_not_reached() {
    let mut at = Box::new();
    at.command(|loader| loader.try_slot(B)).unwrap();
    let slots = [(); 6].map(|()| at.starts().0);
    assert_eq!(slots, [B, A, B, A, B, A]);
    let status = at.status().to_string();
    assert!(status.contains("its system was reached in 3"), "{status}");
}

#[test]
fn updates_go_back_and_forth() {
    let mut at = Box::new();
    for slot in [B, A, B, A, B] {
        at.command(|loader| loader.open(slot)).unwrap();
        at.command(|loader| loader.try_slot(slot)).unwrap();
        assert_eq!(at.boots(), slot);
        at.command(|loader| loader.confirm()).unwrap();
    }
}

#[test]
fn the_register_has_one_start_of_the_slot_on_trial() {
    let mut at = Box::new();
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.chip.register, 0x0034_FACE, "a three, b one, a runs");
    assert_eq!((at.chip.unbootable, at.chip.next), ([false, true], Some(B)));
}

#[test]
fn a_capsule_changes_slots_by_itself() {
    let mut at = Box::new();
    at.command(|loader| loader.open(B)).unwrap();
    at.chip.brought = Capsule::Good;
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert!(at.chip.capsule_flag);
    assert_eq!((at.chip.next, at.chip.placed), (None, Capsule::Good));
    assert_eq!(at.status().next, B);
    assert_eq!(at.starts(), (B, Start::OnTrial));
    assert_eq!(at.chip.chains, [Chain::Old, Chain::New]);
    assert!(!at.chip.capsule_flag);
}

#[test]
fn an_update_can_be_called_off() {
    let mut at = Box::new();
    at.chip.brought = Capsule::Good;
    at.command(|loader| loader.try_slot(B)).unwrap();
    at.command(|loader| loader.open(B)).unwrap();
    assert_eq!((at.chip.capsule_flag, at.chip.placed), (false, Capsule::None));
    assert_eq!(at.boots(), A);
}

#[test]
fn an_interrupted_capsule_is_installed_again() {
    let mut at = Box::new();
    at.chip.brought = Capsule::Good;
    at.command(|loader| loader.try_slot(B)).unwrap();
    // The power is cut while the firmware writes the chain.
    let cut = start_up(at.chip, Firmware::ORIN).trail;
    let (_, chip, _) = cut.iter().find(|(_, chip, _)| chip.chains[1] == Chain::Half).unwrap();
    at.chip = Chip { register: 0, ..*chip };
    let (slot, Start::TrialOver(lost)) = at.starts() else { panic!("tried again") };
    assert_eq!((slot, lost.slot, lost.reason), (A, B, Reason::Firmware));
    assert!(at.status().to_string().contains("install the update again"));
    let refused = at.command(|loader| loader.try_slot(B)).unwrap_err().to_string();
    assert!(refused.contains("its firmware may be written in part only"), "{refused}");
    let versions = at.command(|loader| loader.versions()).unwrap();
    assert_eq!(versions, [("totton-firmware", "0".to_owned())], "the next update brings it");
    at.chip.brought = Capsule::Good;
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.starts(), (B, Start::OnTrial));
}

#[test]
fn firmware_is_left_alone_only_where_its_version_is_known() {
    let mut at = Box::new();
    let versions = |at: &mut Box| at.command(|loader| loader.versions()).unwrap();
    assert_eq!(versions(&mut at)[0].1, "0", "what runs in a says nothing of b");
    at.command(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.boots(), B);
    assert_eq!(versions(&mut at)[0].1, "1", "a has it");
}

#[test]
fn recovery_is_told_until_the_next_good_start() {
    let mut at = Box::new();
    at.command(|loader| loader.open(B)).unwrap();
    at.comes_up = [false, false];
    for _ in 0..3 {
        at.chip = start_up(at.chip, Firmware::ORIN).chip;
    }
    let up = start_up(at.chip, Firmware::ORIN);
    assert!(up.recovery);
    at.chip = up.chip;
    assert_eq!(at.status().recoveries, 1);
    assert!(at.status().to_string().contains("was helped out"));
    assert_eq!(at.command(|loader| loader.start()).unwrap(), Start::Good);
    assert_eq!(at.status().recoveries, 0);
}

#[test]
fn a_slot_that_nobody_confirmed_and_that_runs_is_not_trusted() {
    let mut at = Box::new();
    // Chosen by hand in the firmware's menu.
    at.command(|loader| loader.open(B)).unwrap();
    at.chip.root = B;
    assert_eq!(at.command(|loader| loader.start()).unwrap(), Start::OnTrial);
    assert!(at.chip.unbootable(B));
    assert!(matches!(at.command(|loader| loader.open(A)), Err(Error::OnTrial(B))));
    at.command(|loader| loader.confirm()).unwrap();
    at.command(|loader| loader.open(A)).unwrap();
}

#[test]
fn a_firmware_that_ignores_the_change_is_told() {
    let mut at = Box::new();
    at.command(|loader| loader.try_slot(B)).unwrap();
    for _ in 0..2 {
        // It leaves BootChainFwNext where it was, and starts a.
        assert_eq!(at.command(|loader| loader.start()).unwrap(), Start::TryAgain(B));
    }
    let Start::TrialOver(lost) = at.command(|loader| loader.start()).unwrap() else { panic!() };
    assert_eq!(lost.reason, Reason::Firmware);
    assert_eq!(at.chip.next, None);
}

/// Each command, cut short by an error at each of its writes: nothing is written after it, so
/// that an error leaves what a power cut there leaves.
#[test]
fn after_an_error_nothing_is_written() {
    let mut tried = Box::new();
    tried.command(|loader| loader.try_slot(B)).unwrap();
    let mut back = tried.chip;
    back = start_up(back, Firmware::ORIN).chip;
    let on_trial = back;
    back = start_up(back, Firmware::ORIN).chip;
    assert_eq!((on_trial.root, back.root), (B, A));
    let first = start_up(Chip::new(), Firmware::ORIN).chip;
    type Command = fn(&mut dyn BootLoader) -> Result<()>;
    let commands: [(Chip, Command); 6] = [
        (tried.chip, |loader| loader.open(B)),
        (tried.chip, |loader| loader.try_slot(B)),
        (first, |loader| loader.start().map(|_| ())),
        (back, |loader| loader.start().map(|_| ())),
        (on_trial, |loader| loader.confirm()),
        (on_trial, |loader| loader.start().map(|_| ())),
    ];
    let fails: super::chip::Fault = |_, _, _, _| Fate::Fails;
    for (number, (chip, command)) in commands.into_iter().enumerate() {
        let (trail, ..) = System::SHIPPED.command(chip, Word::Start, command);
        assert!(!trail.is_empty(), "command {number}");
        for cut in 0..trail.len() {
            let mut session = Session::failing_after(chip, fails, cut);
            let result = command(&mut Orin::new(&mut session));
            assert!(result.is_err(), "command {number}, write {cut}: the error is lost");
            let left = cut.checked_sub(1).map_or(chip, |last| trail[last].1);
            assert_eq!(session.chip, left, "command {number}, write {cut}");
        }
    }
}

/// A write that the firmware takes, and forgets.
#[test]
fn what_is_not_kept_is_noticed() {
    for lost in [Variable::Good, Variable::Trial, Variable::ChainNext, Variable::Status(B)] {
        let mut session = Session::new(Box::new().chip, Word::Try, None);
        session.forgets = Some(Write::Variable(lost));
        let error = Orin::new(&mut session).try_slot(B).unwrap_err();
        assert!(matches!(error, Error::NotKept { .. }), "{lost:?}: {error}");
    }
    let mut session = Session::new(Box::new().chip, Word::Try, None);
    session.forgets = Some(Write::Register);
    let error = Orin::new(&mut session).try_slot(B).unwrap_err().to_string();
    assert!(error.contains("the firmware's retry register did not keep"), "{error}");
}

#[test]
fn an_end_is_an_end() {
    let up = start_up(
        Chip { unbootable: [true; 2], ..Chip::new() },
        Firmware { way_out: super::firmware::WayOut::Nothing },
    );
    assert_eq!(up.end, End::Recovery);
}
