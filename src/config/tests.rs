use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::registry_options::{DEFAULT, GLANCE_STORE, STORE, TRANSFER};
use super::*;
use crate::tests::Random;

const INT: OptionKind = OptionKind::Int { min: None, max: None };

const DRIVER: &[OptionSpec] = &[
    OptionSpec::new("dir", OptionKind::Str, "h").with_default("/images"),
    OptionSpec::new("note", OptionKind::Str, "h"),
    OptionSpec::new("size", OptionKind::Int { min: Some(1), max: Some(99) }, "h").with_default("5"),
    OptionSpec::new("thin", OptionKind::Bool, "h").with_default("true"),
    OptionSpec::new("words", OptionKind::List, "h").with_default("a,b"),
    OptionSpec::new("map", OptionKind::Dict, "h"),
    OptionSpec::new("mode", OptionKind::Choice(&["fast", "slow"]), "h").with_default("fast"),
    OptionSpec::new("dirs", OptionKind::MultiStr, "h"),
    OptionSpec::new("key", OptionKind::Str, "h").secret(),
    OptionSpec::new("pin", INT, "h").secret().with_default("7"),
    OptionSpec::new("name", OptionKind::Str, "h").formerly(&["old_name", "older_name"]),
    OptionSpec::new("names", OptionKind::MultiStr, "h").formerly(&["old_names"]),
];

