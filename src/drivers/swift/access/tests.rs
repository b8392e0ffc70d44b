//! Who is asked with which right.

use super::*;
use crate::config::{Config, Scope};
use crate::identity::Domain;
use crate::log::Log;
use crate::secret::Secret;
use std::io::Write;

const FILE: &str = "
[ref1]
user = tenant:user1
key = key1
auth_address = https://keystone.example:5000/v3
[ref5]
user = tenant:user5
key = key5
user_domain_name = elsewhere
project_domain_id = far
auth_address = https://other.example
[app]
application_credential_id = app-id
application_credential_secret = app-secret
auth_address = http://app.example/identity
[old]
user = test:tester
key = testing
auth_version = 1
auth_address = http://old.example/auth/v1.0
";

fn access(settings: &[(&str, &str)]) -> Access {
    let mut config = Config::new();
    for (key, value) in settings {
        config.set(Some("swift"), key, value).unwrap();
    }
    let options =
        config.resolve(&Scope::new(&["swift"]), &[options::OPTIONS, options::CLIENT_OPTIONS]).unwrap();
    let log = Arc::new(Log::new(0, Box::new(|_, _, _| {})));
    let references = References::load(&options, &log).unwrap();
    let client = || Client::new(options::settings(&options).unwrap(), log.clone());
    Access::new(&options, Runtime::shared(), references, client(), client()).unwrap()
}

fn with_file(settings: &[(&str, &str)]) -> Access {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(FILE.as_bytes()).unwrap();
    let path = (options::CONFIG_FILE, file.path().to_str().unwrap());
    access(&[settings, &[path]].concat())
}

fn address(text: &str) -> Via {
    Via::Address(Address::configured(text))
}

fn credentials(text: &str, user: &str, key: &str) -> Via {
    Via::Credentials { address: Address::configured(text), user: user.to_owned(), key: Secret::new(key) }
}

fn reference(name: &str) -> Via {
    Via::Reference(name.to_owned())
}

/// The address that is asked for a token, the secret that it is asked with, and whether that is by way of the
/// configuration's own client.
fn asked(access: &Access, via: &Via) -> Result<(String, String, bool)> {
    let (account, link) = access.account_of(via)?;
    let secret = match &account.credentials {
        Credentials::Password { key, .. } => key.expose().to_owned(),
        Credentials::Application { secret, .. } => secret.expose().to_owned(),
    };
    Ok((account.address.url().unwrap().to_uri(), secret, std::ptr::eq(link, &access.own)))
}

#[test]
fn every_secret_goes_to_its_own_address() {
    let access = with_file(&[(options::DEFAULT_REFERENCE, "app")]);
    for (via, address, secret, is_own) in [
        (reference("ref1"), "https://keystone.example:5000/v3", "key1", true),
        (reference("app"), "http://app.example/identity", "app-secret", true),
        (address("http://app.example/identity"), "http://app.example/identity", "app-secret", true),
        (address("http://App.example:80/identity/v3/"), "http://app.example/identity", "app-secret", true),
        (address("https://keystone.example:5000"), "https://keystone.example:5000/v3", "key1", true),
        (credentials("http://attacker.example", "a:b", "theirs"), "http://attacker.example", "theirs", false),
        (credentials("http://app.example/identity", "a:b", "theirs"), "http://app.example/identity", "theirs", true),
    ] {
        assert_eq!(asked(&access, &via).unwrap(), (address.into(), secret.into(), is_own));
    }
}

#[test]
fn an_address_that_is_nobodys_gets_nothing() {
    let access = with_file(&[(options::DEFAULT_REFERENCE, "app")]);
    for foreign in [
        "http://attacker.example",
        "https://app.example/identity",
        "http://app.example:81/identity",
        "http://app.example/identity/more",
        "http://app.example",
        "http://xapp.example/identity",
        "http://app.example.attacker.example/identity",
    ] {
        assert_eq!(asked(&access, &address(foreign)).unwrap_err().kind(), Kind::Forbidden, "{foreign}");
    }
    assert_eq!(asked(&access, &reference("nobody")).unwrap_err().kind(), Kind::BadUri);
}

