use super::*;
use crate::http::Scheme;

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

#[test]
fn names_are_escaped_below_the_root() {
    for (root, names, query, uri) in [
        ("h/v1/AUTH_a", &["c", "o"][..], "", "https://h/v1/AUTH_a/c/o"),
        ("h:8080/v1/AUTH_a/", &["c"], "?format=json", "https://h:8080/v1/AUTH_a/c?format=json"),
        ("h", &["a b", "x%2Fy?z#ü"], "", "https://h/a%20b/x%252Fy%3Fz%23%C3%BC"),
    ] {
        let root = Url::parse(Scheme::Https, root).unwrap();
        assert_eq!(below(&root, names, query).unwrap().to_uri(), uri);
    }
    assert!(below(&Url::parse(Scheme::Https, "h/v1?x=y").unwrap(), &["c"], "").is_err());
}

#[test]
fn objects_say_how_they_are_laid_out() {
    let layout = |pairs: &[_]| Object::read(&headers(pairs), Some(1)).map(|object| object.layout);
    let at = |container: &str, prefix: &str| Layout::Dynamic { container: container.into(), prefix: prefix.into() };
    assert_eq!(layout(&[]).unwrap(), Layout::Plain);
    for (manifest, expected) in [
        ("glance/id-", at("glance", "id-")),
        ("/glance/id-", at("glance", "id-")),
        ("a%20b/x%2Fy/%C3%BC-", at("a b", "x/y/ü-")),
    ] {
        assert_eq!(layout(&[(OBJECT_MANIFEST, manifest)]).unwrap(), expected, "{manifest}");
    }
    for manifest in ["glance", "glance/", "/", ""] {
        assert!(layout(&[(OBJECT_MANIFEST, manifest)]).is_err(), "{manifest}");
    }
    for value in ["True", "true", "TRUE"] {
        assert_eq!(layout(&[(STATIC_LARGE_OBJECT, value)]).unwrap(), Layout::Static);
    }
    assert_eq!(layout(&[(STATIC_LARGE_OBJECT, "false")]).unwrap(), Layout::Plain);
}

#[test]
fn manifests_are_read_back_as_they_were_written() {
    for (container, prefix) in [("glance", "fdae39a1-"), ("a b%", "ü/ä-"), ("c", "50%25-")] {
        let value = manifest_value(container, prefix).unwrap();
        let expected = Layout::Dynamic { container: container.into(), prefix: prefix.into() };
        assert_eq!(dynamic(&value).unwrap(), expected);
    }
    assert_eq!(manifest_value("glance", "fdae39a1-bac5_.~-").unwrap(), "glance/fdae39a1-bac5_.~-");
}

#[test]
fn hashes_lose_their_quotes() {
    for (etag, hash) in [("\"0AB\"", "0ab"), ("0ab", "0ab"), ("", "")] {
        assert_eq!(etag_of(&headers(&[(ETAG, etag)])), hash);
    }
    assert_eq!(etag_of(&HeaderMap::new()), "");
}

#[test]
fn listings_are_read_strictly() {
    let read = |text: &str| listed(&serde_json::from_str(text).unwrap());
    let page = r#"[{"name": "a/ü", "bytes": 5, "hash": "0AB", "content_type": "x", "last_modified": "y"}]"#;
    let expected = vec![Listed { name: "a/ü".into(), size: 5, hash: "0ab".into(), upload_id: None }];
    assert_eq!((read(page), read("[]")), (Some(expected), Some(vec![])));
    assert_eq!(type_for("12ef").unwrap(), "application/octet-stream;glance-store-upload=12ef");
    for content_type in ["a/b;glance-store-upload=12ef", "a/b; charset=x; glance-store-upload=12ef"] {
        let page = format!(r#"[{{"name": "a", "bytes": 5, "hash": "", "content_type": "{content_type}"}}]"#);
        assert_eq!(read(&page).unwrap()[0].upload_id.as_deref(), Some("12ef"));
    }
    for text in ["{}", "[1]", r#"[{"subdir": "a/"}]"#, r#"[{"name": "a", "bytes": -1, "hash": ""}]"#] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_listing_grows_by_what_was_asked_for_and_not_for_ever() {
    let page = |names: &[&str]| -> Vec<Listed> {
        let listed = |name: &&str| Listed { name: (*name).into(), size: 1, hash: String::new(), upload_id: None };
        names.iter().map(listed).collect()
    };
    let mut all = Vec::new();
    take_page(&mut all, page(&["id-1", "id-2"]), "id-", 3).unwrap();
    take_page(&mut all, page(&["id-3"]), "id-", 3).unwrap();
    assert_eq!(all, page(&["id-1", "id-2", "id-3"]));
    for (names, words) in [
        (&["id-4"][..], "more than 3 objects begin with \"id-\""),
        (&["id-3"], "not asked for"),
        (&["id-0"], "not asked for"),
        (&["other"], "not asked for"),
    ] {
        assert!(take_page(&mut all, page(names), "id-", 3).unwrap_err().contains(words), "{names:?}");
        assert_eq!(all.len(), 3);
    }
}
