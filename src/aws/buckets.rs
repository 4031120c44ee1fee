//! S3: a bucket's region, asked without credentials, and what the user's own key reads in it.

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::ObjectStorageClass;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials_of;
use super::error::{incomplete_response, map_sdk_error};
use crate::buckets::{BucketName, BucketUri, Prefix};
use crate::cloud::{CloudError, ListedObject, ObjectRead, Result};
use crate::secret::StoredKey;

/// The calls to S3, none of them with the function's own credentials.
#[derive(Debug)]
pub(super) struct Buckets(Client);

/// The header that names a bucket's region in every answer of S3.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// How many objects to list when looking for one that proves something.
const LISTED: i32 = 100;

impl Buckets {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let mut nobody = config.to_builder();
        nobody.set_credentials_provider(None);
        let config = aws_sdk_s3::config::Builder::from(&nobody.build())
            .allow_no_auth()
            // Path style for every bucket: a dot in its name breaks the certificate of the other style, and emulators
            // have no DNS for that.
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        Self(Client::from_conf(config.build()))
    }

    pub(super) async fn region(&self, bucket: &BucketName) -> Result<Option<String>> {
        const OPERATION: &str = "s3:HeadBucket";
        match self.0.head_bucket().bucket(bucket.as_str()).send().await {
            Ok(answer) => {
                let region = answer.bucket_region.filter(|region| !region.is_empty());
                region
                    .map(Some)
                    .ok_or_else(|| incomplete_response(OPERATION, "the bucket's region"))
            }
            Err(error) => match error.raw_response() {
                Some(answer) if answer.status().as_u16() == 404 => Ok(None),
                Some(answer) if told_region(answer).is_some() => Ok(told_region(answer)),
                _ => Err(map_sdk_error(OPERATION)(error)),
            },
        }
    }

    pub(super) async fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        uri: &BucketUri,
    ) -> Result<Vec<ListedObject>> {
        let list = |region: String| {
            let prefix = uri
                .prefix
                .as_ref()
                .map(|prefix| Prefix::as_str(prefix).to_owned());
            let call = self
                .0
                .list_objects_v2()
                .bucket(uri.bucket.as_str())
                .set_prefix(prefix)
                .max_keys(LISTED);
            call.customize()
                .config_override(of_user(key, region))
                .send()
        };
        let answer = where_it_is(region, "s3:ListBucket", list).await?;
        let objects = answer.contents.unwrap_or_default().into_iter();
        Ok(objects
            .filter_map(|object| {
                Some(ListedObject {
                    key: object.key?,
                    size: u64::try_from(object.size.unwrap_or_default()).unwrap_or_default(),
                    archived: object.storage_class.as_ref().is_some_and(is_archived),
                })
            })
            .collect())
    }

    pub(super) async fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> Result<ObjectRead> {
        let get = |region: String| {
            let call = self
                .0
                .get_object()
                .bucket(bucket.as_str())
                .key(object)
                .range("bytes=0-0");
            call.customize()
                .config_override(of_user(key, region))
                .send()
        };
        match where_it_is(region, "s3:GetObject", get).await {
            // The headers have come, so the object may be read; the body is dropped unread.
            Ok(_) => Ok(ObjectRead::Read),
            Err(error) => allowed_all_the_same(&error).ok_or(error),
        }
    }
}

/// What a failed read says about the object. S3 gives these answers only after it has allowed access.
fn allowed_all_the_same(error: &CloudError) -> Option<ObjectRead> {
    match error.code.as_deref()? {
        "InvalidRange" => Some(ObjectRead::Empty),
        "InvalidObjectState" => Some(ObjectRead::Archived),
        "NoSuchKey" => Some(ObjectRead::Gone),
        "InvalidRequest" => Some(ObjectRead::CustomerKey),
        _ => None,
    }
}

/// The [classes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html) whose objects have to be
/// restored before they can be read.
fn is_archived(class: &ObjectStorageClass) -> bool {
    matches!(
        class,
        ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive
    )
}

fn of_user(key: &StoredKey, region: String) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new()
        .region(Region::new(region))
        .credentials_provider(credentials_of(key))
}

/// Calls in the given region. If S3 names another one, calls there once: the region of a new bucket is uncertain at
/// first, and a deleted name can come back elsewhere.
async fn where_it_is<T, E, F>(
    region: &str,
    operation: &'static str,
    call: impl Fn(String) -> F,
) -> Result<T>
where
    E: ProvideErrorMetadata,
    F: Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
{
    let outcome = match call(region.to_owned()).await {
        Err(error) => match error
            .raw_response()
            .and_then(elsewhere)
            .filter(|there| there != region)
        {
            Some(there) => call(there).await,
            None => Err(error),
        },
        done => done,
    };
    outcome.map_err(map_sdk_error(operation))
}

/// The region that a redirect or a refused signature names.
fn elsewhere(answer: &HttpResponse) -> Option<String> {
    matches!(answer.status().as_u16(), 301 | 307 | 400)
        .then(|| told_region(answer))
        .flatten()
}

fn told_region(answer: &HttpResponse) -> Option<String> {
    answer
        .headers()
        .get(REGION_HEADER)
        .filter(|region| !region.is_empty())
        .map(str::to_owned)
}
