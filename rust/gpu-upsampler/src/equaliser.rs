//! What an equaliser's text means, and whether it can be used: told by line.

use totton_dsp::Equaliser;
use totton_protocol::text::bounded;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// From 1; `None` where no single line is at fault.
    pub line: Option<u32>,
    /// With name and line.
    pub message: String,
}

/// The lowest rate of an input in Hz: what fits there fits everywhere.
const LOWEST_RATE: u32 = 44_100;

/// The most bands and curves of an equaliser: each makes folding longer. The page allows 100 of
/// each.
const MOST: usize = 200;

/// Reads the text of an equaliser called `name`, and looks whether it can be folded into a filter.
///
/// # Errors
/// The line that is not understood, or that no filter can have folded in: a band beyond the
/// sound's, one that rings for too long.
pub fn check(name: &str, text: &str) -> Result<Equaliser, Refusal> {
    let equaliser = Equaliser::parse(text, name).map_err(|error| refusal(&error))?;
    let parts = equaliser.bands.len() + equaliser.curves.len();
    if parts > MOST {
        let message = format!("{name}: it has {parts} bands and curves; accepted: at most {MOST}");
        return Err(Refusal { line: None, message });
    }
    if let Err(error) = equaliser.check(LOWEST_RATE) {
        // Each line was understood: the first that cannot be used alone is the one.
        let fails = |line: &str| {
            Equaliser::parse(line, name).is_ok_and(|alone| {
                let says_nothing = alone.bands.is_empty() && alone.curves.is_empty();
                !says_nothing && alone.check(LOWEST_RATE).is_err()
            })
        };
        let index = text.lines().position(fails);
        let line = index.map(|index| index as u32 + 1);
        let message = match line {
            Some(line) => format!("{name}: line {line}: {error}"),
            None => format!("{name}: {error}"),
        };
        return Err(Refusal { line, message });
    }
    Ok(equaliser)
}

fn refusal(error: &totton_dsp::Error) -> Refusal {
    let line = match error {
        totton_dsp::Error::Equaliser { line, .. } => u32::try_from(*line).ok(),
        _ => None,
    };
    // It repeats the line at fault, which may be all of the text.
    Refusal { line, message: bounded(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_and_what_cannot_be_used_names_the_line() {
        for (text, line, reason) in [
            ("Preamp: -3 dB\nFilter 1: ON XX Fc 100 Hz", 2, "`XX` is not supported"),
            ("# a\n\nFilter: ON PK Fc 30000 Hz Gain 3 dB Q 1", 3, "below 22050 Hz"),
            ("Filter: ON PK Fc 1 Hz Gain 3 dB Q 900\nPreamp: -1 dB", 1, "ringing"),
        ] {
            let refusal = check("mine", text).unwrap_err();
            assert_eq!(refusal.line, Some(line), "{refusal:?}");
            let begins = format!("mine: line {line}: ");
            assert!(refusal.message.starts_with(&begins), "{refusal:?}");
            assert!(refusal.message.contains(reason), "{refusal:?}");
        }
        let good = check("mine", "Preamp: -6 dB\nFilter: ON PK Fc 100 Hz Gain 3 dB Q 1").unwrap();
        assert_eq!((good.preamp_db, good.bands.len()), (-6.0, 1));
    }

    #[test]
    fn what_adds_up_beyond_all_bounds_is_refused_soon() {
        for line in ["Preamp: 60 dB\n", "Filter: ON PK Fc 1000 Hz Gain 60 dB Q 1\n"] {
            let refusal = check("mine", &line.repeat(64 * 1024 / line.len())).unwrap_err();
            assert!(refusal.message.len() < 1000, "{refusal:?}");
        }
        let many = check("mine", &"Filter: ON PK Fc 100 Hz Gain -1 dB Q 1\n".repeat(201));
        assert!(many.unwrap_err().message.contains("201 bands and curves; accepted: at most 200"));
        check("mine", &"Filter: ON PK Fc 100 Hz Gain -1 dB Q 1\n".repeat(200)).unwrap();
        let line = check("mine", &"x".repeat(60_000)).unwrap_err();
        assert!(line.message.len() < 1000 && line.line == Some(1), "{line:?}");
    }
}
