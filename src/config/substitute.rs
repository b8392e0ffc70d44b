//! `$name`, `${name}` and `${group.name}` in values.

use super::Found;
use super::options::{OptionSpec, find, printable};
use super::resolve::View;

/// How far references may lead from one to the next.
const MAX_DEPTH: usize = 32;
/// How much text the references of one value may bring in, so that few lines cannot fill the memory.
const MAX_BYTES: usize = 1 << 20;

/// Why a value's references cannot be replaced.
#[derive(Debug)]
pub(super) enum Failure {
    /// The value names something that is not set.
    Missing {
        name: String,
    },
    /// A value that it refers to, itself or through others, names something that is not set.
    MissingBehind {
        option: String,
    },
    Circle {
        option: String,
    },
    TooDeep,
    TooLong,
}

impl Failure {
    /// One clause for an error message.  Of a secret value it tells nothing, not even the reference.
    pub fn reason(&self, secret: bool) -> String {
        if secret {
            return "a $ in it begins a reference that cannot be replaced; write $$ for a plain $".to_owned();
        }
        match self {
            Failure::Missing { name } => {
                format!("\"{}\" after a $ is not set; write $$ for a plain $", printable(name))
            }
            Failure::MissingBehind { option } => {
                format!("refers to {option}, which refers to an option that is not set")
            }
            Failure::Circle { option } => format!("refers to itself through {option}"),
            Failure::TooDeep => format!("has references more than {MAX_DEPTH} deep"),
            Failure::TooLong => format!("has references that bring in more than {MAX_BYTES} bytes"),
        }
    }
}

/// Replaces the references in one value.
pub(super) struct Substitution<'a> {
    view: View<'a>,
    bytes_left: usize,
    /// The settings whose values led to the text at hand, outermost first.
    path: Vec<Found<'a>>,
}

/// What a reference stands for.
enum Target<'a> {
    Setting(Found<'a>),
    Default(&'static str),
}

impl<'a> Substitution<'a> {
    /// For the value, or one of the values, of `setting`.
    pub fn new(view: View<'a>, setting: Found<'a>) -> Self {
        Substitution { view, bytes_left: MAX_BYTES, path: vec![setting] }
    }

    /// `text` with every reference replaced.
    pub fn expand(mut self, text: &str) -> Result<String, Failure> {
        let group = self.path[0].group;
        self.replace(group, text)
    }

    fn replace(&mut self, group: &'a str, text: &str) -> Result<String, Failure> {
        // `\$` is the same escape as `$$`, and wins over it: `\$$a` is a plain $ and the value of a.
        let text = text.replace("\\$", "$$");
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            replaced.push_str(before);
            rest = match reference(after) {
                Some((name, length)) => {
                    replaced.push_str(&self.value_of(group, name)?);
                    &after[length..]
                }
                None => {
                    replaced.push('$');
                    after.strip_prefix('$').unwrap_or(after)
                }
            };
        }
        replaced.push_str(rest);
        Ok(replaced)
    }

    fn value_of(&mut self, group: &'a str, name: &str) -> Result<String, Failure> {
        let found = match self.target(group, name).ok_or_else(|| self.missing(name))? {
            Target::Default(text) => return Ok(text.to_owned()),
            Target::Setting(found) => found,
        };
        if self.path.iter().any(|outer| std::ptr::eq(outer.setting, found.setting)) {
            return Err(Failure::Circle { option: found.describe() });
        }
        if self.path.len() > MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        let text = found.setting.value.expose();
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or(Failure::TooLong)?;
        self.path.push(found);
        let value = self.replace(found.group, text)?;
        self.path.pop();
        Ok(value)
    }

    fn missing(&self, name: &str) -> Failure {
        match self.path.as_slice() {
            [_, .., last] => Failure::MissingBehind { option: last.describe() },
            _ => Failure::Missing { name: name.to_owned() },
        }
    }

    /// A name with a dot is looked for in the group before the dot only.  A bare one is looked for in
    /// the group of the value that refers to it and in those that the scope has behind that; what is
    /// no option there is looked for in `DEFAULT`.
    fn target(&self, group: &'a str, name: &str) -> Option<Target<'a>> {
        if let Some((group, name)) = name.split_once('.') {
            return self.target_in(&[group], self.spec(group, name), name);
        }
        let groups = match self.view.scope.from(group) {
            Some(groups) => groups.iter().map(String::as_str).collect(),
            None => vec![group],
        };
        let spec = self.spec(group, name);
        let found = self.target_in(&groups, spec, name);
        match spec {
            Some(_) => found,
            None => found.or_else(|| self.target_in(&["DEFAULT"], None, name)),
        }
    }

    fn target_in(
        &self,
        groups: &[&str],
        spec: Option<&'static OptionSpec>,
        name: &str,
    ) -> Option<Target<'a>> {
        let names = spec.map_or_else(|| vec![name], |spec| Vec::from_iter(spec.names()));
        let mut set = groups.iter().filter_map(|group| self.view.config.settings(group, &names).pop());
        set.next().map(Target::Setting).or_else(|| spec?.default.map(Target::Default))
    }

    /// The option that `name` means in `group`, if the option table covers that group.
    fn spec(&self, group: &str, name: &str) -> Option<&'static OptionSpec> {
        self.view.scope.from(group)?;
        find(self.view.table, name)
    }
}

/// The name at the start of `text`, which follows a `$`, and the length of its notation.
fn reference(text: &str) -> Option<(&str, usize)> {
    match text.strip_prefix('{') {
        Some(inner) => {
            let name = leading_name(inner)?;
            inner[name.len()..].starts_with('}').then_some((name, name.len() + 2))
        }
        None => leading_name(text).map(|name| (name, name.len())),
    }
}

/// ASCII letters, digits, `_` and `.`, not beginning with a digit or a dot.
fn leading_name(text: &str) -> Option<&str> {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let end =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(text.len());
    Some(&text[..end])
}
