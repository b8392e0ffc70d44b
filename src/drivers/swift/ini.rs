//! The dialect of Python's configparser, in which glance_store's account files are written.

use crate::secret::Secret;

/// One section with its keys in lower case, those of `[DEFAULT]` included.
pub struct Section {
    pub name: String,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    key: String,
    value: Secret,
}

/// Why a text is no such file.  The reason never quotes the line: it may hold a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub line: usize,
    pub reason: &'static str,
}

/// Whose values all sections have that do not set them.
const DEFAULT: &str = "DEFAULT";

/// How deep `%(key)s` may lead, as in Python.
const MAX_DEPTH: usize = 10;

impl Section {
    /// The value of a key, its `%` references replaced; none where it is not set.
    ///
    /// `%%` is a percent sign, and so is one that begins no reference: passwords hold them.
    pub fn value(&self, key: &str) -> Result<Option<Secret>, String> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        self.expand(entry.value.expose(), MAX_DEPTH).map(|text| Some(Secret::new(text)))
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn expand(&self, text: &str, depth: usize) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            rest = match reference(after) {
                Some((name, behind)) => {
                    let name = name.to_lowercase();
                    let inner = self.entry(&name).ok_or_else(|| {
                        format!("refers to {name:?}, which is not set; write %% for a plain %")
                    })?;
                    if depth == 0 {
                        return Err(format!("has references more than {MAX_DEPTH} deep"));
                    }
                    expanded.push_str(&self.expand(inner.value.expose(), depth - 1)?);
                    behind
                }
                None => {
                    expanded.push('%');
                    after.strip_prefix('%').unwrap_or(after)
                }
            };
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// The name of a `%(name)s`, and what follows it.
fn reference(after: &str) -> Option<(&str, &str)> {
    let (name, behind) = after.strip_prefix('(')?.split_once(')')?;
    Some((name, behind.strip_prefix('s')?))
}

/// Reads a file: its sections but `[DEFAULT]`, in their order.
pub fn parse(text: &str) -> Result<Vec<Section>, SyntaxError> {
    let mut reader = Reader::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        reader.line(line).map_err(|reason| SyntaxError { line: index + 1, reason })?;
    }
    Ok(reader.finish())
}

