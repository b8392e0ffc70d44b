//! glance-store: virtual machine images into any backend and out again, behind a C ABI.
//!
//! The floors of the house, lowest first; a module uses only those on its own or lower floors:
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 0 | `error` `secret` `hash` `capabilities` `chance` `log` `claim` | words |
//! | 0 | `shared_object` `libcrypto` | libraries of others, loaded when needed |
//! | 1 | `config` `location` `operation` | what a caller says |
//! | 2 | `transfer` `http` `identity` `ceph` | moving bytes, and who asks for them |
//! | 3 | `driver` | the contract of a backend |
//! | 4 | `drivers` | the backends |
//! | 5 | `registry` `store` `copy` `checks` | the synchronous facade |
//! | 6 | `capi` | the C ABI |

mod capabilities;
pub mod capi;
mod ceph;
mod chance;
mod checks;
mod claim;
mod config;
mod copy;
mod driver;
mod drivers;
mod error;
mod hash;
mod http;
mod identity;
mod libcrypto;
mod location;
mod log;
mod operation;
mod registry;
mod secret;
mod shared_object;
mod store;
#[cfg(test)]
mod tests;
mod transfer;
