//! From an empty account to a bucket that Publisher reads.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{First, Lifecycle};
use crate::{
    account::Refusal, bench::assert_names, process::join, publisher::Publisher, report::Notes,
    sam::STACK_TAG,
};

/// More than there are samples. A real bucket has more objects than anybody wants to see.
const LISTED: usize = 20;

pub(super) fn fill_buckets(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let (account, names) = (story.account, &story.names);
    let fill = |bucket: &str, samples: &str| {
        account.create_bucket(bucket)?;
        account.upload(&story.samples(samples), &format!("s3://{bucket}"))?;
        files_below(&story.samples(samples))
    };
    let fill_first = || match &names.first {
        First::Samples(bucket) => Ok(format!("s3://{bucket}: {} files", fill(bucket, "first")?)),
        First::Existing(bucket) => Ok(format!("s3://{bucket}: as it is")),
    };
    let before = account.inventory()?;
    let ((first, second), _) = join(
        || join(fill_first, || fill(&names.second, "second")),
        || {
            join(
                || fill(&names.other, "second"),
                || account.create_bucket(&names.artifacts),
            )
        },
    )?;
    notes.add(first);
    notes.add(format!("s3://{}: {second} file", names.second));
    notes.add(format!("s3://{}: not for Publisher", names.other));
    story.before = before;
    Ok(())
}

pub(super) fn deploy(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let bucket = story.first_bucket().to_owned();
    let boundary = story.names.role_boundary.clone();
    let boundary = boundary
        .iter()
        .map(|arn| ("RolePermissionsBoundary", arn.as_str()));
    let parameters: Vec<_> = [("Buckets", bucket.as_str())]
        .into_iter()
        .chain(boundary)
        .collect();
    let stack = story.sam_deploy(&parameters)?;
    let user_arn = stack.output("UserArn")?;
    ensure!(stack.output("UserName")? == story.names.user, "{stack:?}");
    ensure!(
        user_arn.ends_with(&format!(":user/{}", story.names.user)),
        "{stack:?}"
    );
    ensure!(
        stack.output("BucketUri")? == format!("s3://{bucket}/"),
        "{stack:?}"
    );
    ensure!(!stack.output("Region")?.is_empty(), "{stack:?}");
    for output in ["UserArn", "SecretArn", "BucketUri", "Region"] {
        notes.add(format!("{output:9} {}", stack.output(output)?));
    }
    let (key, value) = STACK_TAG;
    story.account.assert_tagged(&story.names.user, STACK_TAG)?;
    notes.add(format!(
        "user and secret have the stack's tag {key}={value}"
    ));
    Ok(())
}

pub(super) fn fetch_secret(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let secret = story.secret();
    let (stored, stack) = join(
        || story.account.stored_key(&secret, "AWSCURRENT"),
        || story.stack().settle(),
    )?;
    ensure!(
        stored.user_name == story.names.user,
        "the secret is of {}",
        stored.user_name
    );
    ensure!(stored.serial == 1, "its serial is {}", stored.serial);
    let outputs = format!("{stack:?}");
    ensure!(
        !stored.key.secret_appears_in(&outputs),
        "the stack shows the secret key"
    );
    ensure!(
        !outputs.contains(&stored.key.id),
        "the stack shows the key's id, which changes"
    );
    let log_group = stack.output("LogGroup")?;
    let log = story.account.eventually(|| {
        let log = story.account.log_lines(log_group)?;
        let plan = planned(&log).context("the function's log has no plan yet")?;
        Ok((log, plan))
    });
    let (log, plan) = log?;
    ensure!(
        !stored.key.secret_appears_in(&log),
        "the function's log shows the secret key"
    );
    notes.add(format!("{secret} holds {}, serial 1", stored.key.id));
    notes.add("the function's log says what it did:");
    for step in plan.split("; ") {
        notes.add(format!("  {step}"));
    }
    story.keys.push(stored);
    Ok(())
}

/// The plan in the lines of the function's log.
fn planned(log: &str) -> Option<String> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut plans = lines.filter(|line| line["message"] == "plan");
    plans.find_map(|line| line["plan"].as_str().map(str::to_owned))
}

pub(super) fn read_bucket(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let bucket = story.first_bucket();
    let (key, content) = something_to_read(story)?;
    let (identity, (listed, read)) = join(
        || story.account.eventually(|| publisher.identity()),
        || {
            join(
                || publisher.list(bucket, "", LISTED),
                || publisher.get(bucket, &key),
            )
        },
    )?;
    ensure!(
        identity.ends_with(&format!(":user/{}", story.names.user)),
        "it acts as {identity}"
    );
    ensure!(listed.contains(&key), "it listed {listed:?}");
    ensure!(read == content, "{key} has another content");
    notes.add(format!("list  s3://{bucket}  {} objects", listed.len()));
    notes.add(format!(
        "get   s3://{bucket}/{key}  {} bytes",
        content.len()
    ));
    Ok(())
}

/// An object of the first bucket, and what is in it.
fn something_to_read(story: &Lifecycle<'_>) -> anyhow::Result<(String, Vec<u8>)> {
    match &story.names.first {
        First::Samples(_) => {
            let key = "cohort-a/sample-001/sample-001.chr20.vcf";
            Ok((key.to_owned(), fs::read(story.samples("first").join(key))?))
        }
        First::Existing(bucket) => {
            let key = story
                .account
                .first_key(bucket)?
                .context("the bucket is empty")?;
            let content = story.account.first_bytes(story.workplace, bucket, &key)?;
            Ok((key, content))
        }
    }
}

