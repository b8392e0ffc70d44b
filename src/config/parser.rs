//! The line syntax of an oslo.config file: groups, keys, values, nothing of their meaning.

/// One `key = value` with everything that continues it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub key: String,
    /// Without the quotes around it; the lines of a continued value are joined by `\n`.
    pub value: String,
    /// The line that the key stands on, counted from 1.
    pub line: usize,
}

/// One `[group]` header with the assignments below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub group: String,
    pub assignments: Vec<Assignment>,
}

/// Why a text is not an oslo.config file.  The reason never quotes the line: it may hold a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub line: usize,
    pub reason: &'static str,
}

/// The sections of a file in written order; a group that is opened again gets a section again.
pub(super) fn parse(text: &str) -> Result<Vec<Section>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sections = Vec::new();
    let mut value_is_open = false;
    for (index, line) in lines(text).enumerate() {
        let at_line = |reason| SyntaxError { line: index + 1, reason };
        if line.contains('\0') {
            return Err(at_line("holds a NUL byte; a configuration file is text"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            value_is_open = false;
        } else if line.starts_with([' ', '\t']) {
            let assignment = value_is_open
                .then(|| last_assignment(&mut sections))
                .flatten()
                .ok_or_else(|| at_line("starts with a blank, but there is no value to continue"))?;
            assignment.value.push('\n');
            assignment.value.push_str(line.trim_start());
        } else if line.starts_with('[') {
            value_is_open = false;
            sections.push(Section {
                group: group_name(line).map_err(at_line)?.to_owned(),
                assignments: Vec::new(),
            });
        } else if line.starts_with(['#', ';']) {
            value_is_open = false;
        } else {
            let (key, value) = key_and_value(line).map_err(at_line)?;
            let section = sections.last_mut().ok_or_else(|| at_line("sets a key before any [group]"))?;
            section.assignments.push(Assignment {
                key: key.to_owned(),
                value: value.to_owned(),
                line: index + 1,
            });
            value_is_open = true;
        }
    }
    Ok(sections)
}

/// Lines that end in LF, CR LF or CR, as Python reads a text file.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn last_assignment(sections: &mut [Section]) -> Option<&mut Assignment> {
    sections.last_mut()?.assignments.last_mut()
}

fn group_name(line: &str) -> Result<&str, &'static str> {
    let name = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or("opens a [group] but does not end with \"]\"")?;
    if name.trim().is_empty() {
        return Err("opens a [group] without a name");
    }
    if name.trim() != name {
        return Err("has blanks inside the brackets of its [group]");
    }
    Ok(name)
}

fn key_and_value(line: &str) -> Result<(&str, &str), &'static str> {
    let (key, value) =
        line.split_once(['=', ':']).ok_or("is neither \"key = value\", \"[group]\" nor a comment")?;
    let key = key.trim_end();
    if key.is_empty() {
        return Err("has no key in front of its \"=\" or \":\"");
    }
    Ok((key, unquoted(value.trim())))
}

