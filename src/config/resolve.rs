//! From collected texts to typed options: which setting counts, and whether every key is known.

use super::options::{Entry, OptionKind, OptionSpec, Options, Origin, Place};
use super::options::{find, printable, refused, refused_default};
use super::substitute::Substitution;
use super::value::Value;
use super::{Config, Found, foreign, normal_name};
use crate::error::{Error, Kind, Result};

/// The groups that are searched for a value, in order; the first that sets it wins.
pub struct Scope {
    groups: Vec<String>,
}

impl Scope {
    pub fn new(groups: &[&str]) -> Self {
        Scope { groups: groups.iter().map(|group| (*group).to_owned()).collect() }
    }

    /// `group` and the groups that are searched after it; `None` when it is not in the scope.
    pub(super) fn from(&self, group: &str) -> Option<&[String]> {
        let wanted = normal_name(group);
        let start = self.groups.iter().position(|group| normal_name(group) == wanted)?;
        self.groups.get(start..)
    }
}

/// A configuration as one scope and one option table see it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub config: &'a Config,
    pub scope: &'a Scope,
    pub table: &'a [&'static [OptionSpec]],
}

impl Config {
    /// The typed value of every option in `table` as `scope` sees it.
    ///
    /// Fails with `BadConfig`, naming place, group, key and value, when a value is not of its type
    /// or range, or refers to something that is not set.
    pub fn resolve(&self, scope: &Scope, table: &[&'static [OptionSpec]]) -> Result<Options> {
        let view = View { config: self, scope, table };
        let specs = table.iter().flat_map(|part| part.iter());
        let entries: Result<Vec<Entry>> = specs.map(|spec| view.entry(spec)).collect();
        Ok(Options { group: view.home().to_owned(), entries: entries? })
    }

    /// Fails with `BadConfig` when a key of `group` is in no `known` table and is no option of a
    /// driver that this library does not have yet; names the key's place and the nearest known key.
    pub fn check_known(&self, group: &str, known: &[&'static [OptionSpec]]) -> Result<()> {
        let Some(group) = self.group(group) else {
            return Ok(());
        };
        let is_known = |key: &str| find(known, key).is_some() || foreign::knows(key);
        let unknown = group.settings.iter().filter(|(key, _)| !is_known(key));
        let first = unknown
            .filter_map(|(key, settings)| Some((key, settings.first()?)))
            .min_by_key(|(_, setting)| (setting.source, setting.place.line()));
        let Some((key, setting)) = first else {
            return Ok(());
        };
        let specs = known.iter().flat_map(|part| part.iter());
        let advice = match nearest(key, specs.map(|spec| spec.name).chain(foreign::names())) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "remove it or correct its name".to_owned(),
        };
        let (place, group, key) = (&setting.place, printable(&group.name), printable(key));
        let message = format!("{place}: [{group}] {key}: there is no such option; {advice}");
        Err(Error::new(Kind::BadConfig, message))
    }
}

impl View<'_> {
    /// The group that an option belongs in.
    fn home(&self) -> &str {
        self.scope.groups.first().map_or("DEFAULT", String::as_str)
    }

    fn entry(&self, spec: &'static OptionSpec) -> Result<Entry> {
        let names = Vec::from_iter(spec.names());
        for (index, group) in self.scope.groups.iter().enumerate() {
            let settings = self.config.settings(group, &names);
            let Some(last) = settings.last() else {
                continue;
            };
            let origin = Origin {
                group: group.clone(),
                place: last.setting.place.clone(),
                written: last.setting.value.clone(),
            };
            let value = self.value(spec, &settings, last).map_err(|reason| refused(spec, &origin, reason))?;
            // A blank integer means "not here": the next group decides, and the last one means it.
            let is_last = index + 1 == self.scope.groups.len();
            if is_last || !matches!(value, Value::Int(None)) {
                return Ok(Entry { spec, value, origin: Some(origin) });
            }
        }
        let value = self.default(spec).map_err(|reason| refused_default(spec, self.home(), reason))?;
        Ok(Entry { spec, value, origin: None })
    }

    fn default(&self, spec: &OptionSpec) -> std::result::Result<Value, String> {
        match spec.default {
            Some(default) => Value::parse(&spec.kind, default.to_owned()),
            None => Ok(Value::empty(&spec.kind)),
        }
    }

    fn value(
        &self,
        spec: &OptionSpec,
        settings: &[Found],
        last: &Found,
    ) -> std::result::Result<Value, String> {
        let expand = |found: &Found, text: &str| {
            let substitution = Substitution::new(*self, *found);
            substitution.expand(text).map_err(|failure| failure.reason(spec.secret))
        };
        if !matches!(spec.kind, OptionKind::MultiStr) {
            return Value::parse(&spec.kind, expand(last, last.setting.value.expose())?);
        }
        let mut values = Vec::new();
        for found in since_last_call(settings) {
            for text in texts(found) {
                values.push(expand(found, text)?);
            }
        }
        Ok(Value::List(values))
    }
}

/// The settings that make up a repeatable key: a call replaces all that came before it.
fn since_last_call<'a, 'b>(settings: &'a [Found<'b>]) -> &'a [Found<'b>] {
    let is_call = |found: &Found| found.setting.place == Place::Call;
    &settings[settings.iter().rposition(is_call).unwrap_or(0)..]
}

/// The values of a repeatable key that one setting gives: a line in a file one, a call any number.
fn texts<'a>(found: &Found<'a>) -> Vec<&'a str> {
    let text = found.setting.value.expose();
    match found.setting.place {
        Place::File { .. } => vec![text],
        Place::Call => text.lines().collect(),
    }
}

/// The name that `key`, or any other word of a configuration, was probably meant to be.
pub fn nearest(key: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    /// No option name comes near this; comparing is quadratic in the length.
    const LONGEST: usize = 100;
    /// The share of letters that must agree.
    const ALIKE: f64 = 0.6;
    if key.len() > LONGEST {
        return None;
    }
    let key = key.to_lowercase();
    let likeness = |name| strsim::normalized_damerau_levenshtein(&key, name);
    names
        .map(|name| (likeness(name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
