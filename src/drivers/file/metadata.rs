//! The location metadata of a store's mount points, from `filesystem_store_metadata_file`.

use std::fs;

use serde_json::{Map, Value};

/// The objects of the file, in its order.
#[derive(Debug, Default, PartialEq)]
pub struct MetadataFile(Vec<Map<String, Value>>);

impl MetadataFile {
    pub fn read(path: &str) -> Result<Self, String> {
        let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
        let value = serde_json::from_slice(&text).map_err(|error| format!("is not JSON: {error}"))?;
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Result<Self, String> {
        let elements = match value {
            Value::Array(elements) => elements,
            object @ Value::Object(_) => vec![object],
            other => return Err(format!("must hold an object or an array of objects, not {other}")),
        };
        elements.into_iter().map(check_element).collect::<Result<_, _>>().map(MetadataFile)
    }

    /// What to tell of a file at `path`: the first object whose mount point begins the path's text.
    pub fn of(&self, path: &str) -> Option<&Map<String, Value>> {
        self.0.iter().find(|object| {
            object
                .get("mountpoint")
                .and_then(Value::as_str)
                .is_some_and(|mountpoint| path.starts_with(mountpoint))
        })
    }
}

fn check_element(element: Value) -> Result<Map<String, Value>, String> {
    let Value::Object(object) = element else {
        return Err(format!("must hold objects, not {element}"));
    };
    for key in ["id", "mountpoint"] {
        if !object.get(key).is_some_and(Value::is_string) {
            return Err(format!("every object needs a string {key:?}"));
        }
    }
    for (key, value) in &object {
        check_value(key, value)?;
    }
    Ok(object)
}

/// glance accepts texts, and lists and objects of them.
fn check_value(key: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_value(&format!("{key}[{index}]"), item)),
        Value::Object(object) => object.iter().try_for_each(|(key, value)| check_value(key, value)),
        other => Err(format!("the value of {key:?} must be a string, a list or an object, not {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_are_accepted() {
        let object = json!({"id": "asdf1234", "mountpoint": "/tmp", "akey": ["a", {"b": "c"}]});
        let single = MetadataFile::from_value(object.clone()).unwrap();
        assert_eq!(single, MetadataFile::from_value(json!([object])).unwrap());
        assert_eq!(MetadataFile::from_value(json!([])).unwrap(), MetadataFile::default());
    }

    #[test]
    fn other_forms_are_refused_with_the_key_that_is_wrong() {
        for (value, named) in [
            (json!({}), "id"),
            (json!({"id": "a"}), "mountpoint"),
            (json!({"id": 10, "mountpoint": "/tmp"}), "id"),
            (json!([{"id": "a", "mountpoint": "/"}, {"id": "a", "mountpoint": 12345}]), "mountpoint"),
            (json!({"id": "a", "mountpoint": "/", "akey": 10}), "akey"),
            (json!({"id": "a", "mountpoint": "/", "akey": ["x", ["y", true]]}), "akey[1][1]"),
            (json!("text"), "text"),
            (json!([1]), "1"),
            (json!(null), "null"),
        ] {
            let error = MetadataFile::from_value(value.clone()).unwrap_err();
            assert!(error.contains(named), "{value}: {error}");
        }
    }

    #[test]
    fn the_first_object_that_matches_counts() {
        let file = MetadataFile::from_value(json!([
            {"id": "1", "mountpoint": "/xyz"},
            {"id": "2", "mountpoint": "/tmp"},
            {"id": "3", "mountpoint": "/tmp/deeper"},
        ]));
        let file = file.unwrap();
        assert_eq!(file.of("/tmp/deeper/a").unwrap()["id"], "2");
        assert_eq!(file.of("/tmpfoo/a").unwrap()["id"], "2");
        assert!(file.of("/var/a").is_none());
    }
}
