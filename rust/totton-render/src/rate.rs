//! The rate of the output: the input's times 1, 2, 4, 8 or 16.

use totton_dsp::filter::RATIOS;

use crate::error::Error;

/// The highest rate in Hz that is chosen: no DAC of the product takes more.
pub const HIGHEST: u32 = 768_000;

/// The ratio that makes `wanted` Hz of `input` Hz; without a wish the largest that leads to no
/// more than [`HIGHEST`]. `largest` is the filter's own: it also holds those that divide it.
///
/// # Errors
/// [`Error::Rate`] when no ratio does, with those that could be had.
pub fn ratio(input: u32, wanted: Option<u32>, largest: u32) -> Result<u32, Error> {
    let output = |ratio: u32| u64::from(input) * u64::from(ratio);
    let there = || RATIOS.into_iter().filter(|ratio| *ratio <= largest);
    let found = match wanted {
        Some(wanted) => there().find(|ratio| output(*ratio) == u64::from(wanted)),
        None => there().rfind(|ratio| output(*ratio) <= u64::from(HIGHEST)),
    };
    found.ok_or_else(|| {
        let rates: Vec<_> = there().map(|ratio| output(ratio).to_string()).collect();
        let wanted = u64::from(wanted.unwrap_or(HIGHEST));
        Error::Rate { wanted, input, possible: format!("{} Hz", rates.join(", ")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_high_as_any_dac_unless_another_is_wanted() {
        let found = |input, wanted, largest| ratio(input, wanted, largest).unwrap();
        assert_eq!(found(44_100, None, 16), 16);
        assert_eq!(found(48_000, None, 16), 16);
        assert_eq!(found(96_000, None, 16), 8);
        assert_eq!(found(44_100, None, 2), 2);
        assert_eq!(found(768_000, None, 16), 1);
        assert_eq!(found(44_100, Some(176_400), 16), 4);
        assert_eq!(found(192_000, Some(3_072_000), 16), 16);
        assert_eq!(found(44_100, Some(44_100), 16), 1);
    }

    #[test]
    fn what_cannot_be_had_is_told_with_what_can() {
        let refused = |input, wanted, largest| ratio(input, wanted, largest).unwrap_err();
        let error = refused(44_100, Some(96_000), 4).to_string();
        assert_eq!(error, "96000 Hz cannot be made of 44100 Hz; possible: 44100, 88200, 176400 Hz");
        assert!(refused(96_000, Some(48_000), 2).to_string().ends_with("96000, 192000 Hz"));
        assert!(refused(44_100, Some(705_600), 8).to_string().contains("352800 Hz"));
        refused(1_000_000, None, 16);
        refused(u32::MAX, None, 16);
    }
}
