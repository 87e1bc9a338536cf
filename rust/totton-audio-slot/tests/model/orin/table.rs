//! What the model says of a script of letters: to hold NVIDIA's real launcher against, as
//! `docs/layer-verification.md` tells.

use totton_audio_slot::Slot;
use totton_audio_slot::loader::Start;
use totton_audio_slot::orin::Register;

use super::chip::{Chain, Chip, Word};
use super::firmware::{End, Firmware, WayOut, start_up};
use super::system::System;

/// What `nvbootctrl` and the test's own program do between two starts, a letter each:
///
/// w nothing; v `verify`; n `verify` without /dev/mem; A, B `verify` and set-active; a, b set-active
/// only; R status of b 0, `verify`, set-active b; S the same without `verify`; T both statuses 0;
/// c the power is pulled instead of a warm restart. In RECOVERY, with nothing in it, only T is done.
fn launcher(script: &str) -> String {
    let firmware = Firmware { way_out: WayOut::Nothing };
    let mut chip = Chip::new();
    let mut seen = Vec::new();
    let mut letters = script.chars();
    loop {
        let start = start_up(chip, firmware);
        chip = start.chip;
        seen.push(match start.end {
            End::Kernel(slot) => slot.to_string(),
            End::Recovery => "REC".to_owned(),
            End::Endless => "for ever".to_owned(),
        });
        let Some(letter) = letters.next() else { return seen.join(" ") };
        let recovery = start.end == End::Recovery;
        match letter {
            'c' => chip.register = Register::CLEAR,
            'T' => chip.unbootable = [false; 2],
            _ if recovery => {}
            'w' => {}
            _ => nvbootctrl(&mut chip, letter),
        }
    }
}

fn nvbootctrl(chip: &mut Chip, letter: char) {
    if "RS".contains(letter) {
        chip.unbootable[1] = false;
    }
    if "vnABR".contains(letter) {
        chip.chain_status = None;
    }
    if "vABR".contains(letter) {
        chip.register = Register::CLEAR;
    }
    match letter.to_ascii_lowercase() {
        'a' => chip.next = Some(Slot::A),
        'b' | 'r' | 's' => chip.next = Some(Slot::B),
        'v' | 'n' => {}
        other => panic!("no letter '{other}'"),
    }
}

/// The same in words, a start's after a ';': `A0`, `Bff` the statuses, `f-`, `f2` BootChainFwStatus,
/// `r-` register cleared, `r031` register with slot a, three starts of a, one of b, `n1`
/// BootChainFwNext, `M2` chain b is not whole, `w` warm restart, `c` the power is pulled.
fn words(script: &str) -> String {
    let firmware = Firmware { way_out: WayOut::Nothing };
    let mut chip = Chip::new();
    let mut seen = Vec::new();
    let mut restarts = script.split(';');
    loop {
        let start = start_up(chip, firmware);
        chip = start.chip;
        seen.push(match start.end {
            End::Kernel(slot) => slot.to_string(),
            _ => "REC".to_owned(),
        });
        let Some(words) = restarts.next() else { return seen.join(" ") };
        for word in words.split_whitespace() {
            let (what, value) = word.split_at(1);
            let number = u8::from_str_radix(value, 16).ok();
            match what {
                "A" => chip.unbootable[0] = number == Some(0xFF),
                "B" => chip.unbootable[1] = number == Some(0xFF),
                "f" => chip.chain_status = number,
                "n" => chip.next = number.and_then(|number| Slot::from_number(number.into())),
                "M" => chip.chains[1] = Chain::Half,
                "r" if value.len() == 3 => {
                    let digit = |at: usize| value.as_bytes()[at] - b'0';
                    let slot = Slot::from_number(digit(0).into()).expect("a slot");
                    chip.register = Register { slot, a: digit(1), b: digit(2) }.bits();
                }
                "r" | "c" => chip.register = Register::CLEAR,
                "w" => {}
                other => panic!("no word '{other}'"),
            }
        }
    }
}

