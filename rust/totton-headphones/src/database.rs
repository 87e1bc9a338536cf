//! The headphones in memory, linked and searched.

use crate::record::{Band, Shape};

/// A headphone with its equalisers.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// OPRA's id, `vendor::product`.
    pub id: String,
    /// The maker's name.
    pub vendor: String,
    /// The headphone's name.
    pub name: String,
    /// `over_the_ear`, `on_ear`, `in_ear`, `earbuds` or empty.
    pub form: String,
    /// Its equalisers; at least one.
    pub curves: Vec<Curve>,
    /// Lower-case words of maker and name, for the search.
    pub(crate) words: String,
}

/// One equaliser.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// OPRA's id, `vendor:product::curve`.
    pub id: String,
    /// Who made it: to be shown with it.
    pub author: String,
    /// Target, measurement and the like.
    pub details: String,
    /// Where it comes from.
    pub link: Option<String>,
    /// Gain before the bands in dB.
    pub gain_db: f64,
    /// The bands, the most important first.
    pub bands: Vec<Band>,
}

/// All headphones that have an equaliser.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Database {
    pub(crate) products: Vec<Product>,
}

impl Database {
    /// All headphones, by maker and name.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// How many equalisers there are.
    pub fn curves(&self) -> usize {
        self.products.iter().map(|product| product.curves.len()).sum()
    }

    /// One headphone by its id.
    pub fn product(&self, id: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.id == id)
    }

    /// One equaliser by its id, with its headphone.
    pub fn curve(&self, id: &str) -> Option<(&Product, &Curve)> {
        self.products.iter().find_map(|product| {
            let curve = product.curves.iter().find(|curve| curve.id == id)?;
            Some((product, curve))
        })
    }

    /// The headphones that have every word of `text`, the nearest first, at most
    /// `limit`, and how many there are in all. Spaces and hyphens do not matter:
    /// "hd650" finds "HD 650".
    pub fn search(&self, text: &str, limit: usize) -> (Vec<&Product>, usize) {
        let text = normal(text);
        let wanted: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let squeezed = text.replace(' ', "");
        let mut found: Vec<_> = self
            .products
            .iter()
            .filter_map(|product| Some((rank(product, &wanted, &squeezed)?, product)))
            .collect();
        found.sort_by_key(|(rank, product)| (*rank, product.words.len()));
        let total = found.len();
        (found.into_iter().take(limit).map(|(_, product)| product).collect(), total)
    }
}

/// How near a product is: 0 is the name itself. None when a word is missing.
fn rank(product: &Product, wanted: &[&str], squeezed: &str) -> Option<u8> {
    let words = &product.words;
    let together = words.replace(' ', "");
    if together == squeezed || normal(&product.name).replace(' ', "") == squeezed {
        return Some(0);
    }
    let starts = |word: &&str| words.split(' ').any(|have| have.starts_with(word));
    if wanted.iter().all(starts) {
        return Some(1);
    }
    if together.contains(squeezed) {
        return Some(2);
    }
    wanted.iter().all(|word| together.contains(word)).then_some(3)
}

/// Lower-case words of letters and digits with one space between.
pub(crate) fn normal(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        } else if !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    words
}

impl Curve {
    /// The text of Equalizer APO that says the same.
    ///
    /// # Errors
    /// The band that it cannot say: a slope of 6, 18 or 30 dB an octave.
    pub fn text(&self) -> Result<String, String> {
        use std::fmt::Write;
        let mut text = format!("Preamp: {} dB\n", self.gain_db);
        let mut number = 0;
        for band in &self.bands {
            for (kind, gain, q) in filters(band)? {
                number += 1;
                let _ = write!(text, "Filter {number}: ON {kind} Fc {} Hz", band.frequency);
                if let Some(gain) = gain {
                    let _ = write!(text, " Gain {gain} dB");
                }
                let _ = writeln!(text, " Q {q}");
            }
        }
        Ok(text)
    }
}

type Filter = (&'static str, Option<f64>, f64);

fn filters(band: &Band) -> Result<Vec<Filter>, String> {
    let q = band.q.unwrap_or(std::f64::consts::FRAC_1_SQRT_2);
    let with_gain = |kind| Ok(vec![(kind, Some(band.gain_db), q)]);
    match band.shape {
        Shape::PeakDip => with_gain("PK"),
        Shape::LowShelf => with_gain("LSC"),
        Shape::HighShelf => with_gain("HSC"),
        Shape::BandPass => Ok(vec![("BP", None, q)]),
        Shape::BandStop => Ok(vec![("NO", None, q)]),
        Shape::LowPass => butterworth("LPQ", band),
        Shape::HighPass => butterworth("HPQ", band),
    }
}

/// A Butterworth of even order N is N/2 second-order filters with the qualities
/// 1 / (2 cos((2k + 1) pi / 2N)).
fn butterworth(kind: &'static str, band: &Band) -> Result<Vec<Filter>, String> {
    let slope = band.slope.unwrap_or(12.0);
    let order = slope / 6.0;
    if order % 2.0 != 0.0 || !(2.0..=6.0).contains(&order) {
        return Err(format!("a slope of {slope} dB an octave at {} Hz", band.frequency));
    }
    let angle = |k: f64| (2.0 * k + 1.0) * std::f64::consts::PI / (2.0 * order);
    Ok((0..(order / 2.0) as u32)
        .map(|k| (kind, None, 1.0 / (2.0 * angle(f64::from(k)).cos())))
        .collect())
}