pub(super) fn meet_refusals(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let (bucket, other) = (story.first_bucket(), &story.names.other);
    let key = format!("{}-must-not-be-written", story.names.stack);
    let (_, sample, _) = story.sample()?;
    let ((put, list), (get, users)) = join(
        || {
            join(
                || refused_put(story, &publisher, &key),
                || publisher.list_refusal(other, ""),
            )
        },
        || {
            join(
                || publisher.get_refusal(other, &sample),
                || publisher.list_users_refusal(),
            )
        },
    )?;
    expect_denied(&put, &format!("put   s3://{bucket}/{key}"), notes)?;
    expect_denied(&list, &format!("list  s3://{other}"), notes)?;
    expect_denied(&get, &format!("get   s3://{other}/{sample}"), notes)?;
    expect_denied(&users, "iam   list-users", notes)
}

/// Tries to write where somebody's data may be. If that unexpectedly succeeds, removes what was written.
fn refused_put(
    story: &Lifecycle<'_>,
    publisher: &Publisher<'_>,
    key: &str,
) -> anyhow::Result<Refusal> {
    let file = story.samples("first").join("targets/exome.chr20.bed");
    let put = publisher.put_refusal(&file, story.first_bucket(), key);
    if put.is_err() {
        story
            .account
            .aws(["s3", "rm", &format!("s3://{}/{key}", story.first_bucket())])
            .succeed()?;
    }
    put
}

/// The folder is `cohort-b/`.
fn mistyped(story: &Lifecycle<'_>) -> String {
    format!("s3://{}/Cohort-B/", story.names.second)
}

pub(super) fn mistype_folder(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let folder = mistyped(story);
    let buckets = format!("{},{folder}", story.first_bucket());
    let refused = story.try_sam_deploy(&[("Buckets", &buckets)]).is_err();
    ensure!(refused, "the update is green");
    let settled = story.stack().settle()?;
    ensure!(settled.status == "UPDATE_ROLLBACK_COMPLETE", "{settled:?}");
    let reason = story.stack().reason()?;
    assert_names(&reason, &[&folder, "spelt", "`allow-empty`"])?;
    notes.add(reason);
    let stored = story.account.stored_key(&story.secret(), "AWSCURRENT")?;
    let same = stored.version_id == story.current_key()?.version_id;
    ensure!(same, "the refused update made a new key");
    let refused = story.publisher()?.list_refusal(&story.names.second, "")?;
    expect_denied(
        &refused,
        &format!("list  s3://{}", story.names.second),
        notes,
    )
}

pub(super) fn allow_empty_folder(
    story: &mut Lifecycle<'_>,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let folder = mistyped(story);
    let buckets = format!("{},{folder}", story.first_bucket());
    let stack = story.sam_deploy(&[("Buckets", &buckets), ("VerifyAccess", "allow-empty")])?;
    let warnings = stack.output("Warnings")?;
    ensure!(warnings.contains(&folder), "{warnings}");
    notes.add(format!("Warnings  {warnings}"));
    Ok(())
}

pub(super) fn add_bucket(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let (second, key, content) = story.sample()?;
    let (first, second) = (story.first_bucket().to_owned(), second.to_owned());
    let early = publisher.list_refusal(&second, "")?;
    expect_denied(&early, &format!("list  s3://{second} before"), notes)?;
    let buckets = format!("{first},{second}");
    let stack = story.sam_deploy(&[("Buckets", &buckets), ("VerifyAccess", "true")])?;
    let warnings = stack.output("Warnings")?.to_owned();
    ensure!(warnings == "none", "{warnings}");
    let (read, (listed, stored)) = join(
        || story.account.eventually(|| publisher.get(&second, &key)),
        || {
            join(
                || publisher.list(&first, "", 1),
                || story.account.stored_key(&story.secret(), "AWSCURRENT"),
            )
        },
    )?;
    ensure!(read == content, "{key} has another content");
    ensure!(!listed.is_empty(), "the first bucket is empty now");
    notes.add(format!(
        "get   s3://{second}/{key}  {} bytes",
        content.len()
    ));
    notes.add(format!("Warnings  {warnings}"));
    let same = stored.version_id == story.current_key()?.version_id;
    ensure!(same, "the update made a new key");
    Ok(())
}

/// Lists both buckets of the story, and returns the number of objects.
pub(super) fn read_both(
    publisher: &Publisher<'_>,
    first: &str,
    second: &str,
) -> anyhow::Result<usize> {
    let (first, second) = join(
        || publisher.list(first, "", LISTED),
        || publisher.list(second, "", LISTED),
    )?;
    Ok(first.len() + second.len())
}

fn expect_denied(refusal: &Refusal, what: &str, notes: &mut Notes) -> anyhow::Result<()> {
    ensure!(refusal.code == "AccessDenied", "{what}: {refusal}");
    notes.add(format!("{what}  {}", refusal.code));
    Ok(())
}

fn files_below(folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        count += if path.is_dir() {
            files_below(&path)?
        } else {
            1
        };
    }
    Ok(count)
}
