//! The XML that S3 servers answer, read into a small tree.  Nothing in it is trusted: its size, depth and
//! number of elements are limited, and it can neither define nor use entities of its own.

use quick_xml::events::{BytesRef, Event};
use quick_xml::reader::Reader;

/// Answers nest four deep at most.
const MAX_DEPTH: usize = 16;

/// A listing of a thousand uploads or parts has about ten thousand.
const MAX_ELEMENTS: usize = 50_000;

/// One element: its name without prefix, its text without the blanks around it, and what is inside.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The document's outermost element.
    pub fn parse(document: &[u8]) -> Result<Element, String> {
        let text = str::from_utf8(document).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        let mut count = 0;
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            match event {
                Event::Start(_) | Event::Empty(_) if count == MAX_ELEMENTS => {
                    return Err(format!("it has more than {MAX_ELEMENTS} elements"));
                }
                Event::Start(_) | Event::Empty(_) if open.len() == MAX_DEPTH => {
                    return Err(format!("it nests more than {MAX_DEPTH} deep"));
                }
                Event::Start(tag) => {
                    count += 1;
                    open.push(Element::named(tag.local_name().as_ref()));
                }
                Event::Empty(tag) => {
                    count += 1;
                    let element = Element::named(tag.local_name().as_ref());
                    if let Some(root) = close(&mut open, element) {
                        return Ok(root);
                    }
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("an element ends that never began")?;
                    if let Some(root) = close(&mut open, element) {
                        return Ok(root);
                    }
                }
                Event::Text(text) => append(&mut open, &text)?,
                Event::CData(text) => append(&mut open, &text)?,
                Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?)?,
                Event::DocType(_) => return Err("it defines a document type".into()),
                Event::Eof => return Err("it ends too early".into()),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
    }

    fn named(name: &str) -> Self {
        Element { name: name.to_owned(), ..Element::default() }
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of a name; none when it is empty.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Every child of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Puts an element that has ended where it belongs; the outermost is the result.
fn close(open: &mut [Element], mut element: Element) -> Option<Element> {
    element.text = element.text.trim().to_owned();
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(element);
            None
        }
        None => Some(element),
    }
}

fn append(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim_start_matches('\u{feff}').trim().is_empty() => {}
        None => return Err("it has text outside of its elements".into()),
    }
    Ok(())
}

/// What a reference stands for: a character by its number, or one of the five names that XML has.
fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.into());
    }
    match &**reference {
        "amp" => Ok("&".into()),
        "lt" => Ok("<".into()),
        "gt" => Ok(">".into()),
        "quot" => Ok("\"".into()),
        "apos" => Ok("'".into()),
        _ => Err("it uses an entity that XML does not have".into()),
    }
}

/// A text as the content of an element.
pub fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;

    fn parse(text: &str) -> Result<Element, String> {
        Element::parse(text.as_bytes())
    }

    #[test]
    fn answers_become_trees() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<!-- - -->\n<s3:Error xmlns:s3='x'> <Code>A&amp;B&#65;</Code><Empty/>\
                    <M><![CDATA[<&]]> t </M><M>2</M></s3:Error>garbage that is not looked at";
        let root = parse(text).unwrap();
        assert_eq!(root.name, "Error");
        assert_eq!(root.text_of("Code"), Some("A&BA"));
        assert_eq!((root.text_of("Empty"), root.text_of("None")), (None, None));
        let texts: Vec<&str> = root.all("M").map(|element| element.text.as_str()).collect();
        assert_eq!(texts, ["<& t", "2"]);
        assert_eq!(parse("<a/>").unwrap(), Element { name: "a".into(), ..Element::default() });
    }

    #[test]
    fn hostile_and_broken_answers_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        let deep = "<a>".repeat(1_000_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        for (text, words) in [
            (bomb, "document type"),
            ("<a>&b;</a>", "an entity"),
            (&deep, "16 deep"),
            (&wide, "50000 elements"),
            ("<a><b>", "too early"),
            ("<a>text", "too early"),
            ("", "too early"),
            ("not XML", "outside"),
            ("</a>", ""),
            ("<a></b></a>", ""),
            ("<a>&#x110000;</a>", ""),
            ("<a>&#0;</a>", ""),
            ("<a", ""),
            ("<a>&amp</a>", ""),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(words), "{words}: {reason}");
        }
        assert!(Element::parse(b"<a>\xff</a>").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn escaped_texts_come_back() {
        for text in ["", "plain", "<a>&\"'é", "]]>", "&amp;"] {
            let root = parse(&format!("<a>x{}</a>", escape(text))).unwrap();
            assert_eq!(root.text.strip_prefix('x'), Some(text));
        }
    }

    #[test]
    fn mutated_answers_are_read_or_refused() {
        const SEED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListPartsResult xmlns=\"http://s3/\">\
            <UploadId>2~x</UploadId><Part><PartNumber>1</PartNumber><ETag>&quot;d41d&quot;</ETag></Part>\
            <IsTruncated>false</IsTruncated></ListPartsResult>";
        const TOKENS: &[&str] = &[
            "<", ">", "</", "/>", "&", ";", "&#", "&#x", "<![CDATA[", "]]>", "<!--", "-->", "<?", "?>",
            "<!DOCTYPE", "\"", "'", "=", "\0", "\u{feff}", "xmlns:", "<a>", "</a>", "&lt;", "\r\n",
        ];
        let mut random = Random::new();
        let mut understood = 0;
        for _ in 0..20_000 {
            let mut bytes = SEED.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                random.mutate(&mut bytes, TOKENS);
            }
            understood += usize::from(Element::parse(&bytes).is_ok());
        }
        assert!((100..19_000).contains(&understood), "{understood}");
    }
}
