use super::*;
use crate::config::{Config, Scope};
use std::io::Write;

/// The accounts that glance_store's own tests use.
const FIXTURE: &str = "
[ref1]
user = tenant:user1
key = key1
auth_address = example.com
[ref2]
user = user2
key = key2
user_domain_id = default
project_domain_id = default
auth_version = 3
auth_address = http://example.com
[ref3]
user= \"user3\"
key= \"key3\"
auth_address = \"http://example.com\"
[ref4]
user = user4
key = key4
user_domain_id = userdomainid
project_domain_id = projdomainid
auth_address = \"http://example.com\"
[ref5]
user = user5
key = key5
user_domain_name = userdomain
project_domain_name = projdomain
auth_address = \"http://example.com\"
[ref6]
application_credential_id = app-cred-id-123
application_credential_secret = app-cred-secret-456
auth_address = https://example.com
[ref7]
user = unused:user
key = unused
application_credential_id = app-cred-id-789
application_credential_secret = app-cred-secret-012
user_domain_id = userdomainid
project_domain_id = projdomainid
auth_address = https://example.com
[ref8]
application_credential_id = app-cred-id
auth_address = https://example.com
[ref9]
application_credential_secret = app-cred-secret
auth_address = https://example.com
[old]
user = tenant:user1
key = key1
auth_version = 2
auth_address = http://localhost:80
[tempauth]
user = test:tester
key = 50%off
auth_version = 1
auth_address = http://localhost/auth/v1.0
[open_quote]
user = 'tenant:user1
key = key1
auth_address = http://localhost
";

fn load(settings: &[(&str, &str)]) -> Result<References> {
    let mut config = Config::new();
    for (key, value) in settings {
        config.set(Some("swift"), key, &value.replace('$', "$$")).unwrap();
    }
    let options = config.resolve(&Scope::new(&["swift"]), &[options::OPTIONS]).unwrap();
    References::load(&options, &Log::new(0, Box::new(|_, _, _| {})))
}

fn fixture() -> References {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(FIXTURE.as_bytes()).unwrap();
    load(&[(options::CONFIG_FILE, file.path().to_str().unwrap())]).unwrap()
}

fn password(account: &Account) -> (&str, &str) {
    match &account.credentials {
        Credentials::Password { user, key } => (user, key.expose()),
        Credentials::Application { .. } => panic!("an application credential"),
    }
}

#[test]
fn sections_become_accounts() {
    let references = fixture();
    let of = |name: &str| references.named(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(password(of("ref1")), ("tenant:user1", "key1"));
    assert_eq!(of("ref1").address.url().unwrap().to_uri(), "https://example.com");
    assert_eq!(password(of("ref3")), ("user3", "key3"));
    assert_eq!(of("ref3").address.url().unwrap().to_uri(), "http://example.com");
    assert_eq!(password(of("tempauth")), ("test:tester", "50%off"));
    for (name, version) in [("ref2", AuthVersion::V3), ("old", AuthVersion::V3), ("tempauth", AuthVersion::V1)] {
        assert_eq!(of(name).version, version, "{name}");
    }
    assert_eq!((references.default_name(), references.are_from_file()), ("ref1", true));
}

#[test]
fn domains_are_the_usual_ones_unless_named() {
    let references = fixture();
    let (id, name_of) = (|id: &str| Domain::Id(id.to_owned()), |name: &str| Domain::Name(name.to_owned()));
    for (name, project, user) in [
        ("ref1", id("default"), id("default")),
        ("ref4", id("projdomainid"), id("userdomainid")),
        ("ref5", name_of("projdomain"), name_of("userdomain")),
    ] {
        let account = references.named(name).unwrap();
        assert_eq!((&account.project_domain, &account.user_domain), (&project, &user), "{name}");
    }
}

#[test]
fn application_credentials_come_before_passwords_and_need_both_halves() {
    let references = fixture();
    for (name, wanted) in [("ref6", "app-cred-id-123"), ("ref7", "app-cred-id-789")] {
        match &references.named(name).unwrap().credentials {
            Credentials::Application { id, .. } => assert_eq!(id.expose(), wanted),
            Credentials::Password { .. } => panic!("{name} is a password"),
        }
    }
    assert!(references.named("ref8").is_none() && references.named("ref9").is_none());
    assert!(references.named("open_quote").is_none());
}

#[test]
fn quotes_come_in_pairs() {
    for (written, read) in
        [("user", "user"), ("\"user\"", "user"), ("'user'", "user"), ("user'", "user'"), ("user\"", "user\"")]
    {
        assert_eq!(unquoted(written), Ok(read), "{written}");
    }
    for written in ["'user\"", "\"user'", "'user", "\"user", "\"", "'"] {
        assert!(unquoted(written).is_err(), "{written}");
    }
}

#[test]
fn options_make_one_account() {
    let password_options = [
        (options::USER, "tenant:user"),
        (options::KEY, "pa$s"),
        (options::AUTH_ADDRESS, "auth@default.com"),
        (options::DEFAULT_REFERENCE, "ref_default"),
    ];
    let references = load(&password_options).unwrap();
    assert_eq!(references.accounts().count(), 1);
    assert_eq!(password(references.named("ref_default").unwrap()), ("tenant:user", "pa$s"));
    assert!(!references.are_from_file());
    let both = [&password_options[..], &[(options::APPLICATION_ID, "i"), (options::APPLICATION_SECRET, "s")]];
    let references = load(&both.concat()).unwrap();
    assert!(matches!(references.default_account().unwrap().credentials, Credentials::Application { .. }));
    for missing in 0..3 {
        let mut fewer = password_options.to_vec();
        fewer.remove(missing);
        assert!(load(&fewer).unwrap().default_account().is_none(), "{missing}");
    }
}

#[test]
fn accounts_that_no_location_can_name_are_left_out() {
    for name in ["a/b", "a?b", "a#b", "a@b", "a b"] {
        assert!(check_reference(name).is_err(), "{name}");
    }
    for name in ["ref1", "store_2", "a.b-c", "é"] {
        check_reference(name).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_told() {
    let mut broken = tempfile::NamedTempFile::new().unwrap();
    broken.write_all(b"[a]\nuser = u\nsecret without separator\n").unwrap();
    for (path, words) in
        [("/nonexistent/accounts", "cannot be read"), ("", "cannot be read"), (broken.path().to_str().unwrap(), "line 3")]
    {
        let error = load(&[(options::CONFIG_FILE, path)]).err().unwrap();
        assert_eq!(error.kind(), Kind::BadConfig);
        assert!(error.message().contains(words), "{error}");
        assert!(!error.message().contains("without separator"), "{error}");
    }
}