#[test]
fn domains_are_those_of_the_account_that_is_meant() {
    let access = with_file(&[]);
    let domains = |via: &Via| {
        let (account, _) = access.account_of(via).unwrap();
        (account.user_domain, account.project_domain)
    };
    let usual = (usual_domain(), usual_domain());
    let far = (Domain::Name("elsewhere".into()), Domain::Id("far".into()));
    assert_eq!(domains(&reference("ref1")), usual);
    assert_eq!(domains(&reference("ref5")), far);
    assert_eq!(domains(&credentials("other.example", "tenant:user5", "key5")), far);
    assert_eq!(domains(&credentials("other.example", "tenant:other", "key5")), usual, "the default's");
}

#[test]
fn the_version_is_that_of_the_account_or_of_the_options() {
    let version = |access: &Access, via: &Via| access.account_of(via).unwrap().0.version;
    let old = credentials("http://old.example/auth/v1.0", "test:tester", "testing");
    let unknown = credentials("http://unknown.example/auth/v1.0", "test:tester", "testing");
    let access = with_file(&[]);
    assert_eq!((version(&access, &old), version(&access, &unknown)), (AuthVersion::V1, AuthVersion::V3));
    let access = with_file(&[(options::AUTH_VERSION, "1")]);
    assert_eq!(version(&access, &unknown), AuthVersion::V1);
}

const CATALOGUE: &str = r#"[
    {"type": "object-store", "endpoints": [{"region": "a", "publicURL": "https://swift.example/v1/AUTH_me"}]},
    {"type": "image", "endpoints": [{"region": "a", "publicURL": "https://image.example"}]}
]"#;

fn context(token: Option<&str>, catalogue: Option<&str>) -> Context {
    Context {
        auth_token: token.map(Secret::new),
        service_catalog_json: catalogue.map(str::to_owned),
        ..Context::default()
    }
}

#[test]
fn a_users_token_goes_to_the_users_object_stores() {
    let tenants = (options::MULTI_TENANT, "true");
    let user = context(Some("token"), Some(CATALOGUE));
    let link = |access: &Access, context: &Context, text: &str| {
        let url = Address::configured(text).url().unwrap();
        access.link_for_token(context, &url).map(|link| std::ptr::eq(link, &access.own))
    };
    let access = self::access(&[tenants]);
    assert!(link(&access, &user, "https://swift.example/v1/AUTH_another").unwrap());
    for foreign in ["http://swift.example/v1/AUTH_me", "https://swift.example:8080/v1/AUTH_me", "https://image.example/v1"] {
        assert_eq!(link(&access, &user, foreign).unwrap_err().kind(), Kind::Forbidden, "{foreign}");
    }
    let bare = context(Some("token"), None);
    assert_eq!(link(&access, &bare, "https://swift.example/v1/AUTH_me").unwrap_err().kind(), Kind::Forbidden);
    let nobody = context(None, Some(CATALOGUE));
    assert_eq!(link(&access, &nobody, "https://swift.example/v1/AUTH_me").unwrap_err().kind(), Kind::BadConfig);

    let access = self::access(&[tenants, (options::ENDPOINT, "https://inside.example/v1/AUTH_me")]);
    assert!(link(&access, &bare, "https://inside.example/v1/AUTH_another").unwrap());
    let access = self::access(&[tenants, (options::ALLOWED_HOSTS, "other.example")]);
    // The client that it is left to knows the list.
    assert!(!link(&access, &bare, "https://other.example/v1/AUTH_me").unwrap());
}

#[test]
fn the_store_of_an_account_comes_before_others() {
    let access = with_file(&[]);
    let claims = |via: &Via, is_usual| access.claims(via, "swift+config://x/container/object", is_usual);
    for (via, is_usual, claim) in [
        (reference("ref1"), true, Some(26)),
        (reference("ref1"), false, Some(0)),
        (reference("ref5"), true, Some(0)),
        (reference("nobody"), true, None),
        (credentials("https://keystone.example:5000/v3", "tenant:user1", "rotated"), true, Some(26)),
        (credentials("https://attacker.example", "tenant:user1", "key1"), true, Some(0)),
        (address("http://app.example/identity"), true, Some(26)),
        (address("http://attacker.example"), true, None),
    ] {
        assert_eq!(claims(&via, is_usual), claim);
    }
}
