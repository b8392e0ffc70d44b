//! Who may see and change the container of a tenant's image.

use http::HeaderMap;
use http::header::HeaderName;

use super::storage::header;
use crate::driver::Acls;
use crate::error::{Error, Kind, Result};

const READ: HeaderName = HeaderName::from_static("x-container-read");
const WRITE: HeaderName = HeaderName::from_static("x-container-write");

/// The lists as Swift takes them.  Public is for the users of every project, as in glance_store: not for
/// those who have no account.
pub fn headers(acls: &Acls, admin_tenants: &[String]) -> Result<HeaderMap> {
    let readers = match acls.is_public {
        true => "*:*".to_owned(),
        false => all_of(acls.readers.iter())?,
    };
    let writers = all_of(acls.writers.iter().chain(admin_tenants))?;
    Ok([(READ, header(&readers)?), (WRITE, header(&writers)?)].into_iter().collect())
}

/// Every user of these projects.
fn all_of<'a>(projects: impl Iterator<Item = &'a String>) -> Result<String> {
    let users: Vec<String> = projects.map(|project| user_of(project)).collect::<Result<_>>()?;
    Ok(users.join(","))
}

/// A project's id must not be able to say more than itself.
fn user_of(project: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '@' | '+');
    let is_project = project.starts_with(|c: char| c != '.') && project.chars().all(is_plain);
    match is_project {
        true => Ok(format!("{project}:*")),
        false => Err(Error::new(Kind::Invalid, format!("{project:?} is not the id of a project"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(is_public: bool, readers: &[&str], writers: &[&str], admins: &[&str]) -> Result<(String, String)> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let acls = Acls { is_public, readers: owned(readers), writers: owned(writers) };
        let headers = headers(&acls, &owned(admins))?;
        let text = |name| headers[name].to_str().unwrap().to_owned();
        Ok((text(READ), text(WRITE)))
    }

    #[test]
    fn lists_are_those_of_glance_store() {
        for (is_public, readers, writers, admins, read, write) in [
            (true, &["matt"][..], &[][..], &[][..], "*:*", ""),
            (false, &["matt", "mark"], &[], &[], "matt:*,mark:*", ""),
            (false, &[], &["frank", "jim"], &[], "", "frank:*,jim:*"),
            (false, &[], &["frank"], &["fred", "george"], "", "frank:*,fred:*,george:*"),
            (false, &[], &[], &[], "", ""),
        ] {
            assert_eq!(lists(is_public, readers, writers, admins).unwrap(), (read.into(), write.into()));
        }
    }

    #[test]
    fn an_id_that_says_more_is_refused() {
        for id in ["", "*", ".r:*", "a,b", "a:b", "a b", ".rlistings", "a\r\nX-Evil: 1"] {
            assert_eq!(lists(false, &[id], &[], &[]).unwrap_err().kind(), Kind::Invalid, "{id}");
        }
    }
}
