//! `file://` URIs, as glance_store writes and reads them: the path is literal, nothing is encoded.

use crate::error::{Error, Kind, Result};
use crate::location::{Location, StorageUri, shorten};

pub const SCHEMES: &[&str] = &["file", "filesystem"];

const CANONICAL: &str = "file";

/// The location of a path.  Query and fragment are dropped and blanks around the path ignored, as
/// glance_store does; a host is refused where glance_store made it a directory below its own.
pub fn locate(uri: &StorageUri) -> Result<Location> {
    let rest = uri.rest();
    let path = rest.split(['?', '#']).next().unwrap_or_default().trim();
    let path = path.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(path);
    if path.is_empty() {
        return Err(uri.bad("it has no path"));
    }
    if !path.starts_with('/') {
        return Err(uri.bad("a file URI names no host: write file:///path"));
    }
    if path.contains('\0') {
        return Err(uri.bad("a path cannot hold a NUL byte"));
    }
    Ok(Location::new(uri.scheme(), format!("{CANONICAL}://{path}")))
}

/// The path that a location of this driver names.
pub fn path_of(location: &Location) -> &str {
    location.uri().strip_prefix("file://").unwrap_or_default()
}

/// Where `image_id` lies in `directory`, joined as Python does.
pub fn location_in(directory: &str, image_id: &str) -> Location {
    let separator = if directory.ends_with('/') { "" } else { "/" };
    Location::new(CANONICAL, format!("{CANONICAL}://{directory}{separator}{image_id}"))
}

/// Why a text cannot be part of a file URI that leads back to it.
fn oddity(text: &str) -> Option<&'static str> {
    if text.contains(['?', '#']) {
        return Some("holds '?' or '#', which end the path of a URI");
    }
    if text.chars().any(char::is_control) {
        return Some("holds a control character");
    }
    if text.trim() != text {
        return Some("begins or ends with a blank");
    }
    None
}

/// Refuses identifiers that would leave the data directory or not be found again.
pub fn check_image_id(image_id: &str) -> Result<()> {
    const NAME_MAX: usize = 255;
    let reason = if image_id.is_empty() {
        Some("is empty")
    } else if image_id == "." || image_id == ".." || image_id.contains('/') {
        Some("is not the name of a file in one directory")
    } else if image_id.len() > NAME_MAX {
        Some("is longer than 255 bytes")
    } else if super::staging::is_staging_name(image_id) {
        Some("is a name that files being written have")
    } else {
        oddity(image_id)
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            Err(Error::new(Kind::Invalid, format!("the image id {:?} {reason}", shorten(image_id))))
        }
    }
}

/// Why no image in this data directory would have a URI that leads back to it.
pub fn directory_oddity(directory: &str) -> Option<&'static str> {
    if !directory.starts_with('/') {
        return Some("is not an absolute path");
    }
    oddity(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String> {
        locate(&StorageUri::parse(text)?).map(|location| location.uri().to_owned())
    }

    #[test]
    fn uris_of_the_reference_have_its_canonical_form() {
        for (text, expected) in [
            ("file:///a/b", "file:///a/b"),
            ("filesystem:///a/b", "file:///a/b"),
            ("FILE:///a/b", "file:///a/b"),
            ("file:////tmp/x", "file:////tmp/x"),
            ("file:///a?b=c", "file:///a"),
            ("file:///a#f", "file:///a"),
            ("file:///a;p=1", "file:///a;p=1"),
            ("file:///a%20b", "file:///a%20b"),
            ("file:///a b ", "file:///a b"),
            ("file:///a\nb", "file:///ab"),
            ("file:///", "file:///"),
            ("file:///../../etc/passwd", "file:///../../etc/passwd"),
            ("file://localhost/a", "file:///a"),
            ("file:///ä/\u{1F600}", "file:///ä/\u{1F600}"),
        ] {
            assert_eq!(canonical(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn uris_without_a_path_or_with_a_host_are_refused() {
        for text in
            ["file://", "file://   ", "file://?a", "file://host/a", "file://localhost", "file:///a\0b"]
        {
            assert_eq!(canonical(text).unwrap_err().kind(), Kind::BadUri, "{text:?}");
        }
    }

    #[test]
    fn directories_and_ids_are_joined_as_python_joins() {
        for (directory, uri) in
            [("/d", "file:///d/x"), ("/d/", "file:///d/x"), ("/d//", "file:///d//x"), ("/", "file:///x")]
        {
            assert_eq!(location_in(directory, "x").uri(), uri);
        }
    }

    #[test]
    fn ids_that_would_not_be_found_again_are_refused() {
        for id in ["a", "a b", "ä", "a;b", "a%20b", "a@b:c", ".hidden", "-", &"x".repeat(255)] {
            check_image_id(id).unwrap();
        }
        let long = "x".repeat(256);
        for id in [
            "",
            ".",
            "..",
            "a/b",
            "/a",
            "../a",
            "a?b",
            "a#b",
            " a",
            "a ",
            "a\nb",
            "a\u{7f}",
            ".gs-00.part",
            &long,
        ] {
            assert_eq!(check_image_id(id).unwrap_err().kind(), Kind::Invalid, "{id:?}");
        }
    }
}
