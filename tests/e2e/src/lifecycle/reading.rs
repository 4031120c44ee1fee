//! From an empty account to a bucket that Publisher reads.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

use super::{First, Lifecycle};
use crate::{account::Refusal, publisher::Publisher, report::Notes};

/// More than the samples; a real bucket has more than anybody wants to see.
const LISTED: usize = 20;

pub(super) fn fill_buckets(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    story.before = story.account.inventory()?;
    let account = story.account;
    match &story.names.first {
        First::Samples(bucket) => {
            account.create_bucket(bucket)?;
            account.upload(&story.samples("first"), &format!("s3://{bucket}"))?;
            notes.add(format!(
                "s3://{bucket}: {} files",
                files_below(&story.samples("first"))?
            ));
        }
        First::Existing(bucket) => notes.add(format!("s3://{bucket}: as it is")),
    }
    account.create_bucket(&story.names.second)?;
    account.upload(
        &story.samples("second"),
        &format!("s3://{}", story.names.second),
    )?;
    notes.add(format!(
        "s3://{}: {} file",
        story.names.second,
        files_below(&story.samples("second"))?
    ));
    account.create_bucket(&story.names.other)?;
    account.upload(
        &story.samples("second"),
        &format!("s3://{}", story.names.other),
    )?;
    notes.add(format!("s3://{}: not for Publisher", story.names.other));
    account.create_bucket(&story.names.artifacts)
}

pub(super) fn deploy(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let bucket = story.first_bucket().to_owned();
    let stack = story.sam_deploy(&bucket, "1")?;
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
    Ok(())
}

pub(super) fn fetch_secret(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let stored = story.account.stored_key(&story.secret(), "AWSCURRENT")?;
    ensure!(
        stored.user_name == story.names.user,
        "the secret is of {}",
        stored.user_name
    );
    ensure!(stored.serial == 1, "its serial is {}", stored.serial);
    let stack = story.stack().describe()?.context("the stack is gone")?;
    ensure!(
        !stored.key.appears_in(&stack.to_string()),
        "the stack shows the key"
    );
    notes.add(format!(
        "{} holds {}, serial 1",
        story.secret(),
        stored.key.id
    ));
    story.keys.push(stored);
    Ok(())
}

pub(super) fn read_bucket(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let identity = story.account.eventually(|| publisher.identity())?;
    ensure!(
        identity.ends_with(&format!(":user/{}", story.names.user)),
        "it acts as {identity}"
    );
    let bucket = story.first_bucket();
    let listed = publisher.list(bucket, "", LISTED)?;
    let (key, content) = match &story.names.first {
        First::Samples(_) => {
            let folder = story.samples("first");
            ensure!(
                listed.len() == files_below(&folder)?,
                "it listed {listed:?}"
            );
            let key = listed
                .iter()
                .find(|key| key.ends_with(".vcf"))
                .context("no VCF is listed")?;
            (key.clone(), fs::read(folder.join(key))?)
        }
        First::Existing(_) => {
            let key = story
                .account
                .first_key(bucket)?
                .context("the bucket is empty")?;
            ensure!(listed.contains(&key), "it listed {listed:?}");
            let content = story.account.first_bytes(story.workplace, bucket, &key)?;
            (key, content)
        }
    };
    ensure!(
        publisher.get(bucket, &key)? == content,
        "{key} has another content"
    );
    notes.add(format!("list  s3://{bucket}  {} objects", listed.len()));
    notes.add(format!(
        "get   s3://{bucket}/{key}  {} bytes",
        content.len()
    ));
    Ok(())
}

pub(super) fn meet_refusals(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let bucket = story.first_bucket();
    let file = story.samples("first").join("targets/exome.chr20.bed");
    let key = format!("{}-must-not-be-written", story.names.stack);
    let put = publisher.put_refusal(&file, bucket, &key)?;
    expect_denied(&put, &format!("put   s3://{bucket}/{key}"), notes)?;
    let other = &story.names.other;
    let list = publisher.list_refusal(other, "")?;
    expect_denied(&list, &format!("list  s3://{other}"), notes)?;
    let (_, sample, _) = story.sample()?;
    let get = publisher.get_refusal(other, &sample)?;
    expect_denied(&get, &format!("get   s3://{other}/{sample}"), notes)?;
    let users = publisher.list_users_refusal()?;
    expect_denied(&users, "iam   list-users", notes)
}

pub(super) fn add_bucket(story: &mut Lifecycle<'_>, notes: &mut Notes) -> anyhow::Result<()> {
    let publisher = story.publisher()?;
    let (second, key, content) = story.sample()?;
    let (first, second) = (story.first_bucket().to_owned(), second.to_owned());
    let early = publisher.list_refusal(&second, "")?;
    expect_denied(&early, &format!("list  s3://{second} before"), notes)?;
    story.sam_deploy(&format!("{first},{second}"), "1")?;
    ensure!(
        story.account.eventually(|| publisher.get(&second, &key))? == content,
        "{key} has another content"
    );
    read_both(&publisher, &first, &second)?;
    notes.add(format!(
        "get   s3://{second}/{key}  {} bytes",
        content.len()
    ));
    let stored = story.account.stored_key(&story.secret(), "AWSCURRENT")?;
    let same = stored.version_id == story.current_key()?.version_id;
    ensure!(same, "the update made a new key");
    Ok(())
}

/// Lists both buckets of the story.
pub(super) fn read_both(
    publisher: &Publisher<'_>,
    first: &str,
    second: &str,
) -> anyhow::Result<usize> {
    Ok(publisher.list(first, "", LISTED)?.len() + publisher.list(second, "", LISTED)?.len())
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
