//! S3 and STS: a bucket's region, asked without credentials, and what the user's own key is and reads.

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::{EncodingType, ObjectStorageClass};
use aws_sdk_sts::config::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;

use super::Aws;
use super::error::{incomplete_response, map_sdk_error, sent};
use crate::cloud::{CloudError, ListedObject, ObjectRead, Objects, Page, Result, StoredKey};
use crate::request::buckets::{BucketName, BucketUri, Prefix};

const REGION_HEADER: &str = "x-amz-bucket-region";

/// The client for S3, without credentials of its own.
pub(super) fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let mut nobody = config.to_builder();
    nobody.set_credentials_provider(None);
    let config = aws_sdk_s3::config::Builder::from(&nobody.build())
        .allow_no_auth()
        // Path style for every bucket: a dot in its name breaks the certificate of the other style, and emulators
        // have no DNS for that.
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// The user's key as the SDK takes it; wiped from memory when dropped.
fn credentials_of(key: &StoredKey) -> Credentials {
    Credentials::new(
        key.id.as_str(),
        key.secret.expose_secret(),
        None,
        None,
        "publisher",
    )
}

impl Objects for Aws {
    async fn bucket_region(&self, bucket: &BucketName) -> Result<Option<String>> {
        const OPERATION: &str = "s3:HeadBucket";
        match self.s3.head_bucket().bucket(bucket.as_str()).send().await {
            Ok(answer) => {
                let region = answer.bucket_region.filter(|region| is_region(region));
                region
                    .map(Some)
                    .ok_or_else(|| incomplete_response(OPERATION, "the bucket's region"))
            }
            Err(error) => match error.raw_response() {
                Some(answer) if answer.status().as_u16() == 404 => Ok(None),
                Some(answer) if named_region(answer).is_some() => Ok(named_region(answer)),
                _ => Err(map_sdk_error(OPERATION, &error)),
            },
        }
    }

    async fn list_objects(
        &self,
        key: &StoredKey,
        region: &str,
        uri: &BucketUri,
        page: Option<&str>,
    ) -> Result<Page> {
        let list = |region: String| {
            let prefix = uri.prefix.as_ref();
            let call = self.s3.list_objects_v2().bucket(uri.bucket.as_str());
            let call = call
                .set_prefix(prefix.map(|prefix| Prefix::as_str(prefix).to_owned()))
                // XML has no way to write some of the characters that a key may have.
                .encoding_type(EncodingType::Url)
                .set_continuation_token(page.map(str::to_owned));
            let call = call.customize();
            call.config_override(of_user(key, region)).send()
        };
        const OPERATION: &str = "s3:ListBucket";
        let answer = where_it_is(region, OPERATION, list).await?;
        let objects = answer.contents.unwrap_or_default().into_iter();
        let objects = objects.map(|object| {
            let key = object.key.as_deref().and_then(decoded);
            Ok(ListedObject {
                key: key.ok_or_else(|| incomplete_response(OPERATION, "a readable key"))?,
                size: u64::try_from(object.size.unwrap_or_default()).unwrap_or_default(),
                archived: object.storage_class.as_ref().is_some_and(is_archived),
            })
        });
        Ok(Page {
            objects: objects.collect::<Result<_>>()?,
            next: answer.next_continuation_token,
        })
    }

    async fn read_byte(
        &self,
        key: &StoredKey,
        region: &str,
        bucket: &BucketName,
        object: &str,
    ) -> Result<ObjectRead> {
        let get = |region: String| {
            let call = self.s3.get_object().bucket(bucket.as_str());
            let call = call.key(object).range("bytes=0-0").customize();
            call.config_override(of_user(key, region)).send()
        };
        match where_it_is(region, "s3:GetObject", get).await {
            // The headers have come, so the object may be read; the body is dropped unread.
            Ok(_) => Ok(ObjectRead::Read),
            Err(error) => allowed_all_the_same(&error).ok_or(error),
        }
    }

    async fn caller_of(&self, key: &StoredKey) -> Result<String> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let as_user = aws_sdk_sts::config::Builder::new().credentials_provider(credentials_of(key));
        let call = self.sts.get_caller_identity().customize();
        let answer = sent(OPERATION, call.config_override(as_user).send()).await?;
        let arn = answer.arn.filter(|arn| !arn.is_empty());
        arn.ok_or_else(|| incomplete_response(OPERATION, "the caller's ARN"))
    }
}

/// What a failed read says about the object. S3 gives these answers only after it has allowed access.
fn allowed_all_the_same(error: &CloudError) -> Option<ObjectRead> {
    match error.code.as_deref()? {
        "InvalidRange" => Some(ObjectRead::Empty),
        "InvalidObjectState" => Some(ObjectRead::Archived),
        "NoSuchKey" => Some(ObjectRead::Gone),
        "InvalidRequest" if error.message.contains("Server Side Encryption") => {
            Some(ObjectRead::CustomerKey)
        }
        _ => None,
    }
}

/// A key as it is; S3 encodes it as in a query, where a plus sign is a space.
fn decoded(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(text.into_owned())
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
    let mut outcome = call(region.to_owned()).await;
    if let Err(error) = &outcome
        && let Some(there) = error.raw_response().and_then(elsewhere)
        && there != region
    {
        outcome = call(there).await;
    }
    outcome.map_err(|error| map_sdk_error(operation, &error))
}

/// The region that a redirect or a refused signature names.
fn elsewhere(answer: &HttpResponse) -> Option<String> {
    matches!(answer.status().as_u16(), 301 | 307 | 400)
        .then(|| named_region(answer))
        .flatten()
}

fn named_region(answer: &HttpResponse) -> Option<String> {
    answer
        .headers()
        .get(REGION_HEADER)
        .filter(|region| is_region(region))
        .map(str::to_owned)
}

/// Whether a text has the form of a region, such as `us-gov-west-1`. It becomes a part of a host's name, so an answer must
/// not be able to put another host there.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some((number, words)), true) = (parts.split_last(), text.len() <= 32) else {
        return false;
    };
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}