/// The product's own program. At each start `start` runs, and what it asks for is done. A letter
/// then each:
///
/// w warm restart; c the power is pulled; e, p the same before `start` ran; x, h the same in the
/// slot on trial only; t `try` of the other slot, warm restart; k a healthy minute, `confirm`, warm
/// restart; o `open` of the other slot, warm restart. RECOVERY is shown, and the way out taken.
fn product(script: &str) -> String {
    let system = System::SHIPPED;
    let mut chip = Chip::new();
    let mut seen = Vec::new();
    let mut letters = script.chars().peekable();
    for _ in 0..200 {
        let start = start_up(chip, Firmware::ORIN);
        chip = start.chip;
        if start.recovery {
            seen.push("REC".to_owned());
        }
        let End::Kernel(slot) = start.end else { panic!("{:?} after {seen:?}", start.end) };
        seen.push(slot.to_string());
        let good = chip.good.is_none_or(|mask| mask & 1 << slot.number() != 0);
        let early = if good { "ep" } else { "epxh" };
        if let Some(letter) = letters.next_if(|letter| early.contains(*letter)) {
            if "ph".contains(letter) {
                chip.register = Register::CLEAR;
            }
            continue;
        }
        let (_, after, result) = system.command(chip, Word::Start, |loader| loader.start());
        chip = after;
        if matches!(result, Ok(Start::TryAgain(_) | Start::GoBackTo(_))) {
            continue;
        }
        let Some(letter) = letters.next() else { return seen.join(" ") };
        let other = slot.other();
        let result = match letter {
            'w' => continue,
            'c' => {
                chip.register = Register::CLEAR;
                continue;
            }
            't' => system.command(chip, Word::Try, |loader| loader.try_slot(other)),
            'o' => system.command(chip, Word::Open, |loader| loader.open(other)),
            'k' => system.command(chip, Word::Confirm, |loader| loader.confirm()),
            other => panic!("no letter '{other}'"),
        };
        assert!(result.2.is_ok(), "{letter} is refused in slot {slot}: {:?}", result.2);
        chip = result.1;
    }
    panic!("more than 200 starts: {seen:?}");
}

/// What NVIDIA's launcher was seen to do (edk2-nvidia bd49b331, under QEMU).
#[test]
fn the_model_is_as_the_launcher_was_seen() {
    for (script, seen) in [
        ("nnnnnnnn", "a a a b b b REC REC REC"),
        ("BwwwBww", "a b b b a a a a"),
        ("BwwwRww", "a b b b a b b b"),
        ("BwwwSww", "a b b b a a a REC"),
        ("Bcccccc", "a b b b b b b b"),
        ("wwwwwwwww", "a a a b b b REC REC REC REC"),
        ("vvvvvvvv", "a a a a a a a a a"),
        ("BvvAvvBv", "a b b b a a a b b"),
        ("Bbwaww", "a b b b a a a"),
        ("wwwwwwTww", "a a a b b b REC b b b"),
        ("wwwwwwcccc", "a a a b b b REC REC REC REC REC"),
        ("Bwwvwwwvw", "a b b b b b b a a a"),
    ] {
        assert_eq!(launcher(script), seen, "{script}");
    }
}

