//! glance-store: virtual machine images into any backend and out again, behind a C ABI.
