//! What an equaliser's text means, and whether it can be used: told by line.

use totton_dsp::{Equaliser, Filter, Origin, Phase};
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

/// Reads the text of an equaliser called `name`, and tries it on the shortest of filters.
///
/// # Errors
/// The line that is not understood, or that no filter can have folded in: a band beyond the
/// sound's, one that rings for too long.
pub fn check(name: &str, text: &str) -> Result<Equaliser, Refusal> {
    let equaliser = Equaliser::parse(text, name).map_err(|error| refusal(&error))?;
    let nothing = Filter::new(
        LOWEST_RATE,
        1,
        Phase::Minimum,
        Origin::Imported { source: String::new() },
        vec![1.0],
    )
    .map_err(|error| refusal(&error))?;
    if let Err(error) = equaliser.apply(&nothing) {
        // Each line was understood: the first that cannot be used alone is the one.
        let fails = |line: &str| {
            Equaliser::parse(line, name).is_ok_and(|alone| alone.apply(&nothing).is_err())
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
    fn gains_that_add_up_beyond_all_bounds_are_refused() {
        for line in
            ["Preamp: 60 dB\n", "Preamp: -120 dB\n", "Filter: ON PK Fc 1000 Hz Gain 60 dB Q 1\n"]
        {
            let text = line.repeat(64 * 1024 / line.len());
            match check("mine", &text) {
                Err(refusal) => assert!(refusal.message.len() < 1000, "{refusal:?}"),
                Ok(found) => assert!(found.preamp_db.is_finite() && found.preamp_db < 0.0),
            }
        }
        let line = check("mine", &"x".repeat(60_000)).unwrap_err();
        assert!(line.message.len() < 1000 && line.line == Some(1), "{line:?}");
    }
}
