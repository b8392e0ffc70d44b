//! Deleting a VDI so that it is gone, with its objects, whatever release the daemon is of.

use std::sync::Arc;

use super::cluster::Cluster;
use super::codes::{NO_OBJ, NO_VDI, SUCCESS};
use super::inode;
use super::room::Space;
use super::state::{self, State};
use super::vdi::{Vdi, exist};
use super::wire::Request;
use crate::error::{Error, Kind, Result};

/// How many owners are wiped at once: for each of them the daemon counts references.
const WIPE: usize = 128;

const NOWHERE: Space = Space::Own(0);

/// Deletes the image, or the incomplete image, of that name.
pub async fn delete(cluster: &Arc<Cluster>, name: &str) -> Result<()> {
    let vdi = Vdi::find(cluster, name).await?;
    if vdi.header.is_snapshot {
        let message = format!("VDI {name:?} has become a snapshot, which is not deleted by its name");
        return Err(Error::new(Kind::InUse, message).with_exception("HasSnapshot"));
    }
    let stray = match vdi.state()? {
        State::Incomplete { objects } => 0..objects,
        State::Complete => {
            // Whoever is killed on the way leaves no image that reads as zeros.  The table tells of all its
            // objects, so the mark need not.
            vdi.mark(0).await?;
            0..0
        }
    };
    vdi.remove(stray).await
}

impl Vdi {
    /// Removes the VDI with what its table points to, and those of the `stray` objects to which it does not.
    pub async fn remove(
        self: &Arc<Self>,
        stray: impl DoubleEndedIterator<Item = u32> + Clone + Send,
    ) -> Result<()> {
        let owners = self.read_owners(0..self.objects_at_most(stray.clone().next_back())).await?;
        let unowned = |index: &u32| owners.get(*index as usize).is_none_or(|owner| *owner == 0);
        self.remove_objects(stray.filter(unowned)).await?;
        // Old daemons find the objects by the table; later ones remove them as the table is wiped, and
        // before that no VDI.
        if self.counts_references().await? {
            self.wipe(&owners).await?;
        }
        let mut is_gone = self.unlink().await?;
        if !is_gone {
            self.wipe(&owners).await?;
            is_gone = self.unlink().await?;
        }
        if is_gone {
            return self.remove_latecomers().await;
        }
        let message = format!("the daemon deletes VDI {:?} without an error, but it stays", self.name);
        Err(Error::new(Kind::Failed, message))
    }

    fn objects_at_most(&self, last_stray: Option<u32>) -> u32 {
        let in_size = match state::is_birth_size(self.get_size()) {
            true => 0,
            false => self.header.objects_of(&(0..self.get_size())).end,
        };
        last_stray.map_or(in_size, |last| in_size.max(last + 1))
    }

    async fn remove_objects(self: &Arc<Self>, objects: impl Iterator<Item = u32>) -> Result<()> {
        let removals = objects.map(|index| {
            let vdi = self.clone();
            async move { vdi.remove_object(index).await.map(drop) }
        });
        self.cluster.each(removals).await
    }

    /// Whether there was that object, which is none of the table's.
    async fn remove_object(&self, index: u32) -> Result<bool> {
        let request = Request::remove_object(inode::data_oid(self.vid, index));
        let answer = self.cluster.call(&request, &NOWHERE).await?;
        if answer.result() == NO_OBJ {
            return Ok(false);
        }
        answer.success()?;
        self.doubtful().retain(|doubtful| *doubtful != index);
        Ok(true)
    }

    /// Looks again and again, as often as a request is tried again, for the objects that may be created yet.
    async fn remove_latecomers(&self) -> Result<()> {
        let mut doubtful = std::mem::take(&mut *self.doubtful());
        for pause in self.cluster.pauses() {
            let mut missing = Vec::new();
            for index in doubtful {
                if !self.remove_object(index).await? {
                    missing.push(index);
                }
            }
            if missing.is_empty() {
                break;
            }
            doubtful = missing;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Whether the daemon frees objects as their owners are wiped.  Those of release 0.9 do, without this
    /// answer: they are found out by what deleting leaves.
    async fn counts_references(&self) -> Result<bool> {
        let answer = self.cluster.call(&Request::get_cluster_default(), &NOWHERE).await?;
        Ok(answer.result() == SUCCESS)
    }

    /// Takes the owners out of the table, so that the daemon lets go of their objects.
    async fn wipe(self: &Arc<Self>, owners: &[u32]) -> Result<()> {
        let runs = used_runs(owners).map(|(first, length)| {
            let vdi = self.clone();
            async move { vdi.write_owners(first, &vec![0; length]).await }
        });
        self.cluster.each(runs).await
    }

    /// Takes the name away; false when that had no effect.
    async fn unlink(&self) -> Result<bool> {
        // By now the name may lead to another VDI, which stays.
        if exist(&self.cluster, &self.name).await? != Some(self.vid) {
            return Ok(true);
        }
        let answer = self.cluster.call(&Request::delete_vdi(&self.name), &NOWHERE).await?;
        if answer.result() != NO_VDI {
            answer.success()?;
        }
        Ok(exist(&self.cluster, &self.name).await? != Some(self.vid))
    }
}

/// Where owners stand without a gap, in runs that are not too long: the first object and how many.
fn used_runs(owners: &[u32]) -> impl Iterator<Item = (u32, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        start += owners[start..].iter().take_while(|owner| **owner == 0).count();
        let length = owners[start..].iter().take(WIPE).take_while(|owner| **owner != 0).count();
        let run = (start as u32, length);
        start += length;
        (length > 0).then_some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_owners_come_in_runs() {
        for (owners, runs) in [
            (vec![], vec![]),
            (vec![0, 0], vec![]),
            (vec![7], vec![(0, 1)]),
            (vec![0, 7, 8, 0, 0, 9], vec![(1, 2), (5, 1)]),
            (vec![7; 300], vec![(0, 128), (128, 128), (256, 44)]),
        ] {
            assert_eq!(used_runs(&owners).collect::<Vec<_>>(), runs);
        }
    }
}
