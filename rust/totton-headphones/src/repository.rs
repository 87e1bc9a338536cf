//! Reads OPRA's repository: `database/vendors/VENDOR/products/PRODUCT/eq/CURVE/info.json`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::record::{Entry, Record};

/// Every vendor, product and equaliser of the checkout at `root`, in the order of
/// their ids, with ids as OPRA's own `dist/` has them.
///
/// # Errors
/// [`Error::NotARepository`], or what cannot be read, with its file.
pub fn read(root: &Path) -> Result<Vec<Record>, Error> {
    let vendors = root.join("database/vendors");
    if !vendors.is_dir() {
        return Err(Error::NotARepository { path: root.to_owned() });
    }
    let mut records = Vec::new();
    for (vendor, folder) in folders(&vendors)? {
        let entry = Entry::Vendor(info(&folder)?);
        records.push(Record { id: vendor.clone(), entry });
        for (product, folder) in folders(&folder.join("products"))? {
            let id = format!("{vendor}::{product}");
            let mut data: crate::record::Info = info(&folder)?;
            data.vendor_id.clone_from(&vendor);
            records.push(Record { id: id.clone(), entry: Entry::Product(data) });
            for (curve, folder) in folders(&folder.join("eq"))? {
                let mut data: crate::record::Eq = info(&folder)?;
                data.product_id.clone_from(&id);
                let id = format!("{vendor}:{product}::{curve}");
                records.push(Record { id, entry: Entry::Eq(data) });
            }
        }
    }
    Ok(records)
}

/// The folders inside a folder with their names, in order; none where it is absent.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let io = |source| Error::Io { path: folder.to_owned(), action: "read", source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        if entry.path().is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn info<T: DeserializeOwned>(folder: &Path) -> Result<T, Error> {
    let path = folder.join("info.json");
    let text = fs::read(&path).map_err(|source| Error::Io {
        path: path.clone(),
        action: "read",
        source,
    })?;
    serde_json::from_slice(&text).map_err(|error| Error::Entry { path, reason: error.to_string() })
}
