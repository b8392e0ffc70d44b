//! What the source itself must look like: floors, the boundary, and where `unsafe` may stand.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house, lowest first, in steps: a module uses only modules of lower steps.
const STEPS: &[&[&str]] = &[
    // What tests of several modules share.
    &["tests"],
    &["capabilities", "chance", "error", "secret", "shared_object"],
    &["claim", "libcrypto", "log"],
    &["hash"],
    &["config", "location", "operation"],
    &["transfer"],
    &["ceph", "http"],
    &["identity"],
    &["driver"],
    &["drivers"],
    &["checks"],
    &["store"],
    &["copy", "registry"],
    &["capi"],
];

/// Where `unsafe` may stand: the ABI, and the shared libraries of others that are loaded when needed.
const UNSAFE: &[&str] = &["capi", "ceph", "libcrypto", "shared_object"];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The module below src/ that the file belongs to.
    fn module(&self) -> String {
        let below = self.path.strip_prefix(root().join("src")).expect("a file of src");
        let first = below.components().next().expect("a file name").as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The text without what only tests see.
    fn shipped(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default();
        name == "tests.rs" || self.path.components().any(|part| part.as_os_str() == "tests")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("src can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push(Source { path, text });
            }
        }
    }
    assert!(found.len() > 30, "the test looks at the wrong place");
    found
}

fn step(module: &str) -> Option<usize> {
    STEPS.iter().position(|step| step.contains(&module))
}

/// The modules that `crate::` paths in the text name.
fn used_modules(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn modules_use_only_modules_of_lower_steps() {
    for source in sources() {
        let module = source.module();
        if module == "lib" {
            continue;
        }
        let own = step(&module).unwrap_or_else(|| panic!("{module} has no step: {:?}", source.path));
        for used in used_modules(source.shipped()).filter(|used| *used != module) {
            let Some(step) = step(used) else {
                panic!("{:?} uses crate::{used}, which has no step", source.path);
            };
            assert!(step < own, "{:?} uses crate::{used}, which is not below it", source.path);
        }
    }
}

/// So that the paths above tell everything.
#[test]
fn no_path_leads_out_of_a_module_but_through_the_crate() {
    for source in sources() {
        let below = source.path.strip_prefix(root().join("src")).expect("a file of src");
        let is_module_root = source.path.ends_with("mod.rs");
        let depth = below.components().count() - usize::from(is_module_root);
        let way_out = format!("use {}", "super::".repeat(depth));
        assert!(source.module() == "lib" || !source.shipped().contains(&way_out), "{:?}", source.path);
    }
}

#[test]
fn no_driver_knows_another() {
    for source in sources().iter().filter(|source| source.module() == "drivers") {
        assert!(!source.text.contains("crate::drivers::"), "{:?}", source.path);
        assert!(!source.shipped().contains("super::super::"), "{:?}", source.path);
        // Tests within a module are one deeper.
        assert!(!source.text.contains("super::super::super::"), "{:?}", source.path);
    }
}

#[test]
fn every_exported_function_goes_through_the_boundary() {
    let mut functions = 0;
    for source in sources().iter().filter(|source| source.module() == "capi") {
        for function in source.shipped().split("extern \"C\" fn gs_").skip(1) {
            let body = &function[function.find(" {\n").expect("a body") + 3..];
            let body = body.split("\n}\n").next().unwrap_or_default();
            let guards = ["fallible(err, || ", "infallible(", "handle::free(", "gs_error::release("];
            let guarded = guards.iter().filter(|guard| body.contains(**guard)).count() > 0;
            let name = function.split('(').next().unwrap_or_default();
            assert!(guarded, "gs_{name} does not go through the boundary");
            functions += 1;
        }
    }
    assert_eq!(functions, exported_by_the_header(), "functions of src/capi and of the header");
}

fn exported_by_the_header() -> usize {
    let header = fs::read_to_string(root().join("include/glance_store.h")).expect("the header");
    let code: Vec<&str> = header.lines().filter(|line| !line.starts_with("//")).collect();
    code.join(" ").matches("GS_API ").count() - header.matches("#define GS_API").count()
}

#[test]
fn unsafe_stands_only_at_the_boundaries_and_each_time_with_its_reason() {
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let is_block = line.contains("unsafe {") || line.trim_start().starts_with("unsafe impl");
            let is_promise =
                ["unsafe fn", "unsafe trait", "unsafe extern"].iter().any(|item| line.contains(item));
            if is_block || is_promise {
                let module = source.module();
                assert!(UNSAFE.contains(&module.as_str()), "unsafe in {:?}:{}", source.path, index + 1);
            }
            if !is_block {
                continue;
            }
            let before = &lines[index.saturating_sub(4)..index];
            let explained = before.iter().any(|line| line.contains("SAFETY:"));
            assert!(explained, "no SAFETY comment before {:?}:{}", source.path, index + 1);
        }
    }
}

#[test]
fn nothing_from_outside_is_unwrapped() {
    for source in sources().iter().filter(|source| !source.is_test()) {
        for forbidden in [".unwrap()", ".expect(", "unreachable!", "todo!", "unimplemented!"] {
            assert!(!source.shipped().contains(forbidden), "{forbidden} in {:?}", source.path);
        }
    }
}

#[test]
fn every_public_item_of_the_header_is_documented() {
    let header = fs::read_to_string(root().join("include/glance_store.h")).expect("the header");
    let lines: Vec<&str> = header.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let starts_item = line.starts_with("GS_API") || line.starts_with("typedef ");
        let is_constant = line.starts_with("#define GS_") && !line.starts_with("#define GS_API");
        let by_hand = ["GS_VERSION_", "GS_MUST_USE", "_INIT "].iter().any(|part| line.contains(part));
        if starts_item || is_constant && !by_hand {
            assert!(lines[index - 1].starts_with("//"), "undocumented: {line}");
        }
    }
}
