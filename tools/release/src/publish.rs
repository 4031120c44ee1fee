//! Uploads a release to a bucket in the region of its stacks, and says how to create a stack.

use std::{env, path::Path};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    aws::aws,
    cli,
    link::{Place, STACK},
    sums,
};

/// The settings of a bucket that keep it from being public; all of them have to be on.
const BLOCKS: [&str; 4] = [
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
];

/// # Errors
/// If the release is incomplete, or the bucket is unsuitable. Nothing is uploaded then.
#[expect(clippy::print_stdout, reason = "the link is what a person wants")]
pub(crate) fn publish(arguments: &cli::Publish) -> anyhow::Result<()> {
    let cli::Publish {
        release,
        bucket,
        prefix,
        region,
    } = arguments;
    ensure!(
        !bucket.contains(['/', ':']),
        "`{bucket}` is not a bucket's name: give the name alone, and a folder as PREFIX"
    );
    let prefix = folder(prefix);
    let plain = |c: char| c.is_ascii_alphanumeric() || "!_.*'()-/".contains(c);
    ensure!(
        prefix.chars().all(plain),
        "PREFIX `{prefix}` is refused: the template takes folders of the characters A-Z a-z 0-9 ! _ . * ' ( ) -"
    );
    sums::check(release)?;
    let name = release.canonicalize()?;
    let name = name
        .file_name()
        .and_then(|name| name.to_str())
        .context("the release's folder has no name")?;
    let region = region_of(bucket, region.as_deref())?;
    ensure_private(bucket)?;
    let place = Place {
        region: &region,
        bucket,
        prefix: &prefix,
        folder: name,
    };
    upload(release, &place)?;

    println!("Release {name} is in s3://{bucket}/{prefix}{name}/, region {region}.\n");
    println!(
        "To create the stack in the console, open this link, say which buckets Publisher may read, and confirm:\n"
    );
    println!("  {}\n", place.quick_create());
    println!(
        "To update a stack in the console, choose Update, Replace existing template, and give it this address:\n"
    );
    println!("  {}\n", place.template());
    println!("To create or update it with the AWS CLI:\n");
    println!(
        "  aws cloudformation deploy --region {region} --stack-name {STACK} --capabilities CAPABILITY_IAM \\\n    \
           --template-file {} \\\n    --parameter-overrides {} Buckets=YOUR-BUCKET",
        release.join("template.yaml").display(),
        place
            .parameters()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    Ok(())
}

/// A folder's name with its final `/`, or nothing.
fn folder(prefix: &str) -> String {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        String::new()
    } else {
        format!("{prefix}/")
    }
}

/// The bucket's region, which must be the one asked for.
fn region_of(bucket: &str, asked: Option<&str>) -> anyhow::Result<String> {
    let location = aws([
        "s3api",
        "get-bucket-location",
        "--bucket",
        bucket,
        "--output",
        "text",
    ]);
    let location = location.map_err(|error| match error.to_string() {
        text if text.contains("NoSuchBucket") => anyhow::anyhow!(
            "bucket `{bucket}` does not exist: make it in the region of the stack with `aws s3 mb s3://{bucket} --region REGION`"
        ),
        text if text.contains("AccessDenied") => anyhow::anyhow!(
            "bucket `{bucket}` is not yours, or you may not use it (s3:GetBucketLocation): {text}"
        ),
        _ => error,
    })?;
    let region = match location.as_str() {
        // S3's words for its oldest regions.
        "None" | "" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    };
    let configured = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| env::var(name).ok());
    let configured = configured.or_else(|| aws(["configure", "get", "region"]).ok());
    let asked = asked
        .map(str::to_owned)
        .or(configured)
        .filter(|asked| !asked.is_empty());
    if let Some(asked) = asked
        && asked != region
    {
        bail!(
            "bucket `{bucket}` is in {region}, and {asked} is asked for: Lambda takes code only from a bucket in the \
             stack's region. Use a bucket in {asked}, or say REGION={region}"
        );
    }
    Ok(region.to_owned())
}

/// Refuses a bucket that is or may become public, because its content becomes a function that makes users.
fn ensure_private(bucket: &str) -> anyhow::Result<()> {
    let block = match aws([
        "s3api",
        "get-public-access-block",
        "--bucket",
        bucket,
        "--output",
        "json",
    ]) {
        Ok(block) => serde_json::from_str(&block)?,
        Err(error)
            if error
                .to_string()
                .contains("NoSuchPublicAccessBlockConfiguration") =>
        {
            Value::Null
        }
        Err(error) => {
            return Err(error.context(format!("cannot see whether bucket `{bucket}` is public")));
        }
    };
    let block = &block["PublicAccessBlockConfiguration"];
    let off: Vec<&str> = BLOCKS
        .into_iter()
        .filter(|name| block[name] != true)
        .collect();
    ensure!(
        off.is_empty(),
        "bucket `{bucket}` can be public ({} is off), and whoever writes to it could change the function: use another \
         bucket, or run `aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {}`",
        off.join(", "),
        BLOCKS.map(|name| format!("{name}=true")).join(",")
    );
    Ok(())
}

/// Uploads the folder, unless another release of the same name is there.
fn upload(release: &Path, place: &Place<'_>) -> anyhow::Result<()> {
    let Place {
        region,
        bucket,
        prefix,
        folder,
    } = place;
    let target = format!("s3://{bucket}/{prefix}{folder}/");
    let there = format!("{target}{}", sums::FILE);
    let listed = std::fs::read_to_string(release.join(sums::FILE))?;
    match aws(["s3", "cp", "--region", region, &there, "-"]) {
        Ok(other) => ensure!(
            other.trim() == listed.trim(),
            "{target} holds another build of the same version, and stacks may use it: give another PREFIX, or remove it \
             with `aws s3 rm --recursive {target}`"
        ),
        Err(error)
            if ["404", "NoSuchKey", "Not Found"]
                .iter()
                .any(|part| error.to_string().contains(part)) => {}
        Err(error) => return Err(error),
    }
    let release = release
        .to_str()
        .context("the release's folder is not Unicode")?;
    let options = ["--recursive", "--only-show-errors", "--region", region];
    aws(["s3", "cp"]
        .into_iter()
        .chain(options)
        .chain([release, &target]))?;
    Ok(())
}
