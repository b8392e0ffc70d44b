//! Options as data: what a driver can be told, and what it was told.

use std::sync::Arc;

use super::value::Value;
use crate::error::{Error, Kind};
use crate::secret::{HIDDEN, Secret};

/// The type of an option's value.
#[derive(Clone, Copy, Debug)]
pub enum OptionKind {
    Str,
    /// One of these words, exactly.
    Choice(&'static [&'static str]),
    /// A whole number; a blank value is "no number".
    Int {
        min: Option<i64>,
        max: Option<i64>,
    },
    Bool,
    /// Words separated by commas.
    List,
    /// `name:value` entries separated by commas, in written order.
    Dict,
    /// A key that may be repeated; every value counts, in written order.
    MultiStr,
}

/// One option that a configuration may set: data for parsing, error texts and documentation.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    pub name: &'static str,
    pub kind: OptionKind,
    /// The value of an option that is set nowhere, written as in a file but without substitution.
    pub default: Option<&'static str>,
    /// A secret option's value appears in no error.
    pub secret: bool,
    pub help: &'static str,
    /// Names that older releases used and that still count; the present name wins.
    pub deprecated_names: &'static [&'static str],
}

impl OptionSpec {
    /// An option without default, not secret, never renamed.
    pub const fn new(name: &'static str, kind: OptionKind, help: &'static str) -> Self {
        OptionSpec { name, kind, default: None, secret: false, help, deprecated_names: &[] }
    }

    pub const fn with_default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub const fn formerly(mut self, names: &'static [&'static str]) -> Self {
        self.deprecated_names = names;
        self
    }

    /// The names that set this option, the one that wins first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        std::iter::once(self.name).chain(self.deprecated_names.iter().copied())
    }
}

/// The option of `table` that `name`, present or former, belongs to.
pub(super) fn find(table: &[&'static [OptionSpec]], name: &str) -> Option<&'static OptionSpec> {
    let mut specs = table.iter().flat_map(|part| part.iter());
    specs.find(|spec| spec.names().any(|known| known == name))
}

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File { path: Arc<str>, line: usize },
    Call,
}

impl Place {
    /// The line in its file; a call has none.
    pub fn line(&self) -> usize {
        match self {
            Place::File { line, .. } => *line,
            Place::Call => 0,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File { path, line } => write!(f, "{path}:{line}"),
            Place::Call => f.write_str("gs_config_set"),
        }
    }
}

/// The setting that an option's value comes from.
pub(super) struct Origin {
    pub group: String,
    pub place: Place,
    /// The text as it was written, before substitution.
    pub written: Secret,
}

/// One option with its value; without origin the value is the default.
pub(super) struct Entry {
    pub spec: &'static OptionSpec,
    pub value: Value,
    pub origin: Option<Origin>,
}

/// The parsed values of every option in a table, as one store sees them.
///
/// Asking for a name that is not in the table, or for another type than the table's, is a bug of the
/// caller: debug builds stop there, release builds answer with the empty value.
pub struct Options {
    /// The group that errors about a value that is not set point to.
    pub(super) group: String,
    pub(super) entries: Vec<Entry>,
}

impl Options {
    /// The value of a `Str` or `Choice` option; `None` when it is neither set nor has a default.
    pub fn str(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Some(Value::Text(text)) => text.as_ref().map(|text| text.as_str()),
            _ => wrong(name, "a string"),
        }
    }

    /// The value of a secret `Str` option in the type that keeps it.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.str(name).map(Secret::new)
    }

    /// The value of an `Int` option; `None` when it is blank, or neither set nor has a default.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Int(number)) => *number,
            _ => wrong(name, "an integer"),
        }
    }

    /// The value of a `Bool` option; false when it is neither set nor has a default.
    pub fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Some(Value::Bool(yes)) => *yes,
            _ => wrong(name, "a boolean"),
        }
    }

    /// The items of a `List` option.
    pub fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Some(Value::List(items)) => items,
            _ => wrong(name, "a list"),
        }
    }

    /// The values of a `MultiStr` option, oldest first.
    pub fn multi(&self, name: &str) -> &[String] {
        self.list(name)
    }

    /// The entries of a `Dict` option in written order.
    pub fn dict(&self, name: &str) -> &[(String, String)] {
        match self.value(name) {
            Some(Value::Dict(entries)) => entries,
            _ => wrong(name, "a dict"),
        }
    }

    /// Whether the option was set in any group of the scope, be it to an empty string, 0 or false.
    pub fn is_set(&self, name: &str) -> bool {
        self.set_in(name).is_some()
    }

    /// The group whose setting gave the value; `None` for a default.
    pub fn set_in(&self, name: &str) -> Option<&str> {
        let origin = self.entry(name)?.origin.as_ref()?;
        Some(&origin.group)
    }

    /// A `BadConfig` error that says where and how the option was set, and `reason`.
    pub fn bad(&self, name: &str, reason: impl std::fmt::Display) -> Error {
        let Some(entry) = self.entry(name) else {
            let group = printable(&self.group);
            return Error::new(Kind::BadConfig, format!("[{group}] {name}: {reason}"));
        };
        match &entry.origin {
            Some(origin) => refused(entry.spec, origin, reason),
            None => refused_default(entry.spec, &self.group, reason),
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(|entry| &entry.value)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.spec.name == name)
    }
}

/// The answer to a question that the option table does not allow.
fn wrong<T: Default>(name: &str, wanted: &str) -> T {
    debug_assert!(false, "no option table declares {name} as {wanted}");
    T::default()
}

/// The error for a setting that cannot be used.
pub(super) fn refused(spec: &OptionSpec, origin: &Origin, reason: impl std::fmt::Display) -> Error {
    let value =
        if spec.secret { HIDDEN.to_owned() } else { format!("\"{}\"", printable(origin.written.expose())) };
    let (place, group, name) = (&origin.place, printable(&origin.group), spec.name);
    Error::new(Kind::BadConfig, format!("{place}: [{group}] {name} = {value}: {reason}"))
}

/// The error for an option that is set nowhere.
pub(super) fn refused_default(spec: &OptionSpec, group: &str, reason: impl std::fmt::Display) -> Error {
    let (group, name) = (printable(group), spec.name);
    let state = match spec.default {
        Some(_) if spec.secret => format!("= {HIDDEN} (the default)"),
        Some(default) => format!("= \"{default}\" (the default)"),
        None => "is not set".to_owned(),
    };
    Error::new(Kind::BadConfig, format!("[{group}] {name} {state}: {reason}"))
}

/// A text from outside, fit for one line of an error message.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push_str("...");
    }
    line
}

/// For the tests of every driver: fails when an option table contradicts itself.
#[cfg(test)]
pub(crate) fn assert_sound(table: &[&'static [OptionSpec]]) {
    let mut seen = std::collections::HashSet::new();
    for spec in table.iter().flat_map(|part| part.iter()) {
        for name in spec.names() {
            assert!(seen.insert(name), "{name} is declared twice");
        }
        assert!(!spec.help.trim().is_empty(), "{} has no help", spec.name);
        let Some(default) = spec.default else {
            continue;
        };
        assert!(!default.contains('$'), "the default of {} would need substitution", spec.name);
        if let Err(reason) = Value::parse(&spec.kind, default.to_owned()) {
            panic!("the default of {}: {reason}", spec.name);
        }
    }
}
