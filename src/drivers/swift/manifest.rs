//! The object that makes segments one image: by their names (DLO) or by a list of them (SLO).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::destination::Destination;
use super::layout::{segment_prefix, sublist_name};
use super::leftovers;
use super::storage::{Layout, Listed, OBJECT_MANIFEST, Object, Storage, manifest_value};
use super::together::{AT_A_TIME, each};
use crate::error::{Error, Kind, Result};
use crate::http::{Payload, Request, Target};

/// How segments become one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    Dynamic,
    Static,
}

/// How many segments Swift takes in one list, unless the server says otherwise.
const USUAL_SEGMENTS: usize = 1000;

/// How many segments are looked at once the image is there: its time is limited, and those of a large one are many.
const LOOKED_AT: usize = 512;

/// How often the listing is looked at again that does not show what is stored: servers bring it up to date a
/// little later under load.
const LOOKS: u32 = 8;

/// The pause before the first of these; it doubles with each.
const PAUSE: Duration = Duration::from_millis(100);

/// The query of requests about a list of segments.
const PUT_LIST: &str = "?multipart-manifest=put";

/// The longest answer of a server about itself.
const MAX_INFO: usize = 1 << 20;

/// What the manifest will bring together.
pub struct Contents {
    /// What a list has to name; nothing where the names of the segments tell.
    members: Vec<Member>,
    stored: Vec<Listed>,
    size: u64,
}

/// Makes sure that the manifest will bring together just what was stored.
pub async fn prepare(
    manifest: Manifest,
    destination: &Arc<Destination>,
    stored: Vec<Listed>,
) -> Result<Contents> {
    let listed = if stored.is_empty() { Vec::new() } else { list(destination).await? };
    check_own(destination, &stored, &listed).await?;
    let members = match manifest {
        // The server compares every segment with the list.
        Manifest::Static => put_sublists(destination, stored.iter().map(Member::segment).collect()).await?,
        Manifest::Dynamic => check_listing(destination, &stored, listed).await.map(|()| Vec::new())?,
    };
    Ok(Contents { members, size: stored.iter().map(|segment| segment.size).sum(), stored })
}

/// Stores the manifest, and with it the image.
pub async fn publish(manifest: Manifest, destination: &Arc<Destination>, contents: &Contents) -> Result<()> {
    let image_id = &destination.image_id;
    match manifest {
        Manifest::Dynamic => put_dynamic(destination).await?,
        Manifest::Static if !contents.members.is_empty() => {
            put_list(destination, image_id, &contents.members).await?;
        }
        // There is no list of nothing.
        Manifest::Static => drop(destination.put(image_id, "", Request::put(Payload::default())).await?),
    }
    check_image(manifest, destination, contents).await?;
    check_undisturbed(destination, &contents.stored).await
}

/// Makes sure that nobody has taken the segments for leftovers, or is about to: who does sees the image, or leaves a
/// notice for as long as it takes, and has removed some of the first segments then.  Not just the very first: what
/// could not be removed stays.
async fn check_undisturbed(destination: &Arc<Destination>, stored: &[Listed]) -> Result<()> {
    let Destination { storage, container, image_id, .. } = &**destination;
    if leftovers::are_being_cleared(storage, container, image_id).await? {
        return Err(destination.cleared());
    }
    check_own(destination, &stored[..stored.len().min(LOOKED_AT)], &[]).await
}

/// Swift lets two writers of a name at the same time both go ahead, and keeps one: another add of the image
/// that fails would remove what is its own.  Where the listing does not tell whose a segment is, it says so itself.
async fn check_own(destination: &Arc<Destination>, stored: &[Listed], listed: &[Listed]) -> Result<()> {
    let own = listed.iter().filter(|segment| destination.is_listed_as_own(segment));
    let own: HashSet<&str> = own.map(|segment| segment.name.as_str()).collect();
    let names = stored.iter().map(|segment| segment.name.clone()).filter(|name| !own.contains(name.as_str())).collect();
    each(AT_A_TIME, names, |name: String| {
        let destination = destination.clone();
        async move {
            match destination.storage.look_at(&destination.container, &name).await? {
                Some(segment) if destination.is_own(&segment) => Ok(()),
                Some(_) => Err(destination.duplicate(&name)),
                None => Err(lost(&destination.container, &name)),
            }
        }
    })
    .await
}

