//! Removing images: segments first, so that what remains of a failure can be removed by the next attempt.

use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use super::layout::{is_segment_of, segment_prefix};
use super::leftovers::{self, remove_all};
use super::storage::{Layout, Storage, not_found, refused};
use super::together::{AT_A_TIME, each};
use crate::error::{Error, Kind, Result};
use crate::http::Request;
use crate::location::shorten;

/// The longest report of a server about what it has deleted.
const MAX_REPORT: usize = 4 << 20;

/// The longest list of segments: servers take 8 MiB unless configured otherwise, and tell more than they took.
const MAX_LIST: usize = 64 << 20;

/// How deep lists lie in lists at most; so says Swift.
const MAX_DEPTH: usize = 10;

/// Removes an image, however it is laid out, and what a killed add of it has left.
pub async fn delete(storage: &Storage, container: &str, object: &str) -> Result<()> {
    let found = storage.look_at(container, object).await?;
    match found.map(|found| found.layout) {
        Some(Layout::Static) => return delete_static(storage, container, object, 1).await,
        Some(Layout::Dynamic { container: other, prefix }) => {
            let is_usual = other == container && prefix == segment_prefix(object);
            delete_segments(storage, &other, &prefix, is_usual.then_some(object)).await?;
        }
        Some(Layout::Plain) => remove_all(storage, container, leftovers_of(storage, container, object).await?).await?,
        None => {
            let left = leftovers_of(storage, container, object).await?;
            // An add may have come to its end since.
            leftovers::clear(storage, container, object, left).await?;
            return Err(not_found(container, object));
        }
    }
    // It was there: that it is not any more is what an answer that was lost had said.
    storage.delete(container, object).await.map(drop)
}

async fn leftovers_of(storage: &Storage, container: &str, object: &str) -> Result<Vec<String>> {
    let found = leftovers::find(storage, container, object).await?;
    Ok(found.map(|found| found.left).unwrap_or_default())
}

/// Removes the segments that a manifest names; where these are of the usual form, no object that only begins
/// like them, and those as well that the listing does not show yet.
async fn delete_segments(storage: &Storage, container: &str, prefix: &str, image_id: Option<&str>) -> Result<()> {
    let listed = storage.list(container, prefix).await?.unwrap_or_default();
    let mut names: Vec<String> = listed.into_iter().map(|listed| listed.name).collect();
    if let Some(image_id) = image_id {
        names.retain(|name| is_segment_of(image_id, name));
        // Their numbers leave none out.
        let hidden = leftovers::hidden(storage, container, image_id, &names, 1).await?;
        names.extend(hidden.into_iter().map(|(name, _)| name));
    }
    remove_all(storage, container, names).await
}

/// Deletes what a list names, and then the list.  Of lists of segments the server does that by one request.  A list of
/// lists it would delete before what these name, and give up half-way where that is more than it deletes at once:
/// so these go one by one, lowest first.
async fn delete_static(storage: &Storage, container: &str, object: &str, depth: usize) -> Result<()> {
    let Some(entries) = read_list(storage, container, object).await? else {
        return match delete_at_once(storage, container, object).await? {
            Outcome::Deleted => Ok(()),
            Outcome::TooMany => Err(not_all("400 Bad Request")),
        };
    };
    let (lists, segments): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.is_list);
    if lists.is_empty() && delete_at_once(storage, container, object).await? == Outcome::Deleted {
        return Ok(());
    }
    if !lists.is_empty() && depth == MAX_DEPTH {
        return Err(not_all("lists lie in lists, and deeper than Swift lets them"));
    }
    for list in lists {
        Box::pin(delete_static(storage, &list.container, &list.object, depth + 1)).await?;
    }
    each(AT_A_TIME, segments, |segment| {
        let storage = storage.clone();
        async move { storage.delete(&segment.container, &segment.object).await.map(drop) }
    })
    .await?;
    storage.delete(container, object).await.map(drop)
}

/// The server deletes a list with all that it names, and says of what it could not.
async fn delete_at_once(storage: &Storage, container: &str, object: &str) -> Result<Outcome> {
    let request = Request::delete().with(ACCEPT, HeaderValue::from_static("application/json"));
    let response = storage.send(&[container, object], "?multipart-manifest=delete", request).await?;
    match response.status {
        200..300 => check_report(&response.body.read_all(MAX_REPORT).await?),
        404 => Ok(Outcome::Deleted),
        400 => Ok(Outcome::TooMany),
        _ => Err(refused(response, &format!("delete {container}/{object} with its segments")).await),
    }
}