/// One start of the other slot, and what takes it back.
#[test]
fn the_model_is_as_the_launcher_was_seen_with_one_start() {
    for (script, seen) in [
        ("A0 Bff f- r031 n1 w;w;w", "a b a a"),
        ("A0 Bff f- r031 n1 w;c;w", "a b a a"),
        ("A0 Bff f- r031 n1 c;w;w", "a a a a"),
        ("A0 Bff f- r- n1 w;w;w", "a a a a"),
        ("A0 Bff f0 r031 n1 w;w;w", "a a a a"),
        ("A0 Bff f2 r031 n1 w;w;w", "a a a a"),
        ("A0 Bff f1 r031 n1 w;w;w", "a a a a"),
        ("A0 Bff f- r031 n0 w;w;w", "a a a a"),
        ("A0 Bff f- r031 n1 M2 w;w;w", "a a a a"),
        (
            "A0 Bff f- r031 n1 w;w;A0 Bff f- r031 n1 w;w;A0 Bff f- r031 n1 w;w;w;w",
            "a b a b a b a a a",
        ),
        (
            "A0 Bff f- r031 n1 w;c;A0 Bff f- r031 n1 w;c;A0 Bff f- r031 n1 w;c;c;w",
            "a b a b a b a a a",
        ),
        ("A0 B0 f- r- n1 w;w;w;w;w", "a b b b a a"),
        ("A0 B0 f- r- n1 w;c;c;c;c", "a b b b b b"),
        ("A0 B0 f- r- n1 w;Aff B0 f- r113 n0 w;w;w", "a b a b b"),
        ("A0 B0 f- r- n1 w;Aff B0 f- r113 n0 w;c;w", "a b a b b"),
        ("Bff r- f- w;r- w;r- w;r- w;r- w", "a a a a a a"),
        ("Bff r- c;c;c;c;c;c", "a a a a a a a"),
        ("Bff r- f- w;w;w;w", "a a a a REC"),
        ("Bff r- f- w;w;c;w;w;c", "a a a a a a a"),
        ("B0 r- f- w;w;w;r- f- B0 w;r- f- w", "a a a a a a"),
        ("Aff Bff w;c;w", "a REC REC REC"),
        ("A0 Bff f- r031 n1 w;w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;c;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;B0 w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;B0 c;w;w", "a b b b b"),
        ("A0 Bff f- r031 n1 w;r- w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;r- c;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;f- w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;f- c;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;B0 r- w;w;w", "a b b b b"),
        ("A0 Bff f- r031 n1 w;B0 r- c;w;w", "a b b b b"),
        ("A0 Bff f- r031 n1 w;B0 f- w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;B0 f- c;w;w", "a b b b b"),
        ("A0 Bff f- r031 n1 w;r- f- w;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;r- f- c;w;w", "a b a a a"),
        ("A0 Bff f- r031 n1 w;B0 r- f- w;w;w", "a b b b b"),
        ("A0 Bff f- r031 n1 w;B0 r- f- c;w;w", "a b b b b"),
    ] {
        assert_eq!(words(script), seen, "{script}");
    }
}

#[test]
fn the_product_on_the_model() {
    for (script, seen) in [
        ("wwww", "a a a a a"),
        // A good update; a bad one, whatever ends its starts.
        ("tkww", "a b b b b"),
        ("twww", "a b a b a b a"),
        ("tcwc", "a b a b a b a"),
        ("txxx", "a b a b a b a"),
        ("thhh", "a b a b a b a"),
        ("thkww", "a b a b b b b"),
        ("txhkeeekw", "a b a b a b b b b a a a"),
        // A good slot that is reset early three times: to the other good one, else around.
        ("eeew", "a a a b b"),
        ("oeeew", "a a a a REC a a"),
        ("pppppw", "a a a a a a a"),
    ] {
        assert_eq!(product(script), seen, "{script}");
    }
}

/// `TOTTON_MODEL_SCRIPTS="nnnn product:tkww" cargo test … predictions -- --ignored --nocapture`
#[test]
#[ignore = "prints what the model says of the scripts in TOTTON_MODEL_SCRIPTS"]
fn predictions() {
    let scripts = std::env::var("TOTTON_MODEL_SCRIPTS").unwrap_or_default();
    for script in scripts.split_whitespace() {
        match script.strip_prefix("product:") {
            Some(script) => println!("product:{script}: {}", product(script)),
            None => println!("{script}: {}", launcher(script)),
        }
    }
}
