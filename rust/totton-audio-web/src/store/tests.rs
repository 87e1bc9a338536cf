use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn store(limits: Limits) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::with_limits(folder.path(), Limits { free_bytes: 0, ..limits });
    (folder, store)
}

#[test]
fn documents_come_back_and_equal_names_get_ids_of_their_own() {
    let (_folder, store) = store(Limits::default());
    let shelf = store.shelf(Kind::Presets);
    assert_eq!(shelf.list::<u32>().unwrap(), []);
    let (first, second) = (shelf.add("My Thing", &1).unwrap(), shelf.add("my thing", &2).unwrap());
    assert_eq!((first.as_str(), second.as_str()), ("my-thing", "my-thing-2"));
    shelf.replace(&first, &3).unwrap();
    assert_eq!(shelf.list::<u32>().unwrap(), [(first.clone(), 3), (second, 2)]);
    shelf.remove(&first).unwrap();
    assert_eq!(shelf.remove(&first).unwrap_err().kind(), "no-such-thing");
    assert_eq!(shelf.replace(&first, &4).unwrap_err().kind(), "no-such-thing");
}

#[test]
fn a_document_that_is_broken_does_not_hide_the_others() {
    let (_folder, store) = store(Limits::default());
    let shelf = store.shelf(Kind::Presets);
    let good = shelf.add("good", &1).unwrap();
    std::fs::write(store.path("presets/bad.json"), "{").unwrap();
    let large = File::create(store.path("presets/large.json")).unwrap();
    large.set_len(LARGEST_DOCUMENT + 1).unwrap();
    assert_eq!(shelf.list::<u32>().unwrap(), [(good, 1)]);
}

#[test]
fn an_upload_that_is_not_kept_leaves_nothing() {
    let (_folder, store) = store(Limits::default());
    let incoming = || std::fs::read_dir(store.path(INCOMING)).unwrap().count();
    drop(store.upload(0).unwrap());
    assert_eq!(incoming(), 0);
    let mut upload = store.upload(5).unwrap();
    upload.append(b"whole").unwrap();
    assert!(upload.keep(Kind::Filters, "kept", false).unwrap());
    assert_eq!(std::fs::read(store.path("filters/kept")).unwrap(), b"whole");
    assert_eq!(incoming(), 0);
}

