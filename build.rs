//! Names the shared library and keeps the committed header equal to the source.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of src/capi with public items, in the order in which the header has them.
const SOURCES: &[&str] =
    &["error", "version", "cancel", "config", "registry", "store", "location", "opts", "image", "reader"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    // Printing any of these ends cargo's own guess, so all of them are named.
    for path in ["src", "include", "build.rs", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-env-changed=GS_UPDATE_HEADER");
    link();
    header(&root);
}

/// The soname is the ABI's version.  `-z nodelete`: a dlclose() that unmapped the library would crash
/// threads that still have its destructors to run.
fn link() {
    let abi = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets CARGO_PKG_VERSION_MAJOR");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libglance_store.so.{abi}");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

fn header(root: &Path) {
    let committed = root.join("include/glance_store.h");
    let config =
        cbindgen::Config::from_file(root.join("include/cbindgen.toml")).expect("include/cbindgen.toml");
    check_version(&config);
    let mut generated = Vec::new();
    let sources = SOURCES.iter().map(|name| root.join("src/capi").join(name).with_extension("rs"));
    let builder = cbindgen::Builder::new().with_config(config);
    let bindings = sources.fold(builder, |builder, source| builder.with_src(source)).generate();
    bindings.expect("cbindgen reads src/capi").write(&mut generated);
    let generated = tidied(&String::from_utf8(generated).expect("the source is UTF-8"));

    if env::var_os("GS_UPDATE_HEADER").is_some() {
        if fs::read(&committed).ok().as_deref() != Some(generated.as_bytes()) {
            fs::write(&committed, &generated).expect("include/glance_store.h can be written");
        }
        return;
    }
    let fresh = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("glance_store.h");
    fs::write(&fresh, &generated).expect("OUT_DIR can be written");
    if fs::read(&committed).ok().as_deref() != Some(generated.as_bytes()) {
        panic!(
            "include/glance_store.h differs from the source (which gives {}): run GS_UPDATE_HEADER=1 cargo build",
            fresh.display()
        );
    }
}

/// Structs keep their tags where they are declared, for forward declarations elsewhere; uses of them
/// read better by their typedefs.  cbindgen leaves a blank line for everything that it leaves out.
fn tidied(header: &str) -> String {
    let lines = header.split_inclusive('\n').map(|line| match line.starts_with("typedef struct ") {
        true => line.to_owned(),
        false => line.replace("struct gs_", "gs_"),
    });
    let mut header: String = lines.collect();
    while header.contains("\n\n\n") {
        header = header.replace("\n\n\n", "\n\n");
    }
    header
}

/// The header's version macros are text in cbindgen.toml: they must say what Cargo.toml says.
fn check_version(config: &cbindgen::Config) {
    let text = config.after_includes.as_deref().unwrap_or_default();
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let version = env::var(format!("CARGO_PKG_VERSION_{part}")).expect("cargo sets the version");
        let line = format!("#define GS_VERSION_{part} {version}\n");
        assert!(text.contains(&line), "include/cbindgen.toml must have the line {line:?}, as in Cargo.toml");
    }
}
