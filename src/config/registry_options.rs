//! The options that belong to no driver: which stores there are, and what every store has.

use super::options::{OptionKind, OptionSpec};

/// Group `DEFAULT`.
pub const DEFAULT: &[OptionSpec] = &[OptionSpec::new(
    "enabled_backends",
    OptionKind::Dict,
    "The stores as id:driver, separated by commas, in the order in which they are searched",
)];

/// Group `glance_store`.
pub const GLANCE_STORE: &[OptionSpec] = &[
    OptionSpec::new("stores", OptionKind::List, "The drivers to open when enabled_backends is not set")
        .with_default("file,http"),
    OptionSpec::new(
        "default_store",
        OptionKind::Choice(&[
            "file",
            "filesystem",
            "http",
            "https",
            "swift",
            "swift+http",
            "swift+https",
            "swift+config",
            "rbd",
            "cinder",
            "vsphere",
            "s3",
            "s3+http",
            "s3+https",
            "sheepdog",
        ]),
        "The scheme of the default store when enabled_backends is not set",
    )
    .with_default("file"),
    OptionSpec::new(
        "default_backend",
        OptionKind::Str,
        "The id of the default store when enabled_backends is set",
    ),
];

/// A store's own group; `backend_defaults` knows none of these.
pub const STORE: &[OptionSpec] = &[
    OptionSpec::new("store_description", OptionKind::Str, "What the store is, for people"),
    OptionSpec::new(
        "weight",
        OptionKind::Int { min: None, max: None },
        "The preference for this store among several that hold an image; more is preferred",
    )
    .with_default("0"),
];

/// A store's own group, falling back to `backend_defaults` as the driver's options do.
pub const TRANSFER: &[OptionSpec] = &[OptionSpec::new(
    "transfer_memory",
    OptionKind::Int { min: Some(8), max: None },
    "The most memory that one call uses for image data, in MiB",
)
.with_default("64")];

#[cfg(test)]
mod tests {
    use super::super::{assert_sound, foreign};
    use super::*;

    #[test]
    fn tables_are_sound_and_not_foreign() {
        let tables = [DEFAULT, GLANCE_STORE, STORE, TRANSFER];
        assert_sound(&tables);
        for spec in tables.concat() {
            assert!(!foreign::knows(spec.name), "{} is ours", spec.name);
        }
    }
}
