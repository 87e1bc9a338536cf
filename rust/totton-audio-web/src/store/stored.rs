//! A document from the disk that another version of this service may have written.
//!
//! A newer version, whose update was taken back, may have said more: fields that are not known are
//! passed over, at any depth, and the file is left as it is. A value that cannot be used is no such
//! field, and an error. What a request says is another matter: there an unknown field is refused.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The most fields that are passed over.
const MOST: usize = 1000;

/// Reads a document; with the paths of the fields that were passed over.
///
/// # Errors
/// For what is no JSON, or not this document; the path of the place is told.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<(T, Vec<String>), String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut passed_over = vec![];
    loop {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(document) => return Ok((document, passed_over)),
            Err(error) => error,
        };
        let reason = error.inner().to_string();
        let known = !reason.starts_with("unknown field ");
        if known || passed_over.len() == MOST || !remove(&mut value, error.path()) {
            return Err(format!("{}: {reason}", error.path()));
        }
        passed_over.push(error.path().to_string());
    }
}

/// Removes the field at a path; whether it was there.
fn remove(value: &mut Value, path: &Path) -> bool {
    let segments: Vec<_> = path.iter().collect();
    let Some((Segment::Map { key }, parents)) = segments.split_last() else { return false };
    let parent = parents.iter().try_fold(value, |place, segment| match segment {
        Segment::Map { key } => place.get_mut(key),
        Segment::Seq { index } => place.get_mut(*index),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    parent.and_then(Value::as_object_mut).is_some_and(|object| object.remove(key).is_some())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        number: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        one: Inner,
        many: Vec<Inner>,
        none: Option<Inner>,
    }

    fn found(value: &Value) -> Result<(Document, Vec<String>), String> {
        read(value.to_string().as_bytes())
    }

    #[test]
    fn what_a_newer_version_says_besides_is_passed_over_at_any_depth() {
        let inner = |number| Inner { number };
        let known =
            json!({"one": {"number": 1}, "many": [{"number": 2}, {"number": 3}], "none": null});
        let document = || Document { one: inner(1), many: vec![inner(2), inner(3)], none: None };
        assert_eq!(found(&known).unwrap(), (document(), vec![]));
        let mut newer = known.clone();
        newer["new"] = json!({"number": 5});
        newer["flag"] = json!(true);
        newer["one"]["new"] = json!([1]);
        newer["one"]["other"] = json!({"deep": {}});
        newer["many"][1]["new"] = json!("text");
        let (read, passed_over) = found(&newer).unwrap();
        assert_eq!((read, passed_over.len()), (document(), 5));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_an_error_with_its_place() {
        let error = found(&json!({"one": {"number": 1}, "many": [{"number": "x"}], "new": 1}));
        let error = error.unwrap_err();
        assert!(error.contains("many[0].number") && error.contains("invalid type"), "{error}");
        for bad in ["", "{", "[]", "null", "{\"one\": {}}"] {
            read::<Document>(bad.as_bytes()).unwrap_err();
        }
    }
}
