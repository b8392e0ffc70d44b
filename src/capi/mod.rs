//! The C ABI: the only `extern "C"` functions, one file for each kind of handle.
//!
//! `include/glance_store.h` is generated from these files, documentation included.  Functions are thin:
//! they look at their arguments through `boundary`, `handle` and `sized`, and call the facade.

// Safety, for every function: pointers follow the five rules at the top of the header.
#![allow(clippy::missing_safety_doc)]
// The contract's functions take as many arguments as C callers are used to.
#![allow(clippy::too_many_arguments)]

pub mod cancel;
pub mod config;
pub mod error;
pub mod image;
pub mod location;
pub mod opts;
pub mod reader;
pub mod registry;
pub mod store;
pub mod version;

mod boundary;
mod handle;
mod sized;

#[cfg(test)]
mod tests;
