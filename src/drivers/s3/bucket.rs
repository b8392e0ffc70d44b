//! The bucket that images are added to: there, or made.

use bytes::Bytes;

use super::service::Service;
use super::xml::escape;
use crate::error::{Error, Kind, Result};
use crate::http::{Payload, Request};

/// What is done about a bucket that is missing.
#[derive(Clone, Debug)]
pub enum Missing {
    IsAnError,
    /// It is created, in this region where one is named.
    IsCreated { region: Option<String> },
}

/// Where AWS creates buckets that name no region, and refuses those that name it.
const FIRST_REGION: &str = "us-east-1";

/// Makes sure that the bucket is there.
pub async fn ensure(service: &Service, missing: &Missing) -> Result<()> {
    let failure = match service.ask(Request::head(), None, &[]).await {
        Ok(response) => {
            response.body.discard().await;
            return Ok(());
        }
        Err(failure) => failure,
    };
    let bucket = &service.bucket;
    match (failure.status(), missing) {
        (404, Missing::IsCreated { region }) => create(service, region.as_deref()).await,
        (404, Missing::IsAnError) => {
            let message = format!(
                "the bucket {bucket:?} does not exist (s3_store_create_bucket_on_put would create it)"
            );
            Err(Error::new(Kind::Failed, message).with_http_status(404))
        }
        _ => Err(Error::from(failure).context(format!("look for the bucket {bucket:?}"))),
    }
}

async fn create(service: &Service, region: Option<&str>) -> Result<()> {
    let body = region.filter(|region| *region != FIRST_REGION).map(constraint);
    let payload = body.map_or_else(Payload::default, |body| Payload::held(vec![Bytes::from(body)]));
    match service.ask(Request::put(payload), None, &[]).await {
        Ok(response) => response.body.discard().await,
        // Another add was faster, or the answer to an earlier attempt was lost.
        Err(failure) if failure.is("BucketAlreadyOwnedByYou") => {}
        Err(failure) => {
            let error = Error::from(failure).context(format!("create the bucket {:?}", service.bucket));
            return Err(error.with_exception("BadStoreConfiguration"));
        }
    }
    Ok(())
}

fn constraint(region: &str) -> String {
    let region = escape(region);
    let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
    format!(
        "<CreateBucketConfiguration xmlns=\"{namespace}\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}
