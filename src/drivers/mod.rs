//! The backends.  A new one is a folder here and a word in this list.

use crate::driver::Registration;

macro_rules! drivers {
    ($($driver:ident),* $(,)?) => {
        $(mod $driver;)*

        /// Every driver of this build.
        pub static DRIVERS: &[&Registration] = &[$(&$driver::REGISTRATION),*];
    };
}

drivers! { file, http, rbd, s3, sheepdog, swift }

/// The driver that the configuration calls `name`.
pub fn named(name: &str) -> Option<&'static Registration> {
    DRIVERS.iter().copied().find(|driver| driver.name == name || driver.alias == name)
}