#[derive(Default)]
struct Reader {
    sections: Vec<Section>,
    /// How far the last header or key was indented: what is further in continues it.
    indent: usize,
    /// Whether a value can be continued.
    value_is_open: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.contains('\0') {
            return Err("holds a NUL byte; an account file is text");
        }
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.len() - line.trim_start().len();
        if self.value_is_open && indent > self.indent {
            self.continue_value(content);
            return Ok(());
        }
        self.indent = indent;
        self.value_is_open = false;
        match content.strip_prefix('[').and_then(|header| header.rsplit_once(']')) {
            Some((name, _)) => self.open_section(name),
            None => self.add_entry(content),
        }
    }

    fn continue_value(&mut self, content: &str) {
        let last = self.sections.last_mut().and_then(|section| section.entries.last_mut());
        if let Some(entry) = last {
            entry.value = Secret::new(format!("{}\n{content}", entry.value.expose()));
        }
    }

    fn open_section(&mut self, name: &str) -> Result<(), &'static str> {
        if name.is_empty() {
            return Err("opens a [section] without a name");
        }
        if name != DEFAULT && self.sections.iter().any(|section| section.name == name) {
            return Err("opens a [section] for the second time");
        }
        self.sections.push(Section { name: name.to_owned(), entries: Vec::new() });
        Ok(())
    }

    fn add_entry(&mut self, content: &str) -> Result<(), &'static str> {
        let (key, value) =
            content.split_once(['=', ':']).ok_or("is neither \"key = value\", \"[section]\" nor a comment")?;
        let key = key.trim_end().to_lowercase();
        if key.is_empty() {
            return Err("has no key in front of its \"=\" or \":\"");
        }
        let section = self.sections.last_mut().ok_or("sets a key before any [section]")?;
        if section.entry(&key).is_some() {
            return Err("sets a key for the second time in its [section]");
        }
        section.entries.push(Entry { key, value: Secret::new(value.trim_start()) });
        self.value_is_open = true;
        Ok(())
    }

    fn finish(self) -> Vec<Section> {
        let (defaults, mut sections): (Vec<Section>, Vec<Section>) =
            self.sections.into_iter().partition(|section| section.name == DEFAULT);
        for section in &mut sections {
            let inherited = defaults.iter().flat_map(|default| &default.entries);
            let missing: Vec<Entry> =
                inherited.filter(|entry| section.entry(&entry.key).is_none()).cloned().collect();
            section.entries.extend(missing);
        }
        sections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> Result<Option<String>, String> {
        let sections = parse(&format!("[s]\n{text}\n")).unwrap();
        Ok(sections[0].value(key)?.map(|value| value.expose().to_owned()))
    }

    #[test]
    fn keys_have_no_case_and_two_separators() {
        for line in ["key = v", "KEY=v", "Key: v", "  key\t:\tv  ", "key   =v"] {
            assert_eq!(value(line, "key"), Ok(Some("v".to_owned())), "{line}");
        }
        assert_eq!(value("key = a=b:c # no comment", "key"), Ok(Some("a=b:c # no comment".to_owned())));
        assert_eq!(value("key =", "key"), Ok(Some(String::new())));
        assert_eq!(value("key = v", "other"), Ok(None));
    }

    #[test]
    fn indented_keys_stand_alone_and_deeper_lines_continue() {
        let sections = parse("[s]\n  user = a\n  # note\n  key = b\n    c\n\n[t]\nuser = d").unwrap();
        let of = |index: usize, key| sections[index].value(key).unwrap().unwrap().expose().to_owned();
        assert_eq!((of(0, "user"), of(0, "key"), of(1, "user")), ("a".into(), "b\nc".into(), "d".into()));
    }

    #[test]
    fn every_section_has_the_values_of_default() {
        let text = "[DEFAULT]\nhost = h\nuser = x\n[a]\nuser = y\nauth = https://%(host)s/v3\n[b]\nhost = i\n";
        let sections = parse(text).unwrap();
        let of = |index: usize, key| sections[index].value(key).unwrap().map(|v| v.expose().to_owned());
        assert_eq!(sections.iter().map(|section| section.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(of(0, "user").as_deref(), Some("y"));
        assert_eq!(of(0, "auth").as_deref(), Some("https://h/v3"));
        assert_eq!(of(1, "user").as_deref(), Some("x"));
        assert_eq!(of(1, "host").as_deref(), Some("i"));
    }

    #[test]
    fn a_percent_sign_need_not_be_written_twice() {
        for (written, read) in [
            ("50%off", "50%off"),
            ("50%%off", "50%off"),
            ("%", "%"),
            ("%%%%", "%%"),
            ("a%(b", "a%(b"),
            ("a%(b)c", "a%(b)c"),
        ] {
            assert_eq!(value(&format!("key = {written}"), "key"), Ok(Some(read.to_owned())), "{written}");
        }
        assert!(value("key = %(none)s", "key").unwrap_err().contains("\"none\""));
        assert!(value("key = %(key)s", "key").unwrap_err().contains("deep"));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, words) in [
            ("key = v", 1, "before any"),
            ("[s]\nno separator", 2, "neither"),
            ("[s]\n\n= v", 3, "no key"),
            ("[]", 1, "without a name"),
            ("[s]\na = 1\nA = 2", 3, "second time"),
            ("[s]\n[s]", 2, "second time"),
            ("[s\na = 1", 1, "neither"),
            ("[s]\na = \0", 2, "NUL"),
        ] {
            let error = parse(text).err().unwrap();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.reason.contains(words), "{text:?}: {}", error.reason);
        }
    }
}
