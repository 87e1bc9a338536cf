//! Puts a database together, record by record, within [`limits`](crate::limits).

use std::collections::HashMap;
use std::mem::size_of;

use crate::database::{Curve, Database, Product, normal};
use crate::limits::{
    BANDS, CURVES, CURVES_OF_ONE, HELD_BYTES, NAME_BYTES, PRODUCTS, TEXT_BYTES, VENDORS,
};
use crate::record::{Band, Entry, Info, Record};

/// What an entry of a table, or a text, costs beside its own bytes: the allocator rounds up, and
/// a table is at most half empty.
const BESIDE: usize = 32;

/// The records that came so far.
#[derive(Default)]
pub struct Builder {
    vendors: HashMap<String, String>,
    products: Vec<(String, Info)>,
    /// By the product's id.
    curves: HashMap<String, Vec<Curve>>,
    curve_count: usize,
    /// Bytes in memory.
    held: usize,
}

impl Builder {
    /// Takes one record. An equaliser that is not parametric is left out.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn add(&mut self, record: Record) -> Result<(), String> {
        let Record { id, entry } = record;
        short("id", &id, NAME_BYTES)?;
        match entry {
            Entry::Vendor(vendor) => {
                short("name", &vendor.name, NAME_BYTES)?;
                self.hold(text(&id) + text(&vendor.name))?;
                self.vendors.insert(id, vendor.name);
                at_most("vendors", self.vendors.len(), VENDORS)
            }
            Entry::Product(info) => {
                short("name", &info.name, NAME_BYTES)?;
                short("subtype", &info.subtype, NAME_BYTES)?;
                short("vendor_id", &info.vendor_id, NAME_BYTES)?;
                let names = text(&info.name) + text(&info.subtype) + text(&info.vendor_id);
                self.hold(text(&id) + names + size_of::<(String, Info)>() + size_of::<Product>())?;
                self.products.push((id, info));
                at_most("products", self.products.len(), PRODUCTS)
            }
            Entry::Eq(eq) if eq.kind == "parametric_eq" => {
                short("author", &eq.author, NAME_BYTES)?;
                short("product_id", &eq.product_id, NAME_BYTES)?;
                let details = eq.details.unwrap_or_default();
                short("details", &details, TEXT_BYTES)?;
                short("link", eq.link.as_deref().unwrap_or_default(), TEXT_BYTES)?;
                at_most("bands", eq.parameters.bands.len(), BANDS)?;
                let texts = text(&id) + text(&eq.author) + text(&details) + text(&eq.product_id);
                let bands = eq.parameters.bands.len() * size_of::<Band>();
                let link = eq.link.as_deref().map_or(0, text);
                self.hold(texts + link + bands + 2 * size_of::<Curve>() + BESIDE)?;
                let mut bands = eq.parameters.bands;
                bands.shrink_to_fit();
                let curves = self.curves.entry(eq.product_id).or_default();
                curves.push(Curve {
                    id,
                    author: eq.author,
                    details,
                    link: eq.link,
                    gain_db: eq.parameters.gain_db,
                    bands,
                });
                at_most("equalisers of one headphone", curves.len(), CURVES_OF_ONE)?;
                self.curve_count += 1;
                at_most("equalisers", self.curve_count, CURVES)
            }
            Entry::Eq(_) => Ok(()),
        }
    }

    fn hold(&mut self, bytes: usize) -> Result<(), String> {
        self.held += bytes;
        if self.held > HELD_BYTES {
            return Err(format!("up to here the database takes more than {HELD_BYTES} bytes"));
        }
        Ok(())
    }

    /// Links curves to products to vendors. What has no partner is left out.
    ///
    /// # Errors
    /// When it takes too much memory.
    pub fn finish(mut self) -> Result<Database, String> {
        let mut products = Vec::new();
        for (id, info) in std::mem::take(&mut self.products) {
            let Some(vendor) = self.vendors.get(&info.vendor_id).cloned() else { continue };
            let Some(curves) = self.curves.remove(&id) else { continue };
            let words = normal(&format!("{vendor} {}", info.name));
            self.hold(text(&vendor) + text(&words))?;
            products.push(Product {
                id,
                vendor,
                name: info.name,
                form: info.subtype,
                curves,
                words,
            });
        }
        products.sort_by(|a, b| a.words.cmp(&b.words));
        Ok(Database { products })
    }
}

/// Bytes that a text takes in memory, with the string itself and a place in a table.
fn text(text: &str) -> usize {
    text.len() + size_of::<String>() + BESIDE
}

fn short(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.len() <= most {
        return Ok(());
    }
    Err(format!("its {what} has {} bytes; accepted are {most}", text.len()))
}

fn at_most(what: &str, found: usize, most: usize) -> Result<(), String> {
    if found <= most {
        return Ok(());
    }
    Err(format!("there are more than {most} {what}"))
}
