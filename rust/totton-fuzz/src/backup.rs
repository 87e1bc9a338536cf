//! A backup that somebody else has made: the document, and the archive with filters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use totton_audio_web::backup::archive::Look;
use totton_audio_web::backup::form::{Backup, BackupContent, Parts};
use totton_audio_web::backup::plan::{Documents, Now, Plan};
use totton_audio_web::backup::report::{Report, Why};
use totton_audio_web::equaliser::Profile;
use totton_audio_web::sides::Sides;
use totton_audio_web::store::{Id, Kind, Limits, Store};
use totton_protocol::{Settings, Sound};

use crate::settings::harmless;
use crate::{file, memory};

/// tar's unit.
const BLOCK: usize = 512;

/// A box with something on it.
struct Desk {
    folder: TempDir,
    store: Store,
    content: BackupContent,
    filters: BTreeSet<String>,
}

thread_local! {
    static DESK: Desk = Desk::new();
}

impl Desk {
    fn new() -> Self {
        let folder = file::folder();
        let limits = Limits { documents: 20, filters: 3, free_bytes: 0, ..Limits::default() };
        let store = Store::with_limits(folder.path(), limits);
        let profile = Profile::parse("Kept", "Preamp: -1 dB").expect("an equaliser");
        let id = Id::try_from("kept".to_owned()).expect("an id");
        store
            .shelf(Kind::Equalisers)
            .replace_all(&[(id, profile.clone())], &BTreeSet::new())
            .expect("a document that is kept");
        let sound = Sound { gain_db: -20.0, ..Sound::default() };
        let content = BackupContent {
            settings: Settings { sound, ..Settings::default() },
            equaliser: Sides::default(),
            equalisers: BTreeMap::from([("kept".to_owned(), profile)]),
            presets: BTreeMap::new(),
        };
        let filters = BTreeSet::from(["/opt/totton_audio/filters/a.filter".to_owned()]);
        Self { folder, store, content, filters }
    }

    /// Looks into a file, and decides what of it is put in place.
    fn look(&self, file: &[u8]) {
        let mut report = Report::default();
        let look = Look { store: &self.store, largest_filter: 64 * 1024, check: true };
        let most = 64 * file.len() + (4 << 20);
        let contents = memory::within(most, || look.read(file, &mut report));
        self.nothing_left();
        let Ok(contents) = contents else { return };
        assert!(contents.filters.is_empty(), "a look keeps no filter");
        let most = 512 * file.len() + (1 << 20);
        let Ok(parts) = memory::within(most, || Parts::of(&contents.document)) else { return };
        let plan = memory::within(most, || self.plan(&parts, &mut report));
        self.check(&plan, &report);
        self.same_again(plan);
    }

    fn plan(&self, parts: &Parts, report: &mut Report) -> Plan {
        let Self { content, store, filters, .. } = self;
        Now { content, store, filters }.plan(parts, report).expect("the folder can be read")
    }

