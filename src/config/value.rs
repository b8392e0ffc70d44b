//! The text of a setting turned into a typed value.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::options::OptionKind;

/// A parsed value.  A text may be a secret, so it is wiped when dropped.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(super) enum Value {
    Text(Option<Zeroizing<String>>),
    Int(Option<i64>),
    Bool(bool),
    List(Vec<String>),
    Dict(Vec<(String, String)>),
}

impl Value {
    /// What an option without a setting and without a default holds.
    pub fn empty(kind: &OptionKind) -> Value {
        match kind {
            OptionKind::Str | OptionKind::Choice(_) => Value::Text(None),
            OptionKind::Int { .. } => Value::Int(None),
            OptionKind::Bool => Value::Bool(false),
            OptionKind::List | OptionKind::MultiStr => Value::List(Vec::new()),
            OptionKind::Dict => Value::Dict(Vec::new()),
        }
    }

    /// Parses a text whose `$` references have been replaced.  The reason for a refusal never repeats the text.
    pub fn parse(kind: &OptionKind, text: String) -> Result<Value, String> {
        Ok(match kind {
            OptionKind::Str => Value::Text(Some(text.into())),
            OptionKind::Choice(choices) => Value::Text(Some(choice(choices, text)?.into())),
            OptionKind::Int { min, max } => Value::Int(integer(&text, *min, *max)?),
            OptionKind::Bool => Value::Bool(boolean(&text)?),
            OptionKind::List => Value::List(list(&text)),
            OptionKind::Dict => Value::Dict(dict(&text)?),
            OptionKind::MultiStr => Value::List(vec![text]),
        })
    }
}

fn choice(choices: &[&str], text: String) -> Result<String, String> {
    if choices.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(format!("must be one of {}", choices.join(", ")))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("must be true, 1, on or yes, or else false, 0, off or no".to_owned()),
    }
}

fn integer(text: &str, min: Option<i64>, max: Option<i64>) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = || match (min, max) {
        (Some(min), Some(max)) => format!("must be a whole number from {min} to {max}"),
        (Some(min), None) => format!("must be a whole number, {min} or more"),
        (None, Some(max)) => format!("must be a whole number, {max} or less"),
        (None, None) => "must be a whole number of 64 bits".to_owned(),
    };
    let number = whole_number(text).ok_or_else(wanted)?;
    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        return Err(wanted());
    }
    Ok(Some(number))
}

/// Python's notation: an optional sign, decimal digits, single underscores between digits.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.split('_').any(str::is_empty) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn list(text: &str) -> Vec<String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

