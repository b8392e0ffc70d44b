//! The configuration: files in oslo.config's dialect, settings made by calls, typed options.
//!
//! [`Config`] collects texts and knows where each was set; [`Config::resolve`] turns those of one
//! scope into typed [`Options`] by a table of [`OptionSpec`]s.  Only what is resolved is ever parsed
//! or substituted, so a file may hold any number of groups that are not ours.

pub mod foreign;
mod options;
mod parser;
pub mod registry_options;
mod resolve;
mod substitute;
#[cfg(test)]
mod tests;
mod value;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

#[cfg(test)]
pub(crate) use options::assert_sound;
pub use options::{OptionKind, OptionSpec, Options};
pub use resolve::{Scope, nearest};

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;
use options::{Place, printable};

/// The largest file that is read: far above any configuration, far below the memory of a host.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Everything that was loaded and set, with the origin of each value.
#[derive(Default)]
pub struct Config {
    /// In order of appearance.
    groups: Vec<Group>,
    /// From a group's normal name to its place in `groups`.
    index: HashMap<String, usize>,
    /// How many files and calls have contributed.
    sources: usize,
}

struct Group {
    /// As it was written first.
    name: String,
    settings: HashMap<String, Vec<Setting>>,
}

struct Setting {
    value: Secret,
    place: Place,
    /// The ordinal of the file or call; what comes later wins.
    source: usize,
}

/// A setting together with the names it goes by.
#[derive(Clone, Copy)]
struct Found<'a> {
    group: &'a str,
    key: &'a str,
    setting: &'a Setting,
}

impl Config {
    pub fn new() -> Self {
        Config::default()
    }

    /// Adds a file.  What it sets replaces what was set before, except that a repeatable key of
    /// several files keeps all their values.
    ///
    /// Fails with `BadConfig`, naming the file and where possible the line, when the file cannot be
    /// read, is not UTF-8 or not of oslo.config's syntax; nothing of it is taken then.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let shown = path.to_string_lossy().replace(char::is_control, " ");
        let bytes = read(path, &shown)?;
        self.add_file(shown.into(), &bytes)
    }

    fn add_file(&mut self, path: Arc<str>, bytes: &[u8]) -> Result<()> {
        let bad_line =
            |line: usize, reason| Error::new(Kind::BadConfig, format!("{path}:{line}: the line {reason}"));
        let text = str::from_utf8(bytes).map_err(|error| {
            let newlines = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n');
            bad_line(newlines.count() + 1, "is not UTF-8 text")
        })?;
        let sections = parser::parse(text).map_err(|error| bad_line(error.line, error.reason))?;
        self.sources += 1;
        let source = self.sources;
        for section in sections {
            let group = self.group_mut(section.group);
            for assignment in section.assignments {
                let place = Place::File { path: path.clone(), line: assignment.line };
                let setting = Setting { value: Secret::new(assignment.value), place, source };
                group.settings.entry(assignment.key).or_default().push(setting);
            }
        }
        Ok(())
    }

    /// Sets `key` in `group` (`None` is `DEFAULT`), replacing all that it was set to before.
    ///
    /// The value is taken as it is, blanks and quotes included; `$` references are replaced as in a
    /// file.  Each line of it is one value of a repeatable key, and an empty value takes all away.
    /// Fails with `Invalid` when the group or key is empty.
    pub fn set(&mut self, group: Option<&str>, key: &str, value: &str) -> Result<()> {
        let group = group.unwrap_or("DEFAULT");
        for (what, name) in [("group", group), ("key", key)] {
            if name.trim().is_empty() {
                let message = format!("gs_config_set: the {what} is empty");
                return Err(Error::new(Kind::Invalid, message));
            }
        }
        self.sources += 1;
        let setting = Setting { value: Secret::new(value), place: Place::Call, source: self.sources };
        self.group_mut(group.to_owned()).settings.insert(key.to_owned(), vec![setting]);
        Ok(())
    }

    /// Whether the group was opened by a file or a call.
    pub fn has_group(&self, group: &str) -> bool {
        self.group(group).is_some()
    }

    /// The names of all groups in order of appearance.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(*self.index.get(&normal_name(name))?)
    }

    fn group_mut(&mut self, name: String) -> &mut Group {
        let position = *self.index.entry(normal_name(&name)).or_insert(self.groups.len());
        if position == self.groups.len() {
            self.groups.push(Group { name, settings: HashMap::new() });
        }
        &mut self.groups[position]
    }

    /// What `group` sets under any of `names`, the setting that wins last.  Sources come in their
    /// order; within one source the first of the names wins, and of one name its last line.
    fn settings(&self, group: &str, names: &[&str]) -> Vec<Found<'_>> {
        let Some(group) = self.group(group) else {
            return Vec::new();
        };
        let mut ranked = Vec::new();
        for (rank, name) in names.iter().enumerate() {
            let Some((key, settings)) = group.settings.get_key_value(*name) else {
                continue;
            };
            let found = |setting| Found { group: &group.name, key, setting };
            ranked.extend(settings.iter().map(|setting| (rank, found(setting))));
        }
        ranked.sort_by_key(|(rank, found)| (found.setting.source, Reverse(*rank)));
        ranked.into_iter().map(|(_, found)| found).collect()
    }
}

impl Found<'_> {
    /// For error messages: where the setting was made, without its value.
    fn describe(&self) -> String {
        let option = format!("[{}] {}", printable(self.group), printable(self.key));
        format!("{option} ({})", self.setting.place)
    }
}

/// Group names differ in case without meaning it, except that only `DEFAULT` is the default group.
fn normal_name(group: &str) -> String {
    match group {
        "DEFAULT" => group.to_owned(),
        _ => group.to_lowercase(),
    }
}

fn read(path: &Path, shown: &str) -> Result<Zeroizing<Vec<u8>>> {
    let unreadable = |error: std::io::Error| {
        let what = format!("{shown}: the configuration file cannot be read");
        Error::from_os(Kind::BadConfig, what, &error)
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("{shown}: more than {MAX_FILE_BYTES} bytes are no configuration file");
        return Err(Error::new(Kind::BadConfig, message));
    }
    Ok(bytes)
}