/// A configuration of files `1.conf`, `2.conf` ... with these texts.
fn config(files: &[&str]) -> Config {
    let mut config = Config::new();
    for (index, text) in files.iter().enumerate() {
        let path = format!("{}.conf", index + 1);
        config.add_file(path.into(), text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    }
    config
}

/// The options of the store `fast`.
fn resolve(config: &Config) -> Result<Options> {
    config.resolve(&Scope::new(&["fast", "backend_defaults"]), &[DRIVER])
}

fn options(files: &[&str]) -> Options {
    resolve(&config(files)).unwrap_or_else(|e| panic!("{files:?}: {e}"))
}

fn refusal(config: &Config) -> String {
    let error = resolve(config).err().expect("the configuration was accepted");
    assert_eq!(error.kind(), Kind::BadConfig);
    assert!(!error.message().contains('\n'), "{error}");
    error.message().to_owned()
}

/// A file of its own for a test, gone with the value.
struct TempFile(PathBuf);

impl TempFile {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("glance-store-config-{}-{number}.conf", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

// Files

#[test]
fn a_file_is_loaded_with_the_line_of_each_value() {
    let file = TempFile::new("\u{feff}[DEFAULT]\r\n[Fast]\r\n\r\nsize = 100\r\n".as_bytes());
    let mut config = Config::new();
    config.load(&file.0).unwrap();
    assert_eq!(config.groups().collect::<Vec<_>>(), ["DEFAULT", "Fast"]);
    let expected =
        format!("{}:4: [fast] size = \"100\": must be a whole number from 1 to 99", file.0.display());
    assert_eq!(refusal(&config), expected);
}

#[test]
fn unreadable_files_tell_the_errno() {
    let absent = std::env::temp_dir().join("glance-store-config-absent.conf");
    for (path, errno) in [(absent, libc::ENOENT), (std::env::temp_dir(), libc::EISDIR)] {
        let mut config = Config::new();
        let error = config.load(&path).unwrap_err();
        assert_eq!((error.kind(), error.errno()), (Kind::BadConfig, errno));
        assert!(error.message().starts_with(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_file_with_an_error_leaves_nothing_behind() {
    let cases: [(&[u8], &str); 4] = [
        (b"[new]\nsecret words", ":2: the line is neither"),
        (b"[new]\nk = 1\nsecret = \xff\xfe", ":3: the line is not UTF-8"),
        (b"\xff", ":1: the line is not UTF-8"),
        (b"[new]\nsecret = a\0b", ":2: the line holds a NUL"),
    ];
    for (bytes, words) in cases {
        let file = TempFile::new(bytes);
        let mut config = config(&["[fast]\nsize = 3"]);
        let error = config.load(&file.0).unwrap_err();
        assert_eq!(error.kind(), Kind::BadConfig);
        let expected = format!("{}{words}", file.0.display());
        assert!(error.message().starts_with(&expected), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
        assert!(!config.has_group("new"));
        assert_eq!(resolve(&config).ok().and_then(|options| options.int("size")), Some(3));
    }
}

#[test]
fn a_file_of_absurd_size_is_refused() {
    let file = TempFile::new(b"");
    let handle = fs::File::options().write(true).open(&file.0).unwrap();
    handle.set_len(MAX_FILE_BYTES + 1).unwrap();
    let error = Config::new().load(&file.0).unwrap_err();
    assert_eq!(error.kind(), Kind::BadConfig);
    assert!(error.message().contains("more than 67108864 bytes"), "{error}");
}

#[test]
fn huge_files_and_lines_are_only_long() {
    let long = "x".repeat(1 << 20);
    let options = options(&[&format!("[fast]\nnote = {long}\n# {long}\n[{long}]\n{long} = {long}")]);
    assert_eq!(options.str("note"), Some(long.as_str()));

    let mut many = "[fast]\n".to_owned();
    for number in 0..500_000 {
        many.push_str(&format!("# {number}\nforeign_{number} = 1\n"));
    }
    many.push_str("note = last\n");
    let config = config(&[&many]);
    assert_eq!(resolve(&config).ok().as_ref().and_then(|options| options.str("note")), Some("last"));
    let error = config.check_known("fast", &[DRIVER]).unwrap_err();
    assert!(error.message().starts_with("1.conf:3: [fast] foreign_0:"), "{error}");
}

#[test]
fn messages_stay_short_whatever_the_file_holds() {
    let long = "x".repeat(1 << 20);
    let config = config(&[&format!("[fast]\nsize = {long}\n{long} = 1")]);
    assert!(refusal(&config).len() < 400);
    assert!(config.check_known("fast", &[DRIVER]).unwrap_err().message().len() < 400);
}

// Which setting counts

#[test]
fn a_store_falls_back_to_the_groups_behind_its_own() {
    let none = options(&[""]);
    assert_eq!((none.str("dir"), none.str("note")), (Some("/images"), None));
    assert_eq!((none.int("size"), none.bool("thin")), (Some(5), true));
    assert_eq!(
        (none.list("words"), none.str("mode")),
        (["a".to_owned(), "b".to_owned()].as_slice(), Some("fast"))
    );
    assert!(none.dict("map").is_empty() && none.multi("dirs").is_empty());
    assert!(!none.is_set("dir"));
    assert_eq!(none.set_in("dir"), None);

    let defaults = "[backend_defaults]\nsize = 45\ndir = /shared\ndirs = /a\ndirs = /b";
    let shared = options(&[defaults]);
    assert_eq!((shared.int("size"), shared.str("dir")), (Some(45), Some("/shared")));
    assert_eq!(shared.multi("dirs"), ["/a", "/b"]);
    assert_eq!(shared.set_in("size"), Some("backend_defaults"));

    let own = options(&[defaults, "[fast]\nsize = 20\ndirs = /c"]);
    assert_eq!((own.int("size"), own.str("dir")), (Some(20), Some("/shared")));
    assert_eq!(own.multi("dirs"), ["/c"]);
    assert_eq!((own.set_in("size"), own.set_in("dir")), (Some("fast"), Some("backend_defaults")));

    let unbound = options(&["[cheap]\nsize = 20"]);
    assert_eq!(unbound.int("size"), Some(5));
}

#[test]
fn empty_zero_and_false_are_settings() {
    let behind = "[backend_defaults]\ndir = /d\nthin = true\nwords = x\nmap = a:b\ndirs = /d\n";
    let options = options(&[behind, "[fast]\ndir =\nthin = 0\nwords =\nmap =\ndirs =\n"]);
    for name in ["dir", "thin", "words", "map", "dirs"] {
        assert!(options.is_set(name), "{name}");
        assert_eq!(options.set_in(name), Some("fast"));
    }
    assert_eq!((options.str("dir"), options.bool("thin")), (Some(""), false));
    assert!(options.list("words").is_empty() && options.dict("map").is_empty());
    assert_eq!(options.multi("dirs"), [""]);
}

#[test]
fn a_blank_integer_is_no_number() {
    assert_eq!(options(&["[fast]\nsize =\n[backend_defaults]\nsize = 8"]).int("size"), Some(8));
    assert_eq!(options(&["[fast]\nsize ="]).int("size"), Some(5));
    let last = options(&["[backend_defaults]\nsize ="]);
    assert_eq!(last.int("size"), None);
    assert!(last.is_set("size"));
}

#[test]
fn a_repeated_key_counts_last_or_wholly() {
    let one = options(&["[fast]\nnote = 1\ndirs = 1\nnote = 2\ndirs = 2\n[x]\n[FAST]\nnote = 3\ndirs = 3"]);
    assert_eq!(
        (one.str("note"), one.multi("dirs")),
        (Some("3"), ["1", "2", "3"].map(String::from).as_slice())
    );

    let two = options(&["[fast]\nnote = 1\ndirs = 1\ndirs = 2", "[fast]\nnote = 2\ndirs = 3"]);
    assert_eq!(
        (two.str("note"), two.multi("dirs")),
        (Some("2"), ["1", "2", "3"].map(String::from).as_slice())
    );

    let continued = options(&["[fast]\ndirs = 1\n  more\ndirs = \"2\""]);
    assert_eq!(continued.multi("dirs"), ["1\nmore", "2"]);
}

#[test]
fn calls_replace_what_came_before() {
    let mut config = config(&["[fast]\nnote = file\ndirs = 1\ndirs = 2"]);
    let multi =
        |config: &Config| resolve(config).map(|options| options.multi("dirs").to_vec()).unwrap_or_default();
    let note =
        |config: &Config| resolve(config).ok().and_then(|options| options.str("note").map(String::from));

    config.set(Some("fast"), "note", " 'set' ").unwrap();
    config.set(Some("FAST"), "dirs", "a\nb").unwrap();
    assert_eq!(note(&config).as_deref(), Some(" 'set' "));
    assert_eq!(multi(&config), ["a", "b"]);

    config.set(Some("fast"), "dirs", "c").unwrap();
    assert_eq!(multi(&config), ["c"]);

    config.add_file("later.conf".into(), b"[fast]\nnote = later\ndirs = d").unwrap();
    assert_eq!(note(&config).as_deref(), Some("later"));
    assert_eq!(multi(&config), ["c", "d"]);

    config.set(Some("fast"), "dirs", "").unwrap();
    assert!(multi(&config).is_empty());
    assert!(resolve(&config).is_ok_and(|options| options.is_set("dirs")));

    config.set(Some("fast"), "size", "0").unwrap();
    assert!(refusal(&config).starts_with("gs_config_set: [fast] size = \"0\": "));
}

#[test]
fn a_call_replaces_values_under_former_names_too() {
    let mut config = config(&["[fast]\nold_names = 1\nold_name = 1"]);
    config.set(Some("fast"), "names", "2").unwrap();
    config.set(Some("fast"), "name", "2").unwrap();
    config.add_file("later.conf".into(), b"[fast]\nold_names = 3").unwrap();
    let options = resolve(&config).ok().unwrap();
    assert_eq!(
        (options.multi("names"), options.str("name")),
        (["2", "3"].map(String::from).as_slice(), Some("2"))
    );
}

#[test]
fn calls_without_a_group_set_the_default_group() {
    let mut config = Config::new();
    config.set(None, "enabled_backends", "fast:file, cheap:file").unwrap();
    let options = config.resolve(&Scope::new(&["DEFAULT"]), &[DEFAULT]).ok().unwrap();
    let expected = [("fast", "file"), ("cheap", "file")].map(|(id, driver)| (id.into(), driver.into()));
    assert_eq!(options.dict("enabled_backends"), expected);
}

#[test]
fn calls_need_a_group_and_a_key() {
    let mut config = Config::new();
    for (group, key) in [(Some(""), "k"), (Some(" "), "k"), (Some("g"), ""), (None, " ")] {
        assert_eq!(config.set(group, key, "v").unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(config.groups().count(), 0);
}

#[test]
fn groups_ignore_case_but_keys_do_not() {
    let config = config(&["[FaSt]\nnote = 1\nNOTE = 2\n[default]\n[other]"]);
    assert_eq!(resolve(&config).ok().as_ref().and_then(|options| options.str("note")), Some("1"));
    for (group, there) in
        [("fast", true), ("FAST", true), ("default", true), ("DEFAULT", false), ("x", false)]
    {
        assert_eq!(config.has_group(group), there, "{group}");
    }
    assert_eq!(config.groups().collect::<Vec<_>>(), ["FaSt", "default", "other"]);
}

#[test]
fn former_names_count_behind_the_present_one() {
    let name = |files: &[&str]| options(files).str("name").map(String::from);
    assert_eq!(name(&["[fast]\nolder_name = 1"]).as_deref(), Some("1"));
    assert_eq!(name(&["[fast]\nold_name = 1\nolder_name = 2"]).as_deref(), Some("1"));
    assert_eq!(name(&["[fast]\nname = 1\nold_name = 2"]).as_deref(), Some("1"));
    assert_eq!(name(&["[fast]\nname = 1", "[fast]\nold_name = 2"]).as_deref(), Some("2"));
    let names = options(&["[fast]\nnames = 1\nold_names = 2", "[fast]\nold_names = 3"]);
    assert_eq!(names.multi("names"), ["2", "1", "3"]);
    assert_eq!(options(&["[fast]\nold_name = 1\nnote = $name/$old_name"]).str("note"), Some("1/1"));
}

// Substitution

#[test]
fn references_are_replaced() {
    let cases = [
        ("plain", "plain"),
        ("$base/x", "/base/x"),
        ("${base}x", "/basex"),
        ("${DEFAULT.base}", "/base"),
        ("$DEFAULT.base", "/base"),
        ("$through", "/base/y"),
        ("${other.path}", "/base/z"),
        ("${OTHER.path}", "/base/z"),
        ("${other.own}", "near"),
        ("$dir", "/images"),
        ("${fast.dir}", "/images"),
        ("${backend_defaults.dir}", "/images"),
        ("$size", "45"),
        ("${fast.words}", "x, y"),
        ("$mode-$mode", "slow-slow"),
        ("$base$base", "/base/base"),
        ("$$base", "$base"),
        ("\\$base", "$base"),
        ("$$$base", "$/base"),
        ("\\$$base", "$/base"),
        ("\\\\$base", "\\$base"),
        ("$$$$", "$$"),
        ("$", "$"),
        ("5$", "5$"),
        ("$1", "$1"),
        ("$ base", "$ base"),
        ("$-", "$-"),
        ("${base", "${base"),
        ("${}", "${}"),
        ("${ base }", "${ base }"),
        ("${ba-se}", "${ba-se}"),
        ("$ä", "$ä"),
        ("a\n  $base", "a\n/base"),
        ("'$base'", "/base"),
        ("$quoted", " spaced "),
        ("${empty}.", "."),
    ];
    for (text, expected) in cases {
        let file = format!(
            "[DEFAULT]\nbase = /base\nthrough = $base/y\nquoted = ' spaced '\nempty =\nown = far\n\
             [other]\npath = $base/z\nown = $near\nnear = near\n\
             [fast]\nwords = x, y\nmode = slow\n[backend_defaults]\nsize = 45\n\
             [fast]\nnote = {text}\n"
        );
        assert_eq!(options(&[&file]).str("note"), Some(expected), "{text}");
    }
}

#[test]
fn references_work_in_every_type_and_in_calls() {
    let mut config = config(&["[DEFAULT]\nn = 7\nyes = on\nitems = a, b\np = /p\nm = slow\n\
         [fast]\nsize = ${n}0\nthin = $yes\nwords = $items,c\nmap = k:$p\ndirs = $p/1\ndirs = $p/2\nmode = $m"]);
    config.set(Some("fast"), "names", "$p/1\n$p/2").unwrap();
    let options = resolve(&config).ok().unwrap();
    assert_eq!(
        (options.int("size"), options.bool("thin"), options.str("mode")),
        (Some(70), true, Some("slow"))
    );
    assert_eq!(options.list("words"), ["a", "b", "c"]);
    assert_eq!(options.dict("map"), [("k".to_owned(), "/p".to_owned())]);
    assert_eq!(options.multi("dirs"), ["/p/1", "/p/2"]);
    assert_eq!(options.multi("names"), ["/p/1", "/p/2"]);
}

#[test]
fn references_in_a_fallback_group_start_there() {
    let files = ["[fast]\nsize = 1\n[backend_defaults]\nsize = 2\nnote = $size\nname = ${fast.size}"];
    let options = options(&files);
    assert_eq!((options.str("note"), options.str("name")), (Some("2"), Some("1")));
}

#[test]
fn references_that_lead_nowhere_are_errors() {
    let cases = [
        (
            "note = $nope",
            "1.conf:2: [fast] note = \"$nope\": \"nope\" after a $ is not set; write $$ for a plain $",
        ),
        ("note = ${x.y}", "\"x.y\" after a $ is not set"),
        ("note = ${DEFAULT.nope}", "\"DEFAULT.nope\" after a $ is not set"),
        ("note = $dir.", "\"dir.\" after a $ is not set"),
        ("note = $name", "\"name\" after a $ is not set"),
        ("note = ${cheap.dir}", "\"cheap.dir\" after a $ is not set"),
        ("note = $NAME", "\"NAME\" after a $ is not set"),
        ("note = $name\n[DEFAULT]\nname = not this one", "\"name\" after a $ is not set"),
        (
            "note = $a\n[DEFAULT]\na = x$nope",
            "refers to [DEFAULT] a (1.conf:4), which refers to an option that is not set",
        ),
        ("note = $note", "refers to itself through [fast] note (1.conf:2)"),
        ("note = $a\na = $b\nb = ${fast.note}", "refers to itself through [fast] note (1.conf:2)"),
        ("note = $a\n[DEFAULT]\na = $b\nb = $a", "refers to itself through [DEFAULT] a (1.conf:4)"),
        ("size = $nope", "\"nope\" after a $ is not set"),
        ("dirs = ok\ndirs = $nope", "\"nope\" after a $ is not set"),
    ];
    for (text, words) in cases {
        let message = refusal(&config(&[&format!("[fast]\n{text}\n")]));
        assert!(message.contains(words), "{text}: {message}");
        assert!(!message.contains("x$nope"), "{message}");
    }
}

#[test]
fn references_are_bounded_in_depth_and_size() {
    let chain = |length: usize| {
        let mut file = "[fast]\nnote = $k0\n[DEFAULT]\n".to_owned();
        for number in 0..length {
            file.push_str(&format!("k{number} = $k{}\n", number + 1));
        }
        file + &format!("k{length} = end\n")
    };
    assert_eq!(options(&[&chain(31)]).str("note"), Some("end"));
    assert!(refusal(&config(&[&chain(32)])).contains("more than 32 deep"));
    assert!(refusal(&config(&[&chain(100_000)])).contains("more than 32 deep"));

    for leaf in ["", "text"] {
        let mut file = "[fast]\nnote = $k0\n[DEFAULT]\n".to_owned();
        for number in 0..30 {
            file.push_str(&format!("k{number} = $k{0}$k{0}\n", number + 1));
        }
        file.push_str(&format!("k30 = {leaf}\n"));
        assert!(refusal(&config(&[&file])).contains("bring in more than"));
    }
}

#[test]
fn what_is_not_asked_for_is_not_judged() {
    let file = "[DEFAULT]\nlog_file = $nope\ndebug = maybe\n\
         [keystone_authtoken]\npassword = pa$word\n[oslo_policy]\nx = ${a.b}\n\
         [paste_deploy]\nflavor = keystone\n[glance_store]\ncinder_volume_type = a$b\nstores = file\n\
         [cheap]\nsize = wrong\n[fast]\nsize = 9\n[backend_defaults]\nsize = wrong\n";
    let config = config(&[file]);
    assert_eq!(resolve(&config).ok().and_then(|options| options.int("size")), Some(9));
    let registry = config.resolve(&Scope::new(&["glance_store"]), &[GLANCE_STORE]).ok().unwrap();
    assert_eq!(registry.list("stores"), ["file"]);
    config.check_known("glance_store", &[GLANCE_STORE]).unwrap();
    config.check_known("absent", &[]).unwrap();
}

// Errors

#[test]
fn wrong_values_are_named_with_their_place() {
    let cases = [
        ("size = 0", "1.conf:3: [fast] size = \"0\": must be a whole number from 1 to 99"),
        (
            "thin = maybe",
            "1.conf:3: [fast] thin = \"maybe\": must be true, 1, on or yes, or else false, 0, off or no",
        ),
        ("mode = FAST", "1.conf:3: [fast] mode = \"FAST\": must be one of fast, slow"),
        (
            "map = a",
            "1.conf:3: [fast] map = \"a\": entry 1 is not name:value (entries are separated by single commas)",
        ),
        ("size = a\n  b\x07", "1.conf:3: [fast] size = \"a b \": must be a whole number from 1 to 99"),
        ("pin = hunter2", "1.conf:3: [fast] pin = ***: must be a whole number of 64 bits"),
        ("size = 7\nsize = 0", "1.conf:4: [fast] size = \"0\": must be a whole number from 1 to 99"),
        (
            "size = 7\n[backend_defaults]\nthin = 7",
            "1.conf:5: [backend_defaults] thin = \"7\": must be true, 1, on or yes, or else false, 0, off or no",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(&config(&[&format!("[fast]\n\n{text}")])), expected);
    }
}

#[test]
fn secrets_appear_in_no_error() {
    let files = [
        "[fast]\nkey = hunter2$hunter3",
        "[fast]\nkey = ${hunter2.hunter3}",
        "[fast]\nkey = $hunter\nhunter = hunter2$x",
        "[fast]\nkey = hunter2$key",
        "[fast]\npin = hunter2",
        "[fast]\nsize = $key\nkey = hunter2",
        "[fast]\nnote = $key\nkey = hunter2$x",
        "[fast]\nnote = ${mysql.password}\n[mysql]\npassword = hunter2$hunter3",
    ];
    for file in files {
        let message = refusal(&config(&[file]));
        assert!(!message.contains("hunter"), "{message}");
        assert!(message.starts_with("1.conf:2: [fast] "), "{message}");
    }
    let mut config = config(&["[fast]\nkey = hunter2\npin = 1"]);
    config.set(Some("fast"), "pin", "2").unwrap();
    let options = resolve(&config).ok().unwrap();
    assert_eq!(options.secret("key").as_ref().map(Secret::expose), Some("hunter2"));
    assert_eq!(options.bad("key", "too short").message(), "1.conf:2: [fast] key = ***: too short");
    assert_eq!(options.bad("pin", "too short").message(), "gs_config_set: [fast] pin = ***: too short");
}

#[test]
fn drivers_refuse_values_in_the_common_shape() {
    let files = ["[fast]\ndir = /x\ndirs = /a\ndirs = /b:z\n[backend_defaults]\nwords = q"];
    let options = options(&files);
    let cases = [
        ("dir", "1.conf:2: [fast] dir = \"/x\": bad"),
        ("dirs", "1.conf:4: [fast] dirs = \"/b:z\": bad"),
        ("words", "1.conf:6: [backend_defaults] words = \"q\": bad"),
        ("size", "[fast] size = \"5\" (the default): bad"),
        ("pin", "[fast] pin = *** (the default): bad"),
        ("note", "[fast] note is not set: bad"),
        ("no_such_option", "[fast] no_such_option: bad"),
    ];
    for (name, expected) in cases {
        let error = options.bad(name, "bad");
        assert_eq!((error.kind(), error.message()), (Kind::BadConfig, expected));
        assert_eq!(error.exception(), "BadStoreConfiguration");
    }
}

#[test]
fn a_wrong_default_is_an_error_like_any_other() {
    const WRONG: &[OptionSpec] = &[OptionSpec::new("n", INT, "h").with_default("many")];
    let error = Config::new().resolve(&Scope::new(&["g"]), &[WRONG]).err().unwrap();
    assert_eq!(error.message(), "[g] n = \"many\" (the default): must be a whole number of 64 bits");
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "no option table declares nope"))]
fn an_undeclared_name_is_empty_and_stops_only_debug_builds() {
    assert_eq!(options(&[""]).int("nope"), None);
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "no option table declares dir as a boolean"))]
fn a_wrong_type_is_empty_and_stops_only_debug_builds() {
    assert!(!options(&[""]).bool("dir"));
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    const FILE: &[OptionSpec] = &[
        OptionSpec::new("filesystem_store_datadir", OptionKind::Str, "h"),
        OptionSpec::new("filesystem_store_datadirs", OptionKind::MultiStr, "h"),
    ];
    let cases = [
        ("filesystem_store_dataDir = x", "did you mean \"filesystem_store_datadir\"?"),
        ("filesystem-store-datadirs = x", "did you mean \"filesystem_store_datadirs\"?"),
        ("transfer_memroy = x", "did you mean \"transfer_memory\"?"),
        ("vmware_servr_host = x", "did you mean \"vmware_server_host\"?"),
        ("wieght = 1", "did you mean \"weight\"?"),
        ("qqqqqqqq = x", "remove it or correct its name"),
    ];
    for (line, advice) in cases {
        let file = format!("[fast]\nfilesystem_store_datadir = /x\ncinder_volume_type = p\n{line}\nzzz = 1");
        let error = config(&[&file]).check_known("fast", &[FILE, STORE, TRANSFER]).unwrap_err();
        let (key, _) = line.split_once(" = ").unwrap();
        let expected = format!("1.conf:4: [fast] {key}: there is no such option; {advice}");
        assert_eq!((error.kind(), error.message()), (Kind::BadConfig, expected.as_str()));
    }
}

#[test]
fn unknown_keys_of_calls_and_former_names() {
    let mut config = config(&["[fast]\nolder_name = x"]);
    config.check_known("fast", &[DRIVER]).unwrap();
    config.set(Some("Fast"), "siez", "secret").unwrap();
    let error = config.check_known("fast", &[DRIVER]).unwrap_err();
    assert_eq!(
        error.message(),
        "gs_config_set: [fast] siez: there is no such option; did you mean \"size\"?"
    );
    assert!(
        config.check_known("fast", &[]).unwrap_err().message().starts_with("1.conf:2: [fast] older_name:")
    );
}

#[test]
fn the_registrys_own_options_have_the_references_defaults_and_limits() {
    let tables = [GLANCE_STORE, STORE, TRANSFER];
    let scope = Scope::new(&["glance_store"]);
    let options = Config::new().resolve(&scope, &tables).ok().unwrap();
    assert_eq!(options.list("stores"), ["file", "http"]);
    assert_eq!((options.str("default_store"), options.str("default_backend")), (Some("file"), None));
    assert_eq!((options.int("weight"), options.str("store_description")), (Some(0), None));
    assert_eq!(options.int("transfer_memory"), Some(64));

    let accepts = |line: &str| config(&[&format!("[glance_store]\n{line}")]).resolve(&scope, &tables).is_ok();
    for line in ["default_store = s3+https", "default_store = vsphere", "transfer_memory = 8", "weight = -3"]
    {
        assert!(accepts(line), "{line}");
    }
    for line in ["default_store = bogus", "default_store =", "transfer_memory = 7", "weight = high"] {
        assert!(!accepts(line), "{line}");
    }
}

// Anything at all

const SEED: &[u8] = b"\xef\xbb\xbf# c\r\n[DEFAULT]\nbase = /b\nenabled_backends = fast:file, b:http\n\
    [fast]\nsize = 1_0\nthin : yes\nwords = a,,b,\n  c\nmap = a:b,c:d\ndirs = $base/x\ndirs = ${DEFAULT.base}\n\
    note = \"$$ \\$ ${fast.size} $note\"\nkey = 'k$words'\nold_name = $dirs\n[backend_defaults]\npin = -7\n";

const TOKENS: &[&str] = &[
    "$",
    "${",
    "}",
    "$$",
    "\\$",
    "$note",
    "${fast.",
    "[",
    "]",
    "[fast]\n",
    "=",
    ":",
    ",",
    "\n ",
    "\n",
    "\r",
    "\"",
    "'",
    "\0",
    "\u{feff}",
    "é",
    "note = $key\nkey = $note\n",
    "99999999999999999999",
    "_",
    "-",
    "#",
    "\t",
];

#[test]
fn no_mutation_of_a_file_panics_or_hangs() {
    let mut random = Random::new();
    let (mut loaded, mut resolved) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = SEED.to_vec();
        for _ in 0..=random.below(6) {
            random.mutate(&mut bytes, TOKENS);
        }
        let mut config = Config::new();
        let Ok(()) = config.add_file("f.conf".into(), &bytes) else {
            assert_eq!(config.groups().count(), 0);
            continue;
        };
        loaded += 1;
        resolved += usize::from(resolve(&config).is_ok());
        let _ = config.check_known("fast", &[DRIVER]);
    }
    assert!(loaded > 2_000, "only {loaded} mutations were still files");
    assert!(resolved < loaded, "no mutation reached the refusals");
}
