//! The whole life of a stack, as its user sees it: the demo's story, the first test, the acceptance run.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use anyhow::{Context, ensure};

use crate::{
    account::{Account, secrets::StoredKey},
    publisher::Publisher,
    report::{Notes, Report, Verdict},
    sam::Parameters,
    stack::{Settled, Stack},
    workplace::Workplace,
};

mod ending;
mod reading;
mod rotating;
mod watching;

/// A step of the story, with notes for the person who watches.
type Step = (
    &'static str,
    fn(&mut Lifecycle<'_>, &mut Notes) -> anyhow::Result<()>,
);

/// From nothing to a stack that is used, updated and rotated.
const LIVING: [Step; 12] = [
    ("Buckets hold genomic files", reading::fill_buckets),
    ("`sam deploy` creates the stack", reading::deploy),
    (
        "The key is in the secret, and neither in the stack nor in the log",
        reading::fetch_secret,
    ),
    (
        "Publisher lists the bucket and gets a file, byte for byte",
        reading::read_bucket,
    ),
    (
        "Publisher is refused everything else",
        reading::meet_refusals,
    ),
    (
        "A folder spelt a little differently holds nothing, and the update is refused",
        reading::mistype_folder,
    ),
    (
        "Where it may be empty, the stack is green with a warning",
        reading::allow_empty_folder,
    ),
    (
        "An update lets it read a second bucket",
        reading::add_bucket,
    ),
    (
        "A higher KeySerial makes a new key, and the old one still works",
        rotating::raise_key_serial,
    ),
    (
        "On a schedule, Secrets Manager makes the next key, which ends the first one",
        rotating::rotate_on_schedule,
    ),
    (
        "The next rotation is held up: Publisher may still read with the key before",
        rotating::hold_up,
    ),
    ("`make status` says that all is healthy", watching::ask),
];
/// What needs an emulator, because a message has to reach this machine.
const WATCHED: [Step; 1] = [(
    "Somebody changes a bucket's policy, and the daily check tells of it",
    watching::tell_of_bucket_policy,
)];
/// Back to nothing.
const ENDING: [Step; 2] = [
    ("`sam delete` removes the stack", ending::delete_stack),
    (
        "No user, key, policy, role or secret is left",
        ending::find_nothing,
    ),
];

/// How far the story goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The stack is deleted again.
    Deleted,
    /// The stack stays, for a person to look around.
    Used,
}

/// The first bucket that the stack may read.
#[derive(Clone, Debug)]
pub(crate) enum First {
    /// One that is made here and filled with the samples.
    Samples(String),
    /// One with somebody's data. Nothing in it is changed.
    Existing(String),
}

/// The names of everything that a story makes.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) stack: String,
    pub(crate) user: String,
    pub(crate) first: First,
    pub(crate) second: String,
    /// A bucket that no stack names.
    pub(crate) other: String,
    pub(crate) artifacts: String,
    /// The policy that bounds the functions' roles, where an organization demands one.
    pub(crate) role_boundary: Option<String>,
}

/// A story and what is known so far.
#[derive(Debug)]
pub(crate) struct Lifecycle<'a> {
    workplace: &'a Workplace,
    account: &'a Account,
    names: Names,
    before: BTreeSet<String>,
    /// Every key the stack has made, the current one last.
    keys: Vec<StoredKey>,
    /// The time that `sam` took, mostly waiting.
    sam: Duration,
}

impl<'a> Lifecycle<'a> {
    pub(crate) fn new(workplace: &'a Workplace, account: &'a Account, names: Names) -> Self {
        Self {
            workplace,
            account,
            names,
            before: BTreeSet::new(),
            keys: Vec::new(),
            sam: Duration::ZERO,
        }
    }

    /// Takes the steps in order, and stops at a failure.
    pub(crate) fn tell(&mut self, report: &Report, until: Until) {
        let ending: &[Step] = match until {
            Until::Deleted => &ENDING,
            Until::Used => &[],
        };
        let watched: &[Step] = if self.account.is_emulated() {
            &WATCHED
        } else {
            &[]
        };
        let mut failed = false;
        for (name, step) in LIVING.iter().chain(watched).chain(ending) {
            if failed {
                report.not_run(name);
            } else {
                failed = report.step(name, |notes| step(self, notes)) != Verdict::Passed;
            }
        }
    }

    /// Time that `sam` took so far.
    pub(crate) fn sam_time(&self) -> Duration {
        self.sam
    }

    /// Removes everything that the story made, wherever it stopped. Can be repeated.
    ///
    /// # Errors
    /// The first problem, after everything was tried.
    pub(crate) fn clean_up(&self) -> anyhow::Result<()> {
        let mut result = self.stack().delete();
        let Names {
            first,
            second,
            other,
            artifacts,
            ..
        } = &self.names;
        let first = match first {
            First::Samples(bucket) => Some(bucket),
            First::Existing(_) => None,
        };
        for bucket in [Some(second), Some(other), Some(artifacts), first]
            .into_iter()
            .flatten()
        {
            let removed = self
                .account
                .find(["s3api", "head-bucket", "--bucket", bucket], "404");
            let removed = removed.and_then(|there| match there {
                Some(_) => self.account.remove_bucket(bucket),
                None => Ok(()),
            });
            result = result.and(removed);
        }
        result
    }

    fn stack(&self) -> Stack<'a> {
        Stack::new(self.account, &self.names.stack)
    }

    fn first_bucket(&self) -> &str {
        match &self.names.first {
            First::Samples(bucket) | First::Existing(bucket) => bucket,
        }
    }

    fn secret(&self) -> String {
        format!("publisher/{}", self.names.user)
    }

    fn samples(&self, folder: &str) -> PathBuf {
        self.workplace.data().join(folder)
    }

    /// Publisher with the profile, which is set up once.
    fn publisher(&self) -> anyhow::Result<Publisher<'a>> {
        Publisher::with_profile(self.account, self.workplace, &self.names.user)
    }

    fn current_key(&self) -> anyhow::Result<&StoredKey> {
        self.keys.last().context("no key was fetched yet")
    }

    /// Runs `sam deploy` with these parameters, keeps the others, and returns the stack.
    fn sam_deploy(&mut self, changed: Parameters<'_>) -> anyhow::Result<Settled> {
        self.sam += self.try_sam_deploy(changed)?;
        let settled = self.stack().settle()?;
        let complete = ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&settled.status.as_str());
        ensure!(complete, "the stack is {}", settled.status);
        Ok(settled)
    }

    fn try_sam_deploy(&self, changed: Parameters<'_>) -> anyhow::Result<Duration> {
        let parameters = [changed, &[("UserName", self.names.user.as_str())]].concat();
        let Names {
            stack, artifacts, ..
        } = &self.names;
        (self.account).sam_deploy(self.workplace, stack, artifacts, &parameters)
    }

    /// One of the samples, and the bucket it is in.
    fn sample(&self) -> anyhow::Result<(&str, String, Vec<u8>)> {
        let key = "cohort-b/sample-101/sample-101.chr20.vcf";
        let content = fs::read(self.samples("second").join(key))?;
        Ok((&self.names.second, key.to_owned(), content))
    }
}