#[test]
fn every_upload_has_a_file_of_its_own_and_what_is_kept_is_what_was_checked() {
    let (_folder, store) = store(Limits::default());
    let (mut one, mut other) = (store.upload(0).unwrap(), store.upload(0).unwrap());
    one.append(b"first").unwrap();
    other.append(b"second upload").unwrap();
    let mut checked = String::new();
    one.rewound().unwrap().read_to_string(&mut checked).unwrap();
    one.keep(Kind::Filters, "one", false).unwrap();
    // The other goes on, and ends as well.
    other.append(b", longer").unwrap();
    assert_eq!(std::fs::read_to_string(store.path("filters/one")).unwrap(), checked);
    other.keep(Kind::Filters, "other", false).unwrap();
    assert_eq!(std::fs::read(store.path("filters/other")).unwrap(), b"second upload, longer");
    assert_eq!(std::fs::read(store.path("filters/one")).unwrap(), b"first");
    // The daemon, of the same group, may read it; nobody else, and nobody may write it.
    let mode = std::fs::metadata(store.path("filters/one")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_name_that_is_taken_is_replaced_only_where_that_is_wanted() {
    let (_folder, store) = store(Limits::default());
    let put = |content: &[u8], replace| {
        let mut upload = store.upload(0).unwrap();
        upload.append(content).unwrap();
        upload.keep(Kind::Filters, "x", replace).unwrap()
    };
    assert!(put(b"1", false));
    assert!(!put(b"2", false));
    assert_eq!(std::fs::read(store.path("filters/x")).unwrap(), b"1");
    assert!(put(b"3", true));
    assert_eq!(std::fs::read(store.path("filters/x")).unwrap(), b"3");
}

#[test]
fn uploads_at_the_same_time_are_counted_and_a_place_is_given_back() {
    let (_folder, store) = store(Limits::default());
    let uploads: Vec<_> = (0..UPLOADS).map(|_| store.upload(0).unwrap()).collect();
    assert_eq!(store.upload(0).unwrap_err().kind(), "busy");
    drop(uploads);
    let _again = store.upload(0).unwrap();
}

#[test]
fn left_overs_of_a_power_cut_are_removed_at_the_start_and_nothing_else() {
    let (_folder, store) = store(Limits::default());
    for name in ["incoming/.tmpX1", "upload.part", "presets/a.part", "filters/f.part"] {
        std::fs::create_dir_all(store.path(name).parent().unwrap()).unwrap();
        std::fs::write(store.path(name), "half").unwrap();
    }
    let kept = ["password.json", "presets/a.json", "filters/f.filter", "upsampler/x.part"];
    for name in kept {
        std::fs::create_dir_all(store.path(name).parent().unwrap()).unwrap();
        std::fs::write(store.path(name), "whole").unwrap();
    }
    store.clear_leftovers();
    for name in ["incoming/.tmpX1", "upload.part", "presets/a.part", "filters/f.part"] {
        assert!(!store.path(name).exists(), "{name}");
    }
    for name in kept {
        assert!(store.path(name).exists(), "{name}");
    }
}

#[test]
fn the_number_of_documents_is_limited_whatever_they_are_called() {
    let (_folder, store) = store(Limits { documents: 3, ..Limits::default() });
    let shelf = store.shelf(Kind::Equalisers);
    let ids: Vec<_> = (0..3).map(|n| shelf.add(&format!("n{n}"), &n).unwrap()).collect();
    let refused = shelf.add("another name", &1).unwrap_err();
    assert_eq!(refused.kind(), "too-many");
    assert!(refused.detail().starts_with("3 of kind equaliser"), "{refused}");
    shelf.replace(&ids[0], &7).unwrap();
    shelf.remove(&ids[1]).unwrap();
    shelf.add("another name", &1).unwrap();
    // The other kind has its own.
    store.shelf(Kind::Presets).add("x", &1).unwrap();
}

#[test]
fn the_bytes_of_documents_are_limited_and_what_makes_room_is_taken() {
    let (_folder, store) = store(Limits { document_bytes: 100, ..Limits::default() });
    let shelf = store.shelf(Kind::Equalisers);
    let id = shelf.add("a", &"x".repeat(58)).unwrap();
    shelf.add("b", &"x".repeat(38)).unwrap();
    let refused = shelf.add("c", &1).unwrap_err();
    assert_eq!(refused.kind(), "storage-full");
    assert!(refused.detail().contains("100 bytes of kind equaliser"), "{refused}");
    assert_eq!(shelf.replace(&id, &"x".repeat(59)).unwrap_err().kind(), "storage-full");
    shelf.replace(&id, &"x".repeat(57)).unwrap();
    shelf.add("c", &1).unwrap();
}

#[test]
fn two_at_once_do_not_both_get_the_last_place() {
    let (_folder, store) = store(Limits { documents: 40, ..Limits::default() });
    let added: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..10).filter(|n| store.shelf(Kind::Presets).add("same", n).is_ok()).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((added, store.shelf(Kind::Presets).ids().unwrap().len()), (40, 40));
}

#[test]
fn everything_together_is_limited_uploads_under_way_included() {
    let (_folder, store) = store(Limits { total_bytes: 1000, ..Limits::default() });
    assert_eq!(store.upload(1001).unwrap_err().kind(), "storage-full");
    let mut one = store.upload(0).unwrap();
    one.append(&[0; 600]).unwrap();
    let mut other = store.upload(0).unwrap();
    assert_eq!(other.append(&[0; 401]).unwrap_err().kind(), "storage-full");
    other.append(&[0; 400]).unwrap();
    assert_eq!(store.shelf(Kind::Presets).add("x", &1).unwrap_err().kind(), "storage-full");
    drop(one);
    store.shelf(Kind::Presets).add("x", &1).unwrap();
}

#[test]
fn the_floor_is_looked_at_while_an_upload_is_written_and_settings_may_use_it() {
    static FREE: AtomicU64 = AtomicU64::new(1000);
    let folder = tempfile::tempdir().unwrap();
    let mut store =
        Store::with_limits(folder.path(), Limits { free_bytes: 400, ..Limits::default() });
    store.free = |_| Ok(FREE.load(Ordering::Relaxed));
    assert_eq!(store.upload(601).unwrap_err().kind(), "storage-full");
    let mut upload = store.upload(600).unwrap();
    upload.append(&[0; 300]).unwrap();
    // Somebody else fills the disk meanwhile.
    FREE.store(600, Ordering::Relaxed);
    let refused = upload.append(&[0; 300]).unwrap_err();
    assert_eq!(refused.kind(), "storage-full");
    assert!(refused.detail().contains("600 bytes free; 400 stay free"), "{refused}");
    FREE.store(10, Ordering::Relaxed);
    assert_eq!(store.shelf(Kind::Presets).add("x", &1).unwrap_err().kind(), "storage-full");
    store.write("equaliser.json", &1).unwrap();
    assert_eq!(store.read::<u32>("equaliser.json").unwrap(), Some(1));
}

#[test]
fn all_documents_are_replaced_but_those_that_are_spared() {
    let (_folder, store) = store(Limits::default());
    let shelf = store.shelf(Kind::Presets);
    for name in ["old", "both", "spared"] {
        shelf.add(name, &1).unwrap();
    }
    let id = |name: &str| Id::try_from(name.to_owned()).unwrap();
    let wanted = [(id("both"), 2), (id("new"), 3)];
    shelf.replace_all(&wanted, &[id("spared")].into()).unwrap();
    let expected = [(id("both"), 2), (id("new"), 3), (id("spared"), 1)];
    assert_eq!(shelf.list::<u32>().unwrap(), expected);
}
