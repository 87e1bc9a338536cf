//! What people see of the slots under systemd-boot.

use totton_audio_slot::Slot::{A, B};
use totton_audio_slot::loader::{BootLoader, Tries};
use totton_audio_slot::systemd_boot::SystemdBoot;
use totton_audio_slot::{Error, Result, Slot};

use super::fat::{Fault, Files, Kernel, Name, Session, Word};

struct Box {
    files: Files,
    runs: Slot,
}

impl Box {
    fn new() -> Box {
        let mut new = Box { files: Files::new(), runs: A };
        new.boots();
        new
    }

    fn ask<T>(&mut self, f: impl Fn(&mut dyn BootLoader) -> Result<T>) -> Result<T> {
        let mut session = Session::new(self.files, Word::Start, Fault::None);
        let result = f(&mut SystemdBoot::new(&mut session, self.runs));
        self.files = session.files;
        result
    }

    /// systemd-boot counts, and starts; the slot that then runs.
    fn boots(&mut self) -> Slot {
        let (name, slot) = self.files.chosen().expect("an entry");
        if let Some(left @ 1..) = name.left {
            let text = self.files.get(name).expect("chosen");
            self.files.delete(name);
            self.files.put(Name { left: Some(left - 1), had: name.had + 1, ..name }, text);
        }
        self.runs = slot;
        self.ask(|loader| loader.start()).expect("start");
        slot
    }

    fn names(&self) -> Vec<String> {
        self.files.entries().map(|(name, _)| name.text()).collect()
    }

    fn status(&mut self) -> String {
        self.ask(|loader| loader.status()).expect("status").to_string()
    }
}

#[test]
fn only_the_other_slot_can_be_opened_and_tried() {
    let mut at = Box::new();
    assert!(matches!(at.ask(|loader| loader.try_slot(A)), Err(Error::Running(A))));
    assert!(matches!(at.ask(|loader| loader.open(A)), Err(Error::Running(A))));
    assert_eq!(at.names(), ["totton-a.conf", "totton-b.conf"]);
}

#[test]
fn a_slot_on_trial_keeps_the_one_before() {
    let mut at = Box::new();
    at.ask(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.boots(), B);
    assert!(matches!(at.ask(|loader| loader.open(A)), Err(Error::OnTrial(B))));
    assert!(matches!(at.ask(|loader| loader.try_slot(A)), Err(Error::OnTrial(B))));
    assert_eq!(at.names(), ["totton-a.conf", "totton-b+2-1.conf"]);
}

#[test]
fn a_slot_without_kernel_is_not_tried() {
    let mut at = Box::new();
    at.files.kernels[1] = Kernel::None;
    let refused = at.ask(|loader| loader.try_slot(B)).unwrap_err().to_string();
    assert!(refused.contains("no kernel for slot b"), "{refused}");
    assert_eq!(at.names(), ["totton-a.conf", "totton-b.conf"]);
    at.files.brought = true;
    at.ask(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.files.kernels[1], Kernel::Whole);
}

#[test]
fn an_update_that_is_good_stays() {
    let mut at = Box::new();
    at.ask(|loader| loader.open(B)).unwrap();
    assert_eq!(at.names(), ["totton-a.conf"], "nothing starts a slot that is being written");
    at.ask(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.names(), ["totton-a.conf", "totton-b+3.conf"]);
    let status = at.ask(|loader| loader.status()).unwrap();
    assert_eq!((status.next, status.b), (B, Tries::Trial(3)));
    assert!(!status.on_trial());
    assert_eq!(at.boots(), B);
    assert!(at.status().contains("on trial: yes"));
    at.ask(|loader| loader.confirm()).unwrap();
    assert_eq!(at.names(), ["totton-a.conf", "totton-b.conf"]);
    assert_eq!([(); 5].map(|()| at.boots()), [B; 5]);
    assert_eq!(at.ask(|loader| loader.status()).unwrap().lost, None);
}

#[test]
fn an_update_that_never_comes_up_is_left_after_three_starts() {
    let mut at = Box::new();
    at.ask(|loader| loader.try_slot(B)).unwrap();
    assert_eq!([(); 5].map(|()| at.boots()), [B, B, B, A, A]);
    assert!(at.status().contains("slot b did not come up in 3 starts"), "{}", at.status());
    assert!(at.status().contains("on trial: no"));
    // It can be written and tried again.
    at.ask(|loader| loader.open(B)).unwrap();
    assert_eq!(at.ask(|loader| loader.status()).unwrap().lost, None);
    at.ask(|loader| loader.try_slot(B)).unwrap();
    assert_eq!(at.names(), ["totton-a.conf", "totton-b+3.conf"]);
    assert_eq!(at.boots(), B);
}

#[test]
fn updates_go_back_and_forth() {
    let mut at = Box::new();
    for slot in [B, A, B, A, B] {
        at.ask(|loader| loader.try_slot(slot)).unwrap();
        assert_eq!(at.boots(), slot);
        at.ask(|loader| loader.confirm()).unwrap();
    }
    assert_eq!(at.names(), ["totton-a.conf", "totton-b.conf"]);
}
