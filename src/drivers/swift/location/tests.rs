use super::*;

/// User, key, address, container and object; a reference stands for the address.
fn parsed(text: &str) -> (String, String, String, String, String) {
    let uri = StorageUri::parse(text).unwrap();
    let location = SwiftLocation::parse(&uri).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (user, key, address) = match location.via {
        Via::Reference(name) => (String::new(), String::new(), name),
        Via::Address(address) => (String::new(), String::new(), address.url().unwrap().to_uri()),
        Via::Credentials { address, user, key } => {
            (user, key.expose().to_owned(), address.url().unwrap().to_uri())
        }
    };
    (user, key, address, location.container, location.object)
}

#[test]
fn uris_are_read_as_glance_store_reads_them() {
    for (text, user, key, address, container, object) in [
        ("swift://user:pass@example.com/container/obj", "user", "pass", "https://example.com", "container", "obj"),
        ("swift://acct:user:pass@example.com/container/obj", "acct:user", "pass", "https://example.com", "container", "obj"),
        ("swift+http://acct:user:pass@example.com:8080/v3/container/obj", "acct:user", "pass", "http://example.com:8080/v3", "container", "obj"),
        ("swift+https://acct%3Auser:pa%2Fss@example.com/v3/container/obj", "acct:user", "pa/ss", "https://example.com/v3", "container", "obj"),
        ("swift://user:key@uri/cont/obj/extra", "user", "key", "https://uri/cont", "obj", "extra"),
        ("swift://user:key@uri//cont/obj", "user", "key", "https://uri", "cont", "obj"),
        ("swift+config://ref1/glance/x", "", "", "ref1", "glance", "x"),
        ("swift+http://127.0.0.1/glance_123/123", "", "", "http://127.0.0.1", "glance_123", "123"),
        ("swift+https://storage.host/v1/AUTH_x/c/o", "", "", "https://storage.host/v1/AUTH_x", "c", "o"),
        ("swift://u:p@[::1]:8080/c/o", "u", "p", "https://[::1]:8080", "c", "o"),
        ("swift://u:k@h/co%20nt/ob%2Fj", "u", "k", "https://h", "co%20nt", "ob%2Fj"),
        ("swift://u:k@h/c/o?query#fragment", "u", "k", "https://h", "c", "o"),
        ("swift+config://ref1/gl@nce/x@y", "", "", "ref1", "gl@nce", "x@y"),
        ("swift+https://h:8080/gl@nce/x@y", "", "", "https://h:8080", "gl@nce", "x@y"),
        // What glance_store wrote but does not read back.
        ("swift+https://acct%3Auser:pa%3Ass@h/c/o", "acct:user", "pa:ss", "https://h", "c", "o"),
        ("swift+https://acct:user:pa/ss@example.com/v3/container/obj", "acct:user", "pa/ss", "https://example.com/v3", "container", "obj"),
        ("swift+https://acct%3Auser:1/2@h/c/o", "acct:user", "1/2", "https://h", "c", "o"),
        ("swift+https://acct%3Auser%3Apass@h/c/o", "acct:user", "pass", "https://h", "c", "o"),
        ("swift://u:%zz%@h/c/o", "u", "%zz%", "https://h", "c", "o"),
        ("swift://u:k@httpd.example.com/c/o", "u", "k", "https://httpd.example.com", "c", "o"),
        ("SWIFT+HTTP://u:k@h/c/o", "u", "k", "http://h", "c", "o"),
    ] {
        let expected = (user.into(), key.into(), address.into(), container.into(), object.into());
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn uris_that_lead_nowhere_are_refused_without_their_secrets() {
    for text in [
        "swift://user:secret@http://authurl.com/v1/container/obj",
        "swift://bad_creds@uri/cont/obj",
        "swift://user:secret@uri/cont",
        "swift://user:secret@uri",
        "swift://user:secret@uri/cont/",
        "swift://user:secret@uri//obj",
        "swift://user:secret@uri/a/../obj",
        "swift://user:secret@uri/a/..",
        "swift:///c/o",
        "swift://a:secret@b@h/c/o",
        "swift://user:secret@/c/o",
        "swift://:secret@h/c/o",
        "swift://user:@h/c/o",
        "swift://user:secret%FF@h/c/o",
        "swift://user:secret@h:port/c/o",
        "swift+config://ref1/x",
        "swift+config://ref1/a/c/o",
        "swift+config:///c/o",
        "swift+config://u:secret@ref1/c/o",
        "swift+config://ref1/c/http://x",
    ] {
        let error = locate(&StorageUri::parse(text).unwrap()).err().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(error.kind(), Kind::BadUri, "{text}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}

#[test]
fn locations_have_one_form() {
    for (written, canonical) in [
        ("swift://user:pass@example.com/container/obj", "swift://user:pass@example.com/container/obj"),
        ("swift://acct:user:pass@example.com/container/obj", "swift://acct%3Auser:pass@example.com/container/obj"),
        ("swift+config://ref1/glance/x", "swift+config://ref1/glance/x"),
        ("swift+http://127.0.0.1/glance_123/123?q", "swift+http://127.0.0.1/glance_123/123"),
        ("Swift+HTTPS://u:k@Host//c/o", "swift+https://u:k@Host/c/o"),
    ] {
        let location = locate(&StorageUri::parse(written).unwrap()).unwrap();
        assert_eq!(location.uri(), canonical);
        assert_eq!(parsed(location.uri()), parsed(written), "{written}");
    }
}

#[test]
fn every_key_is_read_back_as_it_was_built() {
    let address = Address::configured("http://example.com:5000/v3/");
    for key in ["key", "pa:ss", "pa/ss", "p@ss", "50%off", "a?b#c", "ü ö", "://", "%3A"] {
        let location = by_address(&address, Some(("tenant:user1", &Secret::new(key))), "c", "image-id");
        assert_eq!(location.scheme(), "swift+http");
        let expected = ("tenant:user1".into(), key.into(), "http://example.com:5000/v3".into(), "c".into(), "image-id".into());
        assert_eq!(parsed(location.uri()), expected);
        assert!(location.safe_uri() == "swift+http://***@example.com:5000/v3/c/image-id", "{}", location.safe_uri());
    }
}

#[test]
fn new_locations_are_those_of_glance_store() {
    let login = ("tenant:user1", &Secret::new("key1"));
    let (https, http) = (Address::configured("example.com"), Address::configured("http://h/v1/AUTH_a"));
    for (location, uri) in [
        (by_address(&https, Some(login), "container", "id"), "swift+https://tenant%3Auser1:key1@example.com/container/id"),
        (by_address(&https, None, "container", "id"), "swift+https://example.com/container/id"),
        (by_address(&http, None, "c_id", "id"), "swift+http://h/v1/AUTH_a/c_id/id"),
        (by_reference("store_2", "glance", "id"), "swift+config://store_2/glance/id"),
    ] {
        assert_eq!(location.uri(), uri);
        assert_eq!(locate(&StorageUri::parse(uri).unwrap()).unwrap().uri(), uri);
    }
}

#[test]
fn ids_that_no_location_keeps_are_refused() {
    for id in ["fdae39a1-bac5-4238-aba4-69bcc726e848", "a b", "ünï", "x@y:z", "%2F"] {
        check_image_id(id).unwrap_or_else(|error| panic!("{error}"));
    }
    for id in ["", ".", "..", "a/b", "a?b", "a#b", "a\nb\n", "a\u{7f}", "a-00001", &"x".repeat(1001)] {
        assert_eq!(check_image_id(id).unwrap_err().kind(), Kind::Invalid, "{id}");
    }
}
