//! What alsa-lib says beside its error codes: which card it cannot find, which file it cannot read.
//!
//! By itself it writes that to standard error, at each attempt, and the daemon tries twice a second
//! while a device is away. Here each message goes to the log once, until the devices work again.
//!
//! A thread's messages are taken from its first [`listen`] on. The audio threads, which must not
//! wait, only put theirs down; the supervisor's next call logs them.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::sync::{Mutex, OnceLock, PoisonError};

use alsa_sys::__va_list_tag;
use totton_protocol::text::bounded;

/// The most bytes of a message.
const LENGTH: usize = 240;

/// The most different messages that are remembered; of further ones only that there are some.
const MOST: usize = 32;

unsafe extern "C" {
    /// C's own. A `va_list` is passed as a pointer on x86-64 and on arm64 both, where it is an
    /// array and a structure: so does alsa-sys.
    fn vsnprintf(
        to: *mut c_char,
        size: usize,
        format: *const c_char,
        arguments: *mut __va_list_tag,
    ) -> c_int;
}

/// A message, in place: an audio thread allocates nothing.
#[derive(Clone, Copy)]
struct Message {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Message {
    const EMPTY: Self = Self { bytes: [0; LENGTH], length: 0 };

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, text: &[u8]) {
        for byte in text {
            // One byte stays 0 for C.
            if self.length + 1 < LENGTH {
                self.bytes[self.length] = *byte;
                self.length += 1;
            }
        }
    }

    /// Appends a text of C's; nothing where there is none.
    ///
    /// # Safety
    /// `text` is null or a string of C's.
    unsafe fn push_c(&mut self, text: *const c_char) {
        if !text.is_null() {
            // SAFETY: the caller says so.
            self.push(unsafe { CStr::from_ptr(text) }.to_bytes());
        }
    }
}

/// The messages since the devices last worked.
struct Book {
    messages: [Message; MOST],
    /// How many there are; the first `told` of them have been logged.
    count: usize,
    told: usize,
    /// Whether there were more, and whether that has been logged.
    more: bool,
    more_told: bool,
}

static BOOK: Mutex<Book> = Mutex::new(Book::EMPTY);

impl Book {
    const EMPTY: Self =
        Self { messages: [Message::EMPTY; MOST], count: 0, told: 0, more: false, more_told: false };

    fn note(&mut self, message: &Message) {
        let known = &self.messages[..self.count];
        if known.iter().any(|known| known.text() == message.text()) {
            return;
        }
        match self.messages.get_mut(self.count) {
            Some(place) => {
                *place = *message;
                self.count += 1;
            }
            None => self.more = true,
        }
    }

    /// What is to be logged now.
    fn untold(&mut self) -> Vec<String> {
        let new = &self.messages[self.told..self.count];
        let mut lines: Vec<_> =
            new.iter().map(|m| bounded(String::from_utf8_lossy(m.text()).trim())).collect();
        self.told = self.count;
        if self.more && !self.more_told {
            self.more_told = true;
            lines.push("it says more that is not logged".to_owned());
        }
        lines
    }
}

/// Takes a message of alsa-lib's. It is not told the message's place in alsa-lib's source.
///
/// # Safety
/// As alsa-lib calls it: strings of C's, and arguments that fit the format.
unsafe extern "C" fn take(
    _file: *const c_char,
    _line: c_int,
    function: *const c_char,
    code: c_int,
    format: *const c_char,
    arguments: *mut __va_list_tag,
) {
    let mut message = Message::EMPTY;
    // SAFETY: strings of C's, as said above.
    unsafe { message.push_c(function) };
    message.push(b": ");
    let room = &mut message.bytes[message.length..];
    // SAFETY: the place has `room.len()` bytes, format and arguments fit each other as said above.
    let wanted = unsafe { vsnprintf(room.as_mut_ptr().cast(), room.len(), format, arguments) };
    // It tells how much it would have written, and always ends with a 0.
    message.length += usize::try_from(wanted).unwrap_or(0).min(room.len().saturating_sub(1));
    if code != 0 {
        message.push(b": ");
        // SAFETY: it takes any number, and answers with a string that stays.
        unsafe { message.push_c(alsa_sys::snd_strerror(code)) };
    }
    // An audio thread does not wait for one who logs: what is lost comes again.
    if let Ok(mut book) = BOOK.try_lock() {
        book.note(&message);
    }
}