/// A value that begins and ends with the same quote loses both; a lone quote is an empty value.
fn unquoted(value: &str) -> &str {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return value;
    };
    if !value.ends_with(quote) {
        return value;
    }
    value.get(1..value.len() - 1).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The assignments as (line, group, key, value).
    fn flat(text: &str) -> Vec<(usize, String, String, String)> {
        let sections = parse(text).unwrap_or_else(|e| panic!("{text:?}: {e:?}"));
        sections
            .into_iter()
            .flat_map(|section| {
                let group = section.group;
                section.assignments.into_iter().map(move |a| (a.line, group.clone(), a.key, a.value))
            })
            .collect()
    }

    #[test]
    fn values_lose_blanks_and_matching_quotes() {
        let cases = [
            ("k = v", "k", "v"),
            ("k=v", "k", "v"),
            ("k: v", "k", "v"),
            ("k\t=\tv\t", "k", "v"),
            ("two words = a b", "two words", "a b"),
            ("k = a:b", "k", "a:b"),
            ("k : a=b", "k", "a=b"),
            ("k == v", "k", "= v"),
            ("k =", "k", ""),
            ("k = \"v\"", "k", "v"),
            ("k = 'v'", "k", "v"),
            ("k = ' v '", "k", " v "),
            ("k = \"\"", "k", ""),
            ("k = \"", "k", ""),
            ("k = '", "k", ""),
            ("k = \"v'", "k", "\"v'"),
            ("k = v\"", "k", "v\""),
            ("k = \"a\",\"b\"", "k", "a\",\"b"),
            ("k = \"'v'\"", "k", "'v'"),
            ("k = v # no comment", "k", "v # no comment"),
            ("k = v ; no comment", "k", "v ; no comment"),
            ("schlüssel = wörter", "schlüssel", "wörter"),
            ("k =\u{a0}v\u{a0}", "k", "v"),
        ];
        for (line, key, value) in cases {
            let expected = vec![(2, "g".to_owned(), key.to_owned(), value.to_owned())];
            assert_eq!(flat(&format!("[g]\n{line}\n")), expected, "{line}");
        }
    }

    #[test]
    fn indented_lines_continue_a_value() {
        let cases = [
            ("k = a\n b", vec!["a\nb"]),
            ("k = a\n\tb\n   c  ", vec!["a\nb\nc"]),
            ("k =\n  b", vec!["\nb"]),
            ("k = a\n # text", vec!["a\n# text"]),
            ("k = a\n [b]", vec!["a\n[b]"]),
            ("k = a\n x = y", vec!["a\nx = y"]),
            ("k = \"a\n b\"", vec!["\"a\nb\""]),
            ("k = 'a'\n b", vec!["a\nb"]),
            ("k = a\n b\nk = c\n d", vec!["a\nb", "c\nd"]),
        ];
        for (text, expected) in cases {
            let values: Vec<_> = flat(&format!("[g]\n{text}")).into_iter().map(|found| found.3).collect();
            assert_eq!(values, expected, "{text:?}");
        }
    }

    #[test]
    fn line_ends_marks_and_empty_files() {
        for text in ["", "\u{feff}", "\n\n", "# only\n; comments\n", "   \n\t\n"] {
            assert_eq!(parse(text), Ok(vec![]), "{text:?}");
        }
        let expected = vec![
            (2, "g".to_owned(), "a".to_owned(), "1".to_owned()),
            (4, "g".to_owned(), "b".to_owned(), "2".to_owned()),
        ];
        for text in [
            "[g]\na = 1\n\nb = 2",
            "[g]\r\na = 1\r\n\r\nb = 2\r\n",
            "[g]\ra = 1\r\rb = 2\r",
            "\u{feff}[g]\na = 1\n\nb = 2\n",
        ] {
            assert_eq!(flat(text), expected, "{text:?}");
        }
    }

    #[test]
    fn groups_keep_their_spelling_and_order() {
        let sections = parse("[b]\n[A b]\nk = 1\n[[x]]\n[b]\nk = 2\n").unwrap();
        let groups: Vec<_> = sections.iter().map(|s| s.group.as_str()).collect();
        assert_eq!(groups, ["b", "A b", "[x]", "b"]);
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("k = v", 1, "before any [group]"),
            ("[g]\nno separator", 2, "neither"),
            ("[g]\n= v", 2, "no key"),
            ("[g]\n: v", 2, "no key"),
            ("[g]\n\n  lost", 3, "no value to continue"),
            ("  lost", 1, "no value to continue"),
            ("[g]\n lost", 2, "no value to continue"),
            ("[g]\nk = v\n# c\n lost", 4, "no value to continue"),
            ("[g]\nk = v\n\n lost", 4, "no value to continue"),
            ("[g]\nk = v\n[h]\n lost", 4, "no value to continue"),
            ("[g", 1, "does not end"),
            ("[g] # comment", 1, "does not end"),
            ("[", 1, "does not end"),
            ("[]", 1, "without a name"),
            ("[ ]", 1, "without a name"),
            ("[ g ]", 1, "blanks inside"),
            ("[g]\nk = a\0b", 2, "NUL"),
            ("# c\0", 1, "NUL"),
        ];
        for (text, line, words) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.reason.contains(words), "{text:?}: {}", error.reason);
        }
    }
}
