//! Options of glance_store's drivers that this library does not have yet.
//!
//! A deployment's file holds them in `[glance_store]` or a store's group; they are no mistake there.
//! A driver that is added here brings its own option table: delete its row then.

/// Driver name and the names of its options, former names included.
const DRIVERS: &[(&str, &[&str])] = &[
    (
        "cinder",
        &[
            "cinder_catalog_info",
            "cinder_endpoint_template",
            "cinder_os_region_name",
            "os_region_name",
            "cinder_ca_certificates_file",
            "cinder_http_retries",
            "cinder_state_transition_timeout",
            "cinder_api_insecure",
            "cinder_store_auth_address",
            "cinder_store_user_name",
            "cinder_store_password",
            "cinder_store_project_name",
            "cinder_store_user_domain_name",
            "cinder_store_project_domain_name",
            "cinder_store_application_credential_id",
            "cinder_store_application_credential_secret",
            "rootwrap_config",
            "cinder_volume_type",
            "cinder_enforce_multipath",
            "cinder_use_multipath",
            "cinder_mount_point_base",
            "cinder_do_extend_attached",
            "cinder_attachment_retry_attempts",
        ],
    ),
    (
        "vmware",
        &[
            "vmware_server_host",
            "vmware_server_username",
            "vmware_server_password",
            "vmware_api_retry_count",
            "vmware_task_poll_interval",
            "vmware_store_image_dir",
            "vmware_insecure",
            "vmware_api_insecure",
            "vmware_ca_file",
            "vmware_datastores",
        ],
    ),
];

/// The drivers that are still foreign.
pub fn drivers() -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().map(|(driver, _)| *driver)
}

/// Whether `key` is an option of a foreign driver.
pub fn knows(key: &str) -> bool {
    names().any(|name| name == key)
}

/// The options of all foreign drivers.
pub fn names() -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().flat_map(|(_, names)| names.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_stands_once_and_is_an_option_name() {
        let mut seen = HashSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name} twice");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.chars().all(is_plain), "{name}");
        }
    }

    #[test]
    fn drivers_stand_once() {
        let mut seen = HashSet::new();
        assert!(drivers().all(|driver| seen.insert(driver)));
    }

    #[test]
    fn knows_the_options_of_each_driver_and_no_others() {
        for name in ["cinder_volume_type", "vmware_api_insecure", "os_region_name"] {
            assert!(knows(name), "{name}");
        }
        for name in ["", "swift", "filesystem_store_datadir", "CINDER_VOLUME_TYPE"] {
            assert!(!knows(name), "{name}");
        }
    }
}
