//! Who asks a service of OpenStack: credentials become a token, the token is kept and renewed, and the
//! service catalogue tells where the service is.
//!
//! | file | what it knows |
//! |---|---|
//! | `credentials` | whom a token is for, bound to the one address that may see the password |
//! | `keystone` | the requests and answers of Keystone's API, version 3 |
//! | `tempauth` | those of version 1: Swift's own authentication, and radosgw's |
//! | `grant` | what logging in gave: the token, how long it is good, where the services are |
//! | `catalogue` | service catalogues, of tokens and of request contexts |
//! | `session` | one grant that all operations share, renewed in time |
//! | `delegation` | acting for a user longer than the user's token lives |

mod catalogue;
mod credentials;
mod delegation;
mod error;
mod exchange;
mod grant;
mod kept;
mod keystone;
mod session;
mod tempauth;

pub use catalogue::{Catalogue, Interface, Service};
pub use credentials::{Domain, Identity, Password};
pub use delegation::{Delegation, UserToken};
pub use session::{Session, Sessions};

#[cfg(test)]
mod tests;