/// The same for alsa-lib from 1.2.15 on, whose messages have a level. What is less than a warning
/// is left out, as alsa-lib itself does.
///
/// # Safety
/// As [`take`].
unsafe extern "C" fn take_of_level(
    level: c_int,
    _interface: c_int,
    file: *const c_char,
    line: c_int,
    function: *const c_char,
    code: c_int,
    format: *const c_char,
    arguments: *mut __va_list_tag,
) {
    // SND_LOG_ERROR is 1, SND_LOG_WARN 2.
    if level <= 2 {
        // SAFETY: they are passed on as they came.
        unsafe { take(file, line, function, code, format, arguments) };
    }
}

/// alsa-lib's function `snd_lib_log_set_local`, where it is new enough to have it.
type SetLog =
    unsafe extern "C" fn(alsa_sys::snd_lib_log_handler_t) -> alsa_sys::snd_lib_log_handler_t;

fn set_log() -> Option<SetLog> {
    static FOUND: OnceLock<Option<SetLog>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: a string of C's; alsa-lib is loaded with the program.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"snd_lib_log_set_local".as_ptr()) };
        // SAFETY: no other function has this name; its type is alsa-sys's.
        (!found.is_null())
            .then(|| unsafe { std::mem::transmute::<*mut libc::c_void, SetLog>(found) })
    })
}

/// Takes what alsa-lib says to the calling thread from now on.
pub(super) fn listen() {
    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
    }
    if LISTENS.replace(true) {
        return;
    }
    // What was there before is alsa-lib's own way.
    let _ = match set_log() {
        // SAFETY: the function has the type that is asked for, and stays.
        Some(set_log) => unsafe { set_log(Some(take_of_level)) }.is_some(),
        // SAFETY: the same.
        None => unsafe { alsa_sys::snd_lib_error_set_local(Some(take)) }.is_some(),
    };
}

/// Listens, and logs what was said when it is dropped.
#[must_use = "what is said is logged when this is dropped"]
pub(super) struct Listening(());

impl Listening {
    pub(super) fn begin() -> Self {
        listen();
        Self(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let untold = BOOK.lock().unwrap_or_else(PoisonError::into_inner).untold();
        for line in untold {
            log::warn!("alsa-lib: {line}");
        }
    }
}

/// The devices work: what is said from now on is new.
pub(super) fn forget() {
    *BOOK.lock().unwrap_or_else(PoisonError::into_inner) = Book::EMPTY;
}

#[cfg(test)]
mod tests {
    use alsa::Direction;
    use alsa::pcm::PCM;

    use super::*;

    fn message(text: &str) -> Message {
        let mut message = Message::EMPTY;
        message.push(text.as_bytes());
        message
    }

    #[test]
    fn each_message_is_told_once_and_few_are_remembered() {
        let mut book = Book::EMPTY;
        for _ in 0..1000 {
            book.note(&message("no card"));
        }
        assert_eq!(book.untold(), ["no card"]);
        book.note(&message("no card"));
        assert_eq!(book.untold(), [""; 0]);
        for number in 0..1000 {
            book.note(&message(&format!("no card {number}")));
        }
        assert_eq!(book.untold().len(), MOST);
        assert_eq!(book.untold(), [""; 0]);
        let long = message(&"\u{1b}夜".repeat(1000));
        assert_eq!(long.text().len(), LENGTH - 1);
        let mut book = Book::EMPTY;
        book.note(&long);
        assert!(!book.untold()[0].contains('\u{1b}'));
    }

    #[test]
    fn what_alsa_lib_says_is_taken_with_its_arguments() {
        listen();
        let name = format!("no-such-pcm-{}", "x".repeat(500));
        let opened = PCM::new(&name, Direction::Playback, true);
        assert!(opened.is_err());
        let book = BOOK.lock().unwrap();
        let said: Vec<_> = book.messages[..book.count]
            .iter()
            .map(|message| String::from_utf8_lossy(message.text()).into_owned())
            .collect();
        let found = said.iter().find(|text| text.contains("no-such-pcm-xxx")).unwrap();
        assert!(found.contains("Unknown PCM") && found.len() < LENGTH, "{said:?}");
    }
}