    fn nothing_left(&self) {
        let folder = self.folder.path();
        for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
            let name = entry.file_name();
            assert!(name == "incoming" || name == "equalisers", "a look wrote {name:?}");
        }
        let left = std::fs::read_dir(folder.join("incoming")).expect("the folder").count();
        assert_eq!(left, 0, "a look left files behind");
    }

    fn check(&self, plan: &Plan, report: &Report) {
        harmless(&plan.settings);
        let (now, then) = (self.content.settings.sound, plan.settings.sound);
        assert!(then.gain_db <= now.gain_db && (then.mute || !now.mute), "{then:?} is louder");
        assert!(then.host_volume || !now.host_volume, "{then:?} is louder");
        if let Some(sides) = &plan.sides {
            assert!(sides.check().is_ok(), "{sides:?}");
        }
        self.documents(&plan.equalisers, |profile| profile.check().is_ok());
        self.documents(&plan.presets, |preset| preset.check().is_ok());
        assert_eq!(report.equalisers, plan.equalisers.wanted.len());
        assert!(report.left_out.len() <= 200, "{} left out", report.left_out.len());
        for left in &report.left_out {
            assert!(left.name.chars().count() <= 101 && left.detail.chars().count() <= 401);
            assert!(!left.name.contains(char::is_control), "{:?}", left.name);
            assert!(!left.detail.contains(char::is_control), "{:?}", left.detail);
        }
        assert!(report.made_by.chars().count() <= 41 && !report.made_by.contains(char::is_control));
        assert!(serde_json::to_vec(report).is_ok());
    }

    fn documents<T: Serialize>(&self, documents: &Documents<T>, fine: impl Fn(&T) -> bool) {
        let Documents { wanted, spared, given } = documents;
        assert!(*given || wanted.is_empty());
        assert!(wanted.len() + spared.len() <= self.store.limits().documents);
        let ids: BTreeSet<_> = wanted.iter().map(|(id, _)| id).chain(spared).collect();
        assert_eq!(ids.len(), wanted.len() + spared.len(), "an id that is there twice");
        assert!(wanted.iter().all(|(_, document)| fine(document)), "a document that is no good");
    }

    /// The box's own backup of what would be put in place comes back whole.
    fn same_again(&self, plan: Plan) {
        fn map<T>(documents: Vec<(Id, T)>) -> BTreeMap<String, T> {
            let named = |(id, document): (Id, T)| (id.as_str().to_owned(), document);
            documents.into_iter().map(named).collect()
        }
        let content = BackupContent {
            settings: plan.settings,
            equaliser: plan.sides.unwrap_or_default(),
            equalisers: map(plan.equalisers.wanted),
            presets: map(plan.presets.wanted),
        };
        let backup = Backup::of(content).expect("a backup");
        let text = serde_json::to_vec(&backup).expect("a backup is JSON");
        let parts = Parts::of(&text).expect("its own backup is taken apart");
        let mut report = Report::default();
        let again = self.plan(&parts, &mut report);
        assert_eq!(again.settings, backup.content.settings, "the settings changed");
        assert_eq!(again.sides, Some(backup.content.equaliser), "the equaliser changed");
        assert_eq!(map(again.equalisers.wanted), backup.content.equalisers);
        assert_eq!(map(again.presets.wanted), backup.content.presets);
        let told = report.left_out.iter().find(|left| left.why != Why::FilterNotThere);
        assert!(told.is_none(), "{told:?}");
    }
}

/// A document: as it is, and the input as the content of one, with the right checksum.
pub fn document(bytes: &[u8]) {
    DESK.with(|desk| {
        desk.look(bytes);
        if let Ok(content) = std::str::from_utf8(bytes) {
            let text = format!(
                r#"{{"format":"totton-audio-backup","form":1,"made_by":"0.1.0","sha256":"{}","content":{content}}}"#,
                digest(content)
            );
            desk.look(text.as_bytes());
        }
    });
}

/// SHA-256 of JSON without the white space between its tokens, hexadecimal.
fn digest(json: &str) -> String {
    let (mut kept, mut inside, mut escaped) = (Vec::with_capacity(json.len()), false, false);
    for byte in json.bytes() {
        if inside || !byte.is_ascii_whitespace() {
            kept.push(byte);
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    Sha256::digest(&kept).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An archive: as it is, and with the checksums of its headers put right.
pub fn archive(bytes: &[u8]) {
    DESK.with(|desk| {
        desk.look(bytes);
        desk.look(&with_checksums(bytes));
    });
}

fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let (mut archive, mut at) = (bytes.to_vec(), 0);
    while let Some(header) = archive.get_mut(at..at + BLOCK) {
        if header.iter().any(|byte| *byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
            header[154] = 0;
        }
        let digits = String::from_utf8_lossy(&header[124..136]);
        let size = usize::from_str_radix(digits.trim_matches([' ', '\0']), 8).unwrap_or(0);
        at += BLOCK + size.min(bytes.len()).next_multiple_of(BLOCK);
    }
    archive
}