fn dict(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    let mut entries: Vec<(String, String)> = Vec::new();
    if text.is_empty() {
        return Ok(entries);
    }
    let mut seen = HashSet::new();
    for (index, pair) in text.split(',').enumerate() {
        let refuse = |what: &str| Err(format!("entry {} {what}", index + 1));
        let Some((name, value)) = pair.split_once(':') else {
            return refuse("is not name:value (entries are separated by single commas)");
        };
        let name = name.trim();
        if name.is_empty() {
            return refuse("has no name in front of its colon");
        }
        if !seen.insert(name) {
            return refuse("repeats the name of an earlier one");
        }
        entries.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: OptionKind = OptionKind::Int { min: None, max: None };

    fn parse(kind: &OptionKind, text: &str) -> Result<Value, String> {
        Value::parse(kind, text.to_owned())
    }

    #[test]
    fn booleans_in_any_case() {
        for text in ["true", "1", "on", "yes", "True", "TRUE", "oN", "YES"] {
            assert_eq!(parse(&OptionKind::Bool, text), Ok(Value::Bool(true)), "{text}");
        }
        for text in ["false", "0", "off", "no", "False", "OFF", "nO"] {
            assert_eq!(parse(&OptionKind::Bool, text), Ok(Value::Bool(false)), "{text}");
        }
        for text in ["", "2", "t", "y", "enabled", " true", "true ", "01", "yes\nno"] {
            assert!(parse(&OptionKind::Bool, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn integers_in_pythons_notation() {
        let cases = [
            ("0", 0),
            ("7", 7),
            ("-7", -7),
            ("+7", 7),
            (" 7 ", 7),
            ("007", 7),
            ("1_000", 1000),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, number) in cases {
            assert_eq!(parse(&ANY, text), Ok(Value::Int(Some(number))), "{text:?}");
        }
        for text in ["", " ", "\n"] {
            assert_eq!(parse(&ANY, text), Ok(Value::Int(None)), "{text:?}");
        }
        for text in [
            "x",
            "1.5",
            "0x10",
            "1e3",
            "1 2",
            "--1",
            "+-1",
            "+",
            "_1",
            "1_",
            "1__0",
            "-_1",
            "9223372036854775808",
            "5 # five",
        ] {
            assert!(parse(&ANY, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn integers_out_of_range_name_the_range() {
        let cases = [
            (Some(1), Some(9), "0", "from 1 to 9"),
            (Some(1), Some(9), "10", "from 1 to 9"),
            (Some(1), None, "0", "1 or more"),
            (None, Some(9), "10", "9 or less"),
            (Some(1), None, "x", "1 or more"),
            (Some(1), None, "99999999999999999999", "whole number, 1 or more"),
            (None, None, "x", "whole number"),
        ];
        for (min, max, text, words) in cases {
            let reason = parse(&OptionKind::Int { min, max }, text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
        for text in ["1", "9"] {
            let kind = OptionKind::Int { min: Some(1), max: Some(9) };
            assert!(parse(&kind, text).is_ok(), "{text}");
        }
    }

    #[test]
    fn lists_split_at_commas() {
        let cases: [(&str, &[&str]); 11] = [
            ("", &[]),
            (" ", &[]),
            (",", &[]),
            ("a", &["a"]),
            ("a,b", &["a", "b"]),
            (" a , b ", &["a", "b"]),
            ("a,,b", &["a", "", "b"]),
            ("a,b,,", &["a", "b"]),
            ("a,b, ,", &["a", "b", ""]),
            (",a", &["", "a"]),
            ("\"a\",'b'", &["\"a\"", "'b'"]),
        ];
        for (text, items) in cases {
            let items = items.iter().map(|item| (*item).to_owned()).collect();
            assert_eq!(parse(&OptionKind::List, text), Ok(Value::List(items)), "{text:?}");
        }
    }

    #[test]
    fn dicts_split_at_the_first_colon_and_keep_their_order() {
        let cases: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            (" ", &[]),
            ("a:file,b:http", &[("a", "file"), ("b", "http")]),
            ("b:http,a:file", &[("b", "http"), ("a", "file")]),
            (" a : file , b:http ", &[("a", "file"), ("b", "http")]),
            ("a:", &[("a", "")]),
            ("a:b:c", &[("a", "b:c")]),
            ("a:file;b:http", &[("a", "file;b:http")]),
            ("a:file,\nb:http", &[("a", "file"), ("b", "http")]),
        ];
        for (text, entries) in cases {
            let entries =
                entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(parse(&OptionKind::Dict, text), Ok(Value::Dict(entries)), "{text:?}");
        }
        let refused = [
            ("a", "entry 1 is not name:value"),
            ("a:file,", "entry 2 is not name:value"),
            ("a:file,b", "entry 2 is not name:value"),
            ("a:file,,b:http", "entry 2 is not name:value"),
            (":file", "entry 1 has no name"),
            ("a:file, :http", "entry 2 has no name"),
            ("a:file,a:http", "entry 2 repeats"),
        ];
        for (text, words) in refused {
            let reason = parse(&OptionKind::Dict, text).unwrap_err();
            assert!(reason.contains(words), "{text:?}: {reason}");
        }
    }

    #[test]
    fn choices_are_exact() {
        let kind = OptionKind::Choice(&["file", "http"]);
        assert_eq!(parse(&kind, "http"), Ok(Value::Text(Some("http".to_owned().into()))));
        for text in ["", "HTTP", " http", "https"] {
            assert_eq!(parse(&kind, text), Err("must be one of file, http".to_owned()));
        }
    }
}