/// Removes the lists of segments that this add has stored below its list.
pub async fn remove_sublists(destination: &Destination) -> Result<()> {
    for number in 1.. {
        let name = sublist_name(&destination.image_id, number);
        if destination.own(&name).await?.is_none() {
            break;
        }
        destination.storage.delete(&destination.container, &name).await?;
    }
    Ok(())
}

/// No hash goes with it: servers disagree on the hash of a manifest.
async fn put_dynamic(destination: &Arc<Destination>) -> Result<()> {
    let Destination { container, image_id, .. } = &**destination;
    let value = manifest_value(container, &segment_prefix(image_id))?;
    let request = Request::put(Payload::default()).with(OBJECT_MANIFEST, value);
    destination.put(image_id, "", request).await.map(drop)
}

/// Makes sure that the image is what was stored.  A segment may have been lost since it was looked for; or the
/// listing lags that the server reads to add up a dynamic image, which need not be the one that was looked at.
async fn check_image(manifest: Manifest, destination: &Destination, contents: &Contents) -> Result<()> {
    let Destination { storage, container, image_id, .. } = destination;
    let (mut pause, mut sizes) = (PAUSE, (0, 0));
    for _ in 0..LOOKS {
        let image = storage.look_at(container, image_id).await?.ok_or_else(|| lost(container, image_id))?;
        check_layout(manifest, contents, &image)?;
        sizes = match image.size {
            Some(found) if found != contents.size => (contents.size, found),
            // The server does not add up very many segments.
            _ => return Ok(()),
        };
        if manifest == Manifest::Static {
            break;
        }
        check_listing(destination, &contents.stored, list(destination).await?).await?;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let (size, found) = sizes;
    let message =
        format!("{size} bytes were stored, but the image {container}/{image_id} has {found}: segments were lost");
    Err(Error::new(Kind::Failed, message))
}

/// A server that does not know lists stores the list itself as the image.
fn check_layout(manifest: Manifest, contents: &Contents, image: &Object) -> Result<()> {
    let is_list = manifest == Manifest::Static && !contents.members.is_empty();
    if is_list && image.layout != Layout::Static {
        let message = "the server does not make one image of a list of segments: set swift_store_manifest to dlo";
        return Err(Error::new(Kind::Failed, message));
    }
    Ok(())
}

/// The objects whose names begin like those of the image's segments.
async fn list(destination: &Destination) -> Result<Vec<Listed>> {
    let Destination { storage, container, image_id, .. } = destination;
    Ok(storage.list(container, &segment_prefix(image_id)).await?.unwrap_or_default())
}

async fn check_listing(destination: &Destination, stored: &[Listed], mut listed: Vec<Listed>) -> Result<()> {
    let container = &destination.container;
    let mut pause = PAUSE;
    for _ in 0..LOOKS {
        match compare(stored, &listed) {
            Comparison::Same => return Ok(()),
            difference => explain(destination, difference).await?,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        listed = list(destination).await?;
    }
    let message = format!(
        "the listing of the container {container} still does not show what is stored, and the image would be what it shows: try again later, or set swift_store_manifest to slo"
    );
    Err(Error::new(Kind::Unavailable, message))
}

/// Fails where the objects differ as their listing does; else the listing is not up to date yet.
async fn explain(destination: &Destination, difference: Comparison<'_>) -> Result<()> {
    let Destination { storage, container, .. } = destination;
    match difference {
        Comparison::Same => Ok(()),
        Comparison::Foreign(name) => match storage.look_at(container, name).await? {
            Some(_) => Err(destination.duplicate(name)),
            None => Ok(()),
        },
        Comparison::Different(ours, theirs) => match storage.look_at(container, &ours.name).await? {
            Some(object) if destination.is_own(&object) && object.size == Some(ours.size) => Ok(()),
            _ => Err(destination.corrupt(&ours.name, &theirs.hash, &ours.hash)),
        },
        Comparison::Missing(ours) => match storage.look_at(container, &ours.name).await? {
            Some(_) => Ok(()),
            None => Err(lost(container, &ours.name)),
        },
    }
}

fn lost(container: &str, name: &str) -> Error {
    let message = format!("{container}/{name} was stored, but is not there any more");
    Error::new(Kind::Failed, message)
}

#[derive(Debug, PartialEq, Eq)]
enum Comparison<'a> {
    Same,
    /// A name that was not stored here.
    Foreign(&'a str),
    Different(&'a Listed, &'a Listed),
    Missing(&'a Listed),
}

fn compare<'a>(stored: &'a [Listed], listed: &'a [Listed]) -> Comparison<'a> {
    let ours: HashMap<&str, &Listed> = stored.iter().map(|segment| (segment.name.as_str(), segment)).collect();
    for theirs in listed {
        match ours.get(theirs.name.as_str()) {
            None => return Comparison::Foreign(&theirs.name),
            Some(ours) if ours.size != theirs.size || ours.hash != theirs.hash => {
                return Comparison::Different(ours, theirs);
            }
            Some(_) => {}
        }
    }
    let names: HashMap<&str, ()> = listed.iter().map(|theirs| (theirs.name.as_str(), ())).collect();
    match stored.iter().find(|segment| !names.contains_key(segment.name.as_str())) {
        Some(missing) => Comparison::Missing(missing),
        None => Comparison::Same,
    }
}

/// One entry of a list.
struct Member {
    name: String,
    size: u64,
    hash: Option<String>,
}

/// Of more segments than one list takes, stores lists: the image's list names these.
async fn put_sublists(destination: &Arc<Destination>, mut members: Vec<Member>) -> Result<Vec<Member>> {
    let most = max_segments(&destination.storage).await;
    let mut number = 0;
    while members.len() > most {
        let mut lists = Vec::new();
        for part in members.chunks(most) {
            number += 1;
            let name = sublist_name(&destination.image_id, number);
            put_list(destination, &name, part).await?;
            let size = part.iter().map(|member| member.size).sum();
            lists.push(Member { name, size, hash: None });
        }
        members = lists;
    }
    Ok(members)
}

impl Member {
    fn segment(segment: &Listed) -> Self {
        Member { name: segment.name.clone(), size: segment.size, hash: Some(segment.hash.clone()) }
    }

    fn entry(&self, container: &str) -> Value {
        let path = format!("/{container}/{}", self.name);
        match &self.hash {
            Some(hash) => json!({ "path": path, "etag": hash, "size_bytes": self.size }),
            None => json!({ "path": path, "size_bytes": self.size }),
        }
    }
}

async fn put_list(destination: &Arc<Destination>, name: &str, members: &[Member]) -> Result<()> {
    let entries: Vec<Value> = members.iter().map(|member| member.entry(&destination.container)).collect();
    let body = Bytes::from(Value::from(entries).to_string());
    destination.put(name, PUT_LIST, Request::put(Payload::held(vec![body]))).await.map(drop)
}

/// How many segments the server takes in one list; it need not say.
async fn max_segments(storage: &Storage) -> usize {
    told_max_segments(storage).await.filter(|most| *most > 1).unwrap_or(USUAL_SEGMENTS)
}

async fn told_max_segments(storage: &Storage) -> Option<usize> {
    let target = Target { url: storage.origin_url("/info")?, authorizer: None };
    let response = storage.client().send(&target, Request::get()).await.ok()?;
    if response.status != 200 {
        return None;
    }
    let info: Value = serde_json::from_slice(&response.body.read_all(MAX_INFO).await.ok()?).ok()?;
    usize::try_from(info["slo"]["max_manifest_segments"].as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(name: &str, size: u64, hash: &str) -> Listed {
        Listed { name: name.into(), size, hash: hash.into(), upload_id: None }
    }

    #[test]
    fn a_listing_must_be_what_was_stored() {
        let stored = [segment("id-00001", 5, "a"), segment("id-00002", 3, "b")];
        assert_eq!(compare(&stored, &stored), Comparison::Same);
        assert_eq!(compare(&stored, &stored[..1]), Comparison::Missing(&stored[1]));
        assert_eq!(compare(&stored, &[]), Comparison::Missing(&stored[0]));
        let longer = [&stored[..], &[segment("id-00003", 1, "c")]].concat();
        assert_eq!(compare(&stored, &longer), Comparison::Foreign("id-00003"));
        for other in [segment("id-00002", 4, "b"), segment("id-00002", 3, "c")] {
            let listed = [stored[0].clone(), other.clone()];
            assert_eq!(compare(&stored, &listed), Comparison::Different(&stored[1], &other));
        }
    }

    #[test]
    fn lists_name_segments_with_their_hashes() {
        let entry = Member::segment(&segment("id-00001", 5, "ab")).entry("c d");
        assert_eq!(entry, json!({"path": "/c d/id-00001", "etag": "ab", "size_bytes": 5}));
    }
}
