//! Adds that are under way in a store.  Servers that cannot keep two of one image apart take both when they begin in
//! the same instant, and keep the later one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Kind, Result};

/// The images that are being added to a store, by the container or bucket and the id.
#[derive(Clone, Default)]
pub struct Claims(Arc<Mutex<HashSet<(String, String)>>>);

impl Claims {
    /// Keeps other adds of the same image out until it is dropped.
    pub fn take(&self, container: &str, image_id: &str) -> Result<Claim> {
        let image = (container.to_owned(), image_id.to_owned());
        if self.lock().insert(image.clone()) {
            return Ok(Claim { claims: self.clone(), image });
        }
        let message = format!("another add of the image {image_id:?} is under way");
        Err(Error::new(Kind::Duplicate, message))
    }

    /// Whether the image is being added.
    pub fn hold(&self, container: &str, image_id: &str) -> bool {
        self.lock().contains(&(container.to_owned(), image_id.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One add of an image.
pub struct Claim {
    claims: Claims,
    image: (String, String),
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.image);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_add_of_an_image_is_let_through_at_a_time() {
        let claims = Claims::default();
        let claim = claims.take("images", "one").unwrap();
        assert!(claims.hold("images", "one") && !claims.hold("images", "two"));
        let error = claims.take("images", "one").err().unwrap();
        assert_eq!((error.kind(), error.message().contains("\"one\"")), (Kind::Duplicate, true));
        assert!(claims.take("images", "two").is_ok() && claims.take("others", "one").is_ok());
        drop(claim);
        assert!(!claims.hold("images", "one") && claims.take("images", "one").is_ok());
    }
}