/// What a list names; none: the server does not tell.
async fn read_list(storage: &Storage, container: &str, object: &str) -> Result<Option<Vec<Entry>>> {
    let response = storage.send(&[container, object], "?multipart-manifest=get", Request::get()).await?;
    let is_list = response.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match response.status {
        200 if is_list => Ok(entries_of(&response.body.read_all(MAX_LIST).await?)),
        // It may be the image itself.
        200 | 404 => Ok(None),
        _ => Err(refused(response, &format!("read the list of {container}/{object}")).await),
    }
}

/// What a list names.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    container: String,
    object: String,
    is_list: bool,
}

fn entries_of(list: &[u8]) -> Option<Vec<Entry>> {
    let list: Value = serde_json::from_slice(list).ok()?;
    let entry = |entry: &Value| {
        let (container, object) = entry["name"].as_str()?.strip_prefix('/')?.split_once('/')?;
        let is_list = entry["sub_slo"].as_bool().unwrap_or_default();
        Some(Entry { container: container.to_owned(), object: object.to_owned(), is_list })
    };
    list.as_array()?.iter().map(entry).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Deleted,
    /// More segments than the server deletes by one request.
    TooMany,
}

fn check_report(report: &[u8]) -> Result<Outcome> {
    // A server that says nothing more has done it.
    let Ok(report) = serde_json::from_slice::<Value>(report) else {
        return Ok(Outcome::Deleted);
    };
    let status = report["Response Status"].as_str().unwrap_or("200");
    let mut failed = report["Errors"].as_array().into_iter().flatten();
    match failed.next() {
        None if status.starts_with("200") || status.starts_with("404") => Ok(Outcome::Deleted),
        None if status.starts_with("400") => Ok(Outcome::TooMany),
        None => Err(not_all(status)),
        Some(first) => {
            let of = |index: usize| first[index].as_str().unwrap_or_default();
            Err(not_all(&format!("{}: {}", of(0), of(1))))
        }
    }
}

fn not_all(reason: &str) -> Error {
    let reason = shorten(reason);
    Error::new(Kind::Failed, format!("the server could not delete all segments, try again: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_strictly() {
        let list = br#"[{"name": "/c d/id-slo-00001", "sub_slo": true, "bytes": 5}, {"name": "/c/id/00001", "hash": "ab"}]"#;
        let entry = |container: &str, object: &str, is_list| Entry { container: container.into(), object: object.into(), is_list };
        assert_eq!(entries_of(list).unwrap(), [entry("c d", "id-slo-00001", true), entry("c", "id/00001", false)]);
        for list in ["{}", "[1]", r#"[{"name": "c/o"}]"#, r#"[{"name": "/c"}]"#, "<html>"] {
            assert_eq!(entries_of(list.as_bytes()), None, "{list}");
        }
    }

    #[test]
    fn a_report_must_tell_of_no_failure() {
        for report in [
            r#"{"Number Deleted": 3, "Response Status": "200 OK", "Errors": []}"#,
            " \r\n\r\n {\"Response Status\": \"200 OK\"}",
            r#"{"Response Status": "404 Not Found", "Errors": [], "Number Not Found": 1}"#,
            "",
        ] {
            let outcome = check_report(report.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(outcome, Outcome::Deleted, "{report}");
        }
        let report = br#"{"Response Status": "400 Bad Request", "Response Body": "Too many", "Errors": []}"#;
        assert_eq!(check_report(report).unwrap(), Outcome::TooMany);
        for (report, words) in [
            (r#"{"Response Status": "400 Bad Request", "Errors": [["c/id-00002", "403 Forbidden"]]}"#, "c/id-00002: 403 Forbidden"),
            (r#"{"Response Status": "500 Internal Error", "Errors": []}"#, "500 Internal Error"),
            (r#"{"Response Status": "200 OK", "Errors": [1]}"#, "could not delete all"),
        ] {
            let error = check_report(report.as_bytes()).unwrap_err();
            assert!(error.message().contains(words), "{error}");
        }
    }
}
