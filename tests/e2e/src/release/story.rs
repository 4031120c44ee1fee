//! The story of a person who has the AWS CLI and the folder of a release, and no Rust, SAM or checkout.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde_json::json;

use super::{Release, X86_64};
use crate::{
    account::{Account, path_text, secrets::StoredKey, text, texts},
    process::join,
    publisher::Publisher,
    report::{Notes, Report, Verdict},
    stack::{FUNCTION, ROTATION, Settled, Stack},
    workplace::Workplace,
};

type Step = (
    &'static str,
    fn(&mut Story<'_>, &mut Notes) -> anyhow::Result<()>,
);

const STEPS: [Step; 9] = [
    (
        "A release and the one after it are made from what was built",
        |story, notes| story.make_releases(notes),
    ),
    (
        "The AWS CLI uploads the release to a bucket",
        |story, notes| story.upload_first(notes),
    ),
    (
        "`create-stack` with CAPABILITY_IAM alone makes the stack",
        |story, notes| story.create(notes),
    ),
    ("The key in the secret reads the bucket", |story, notes| {
        story.read(notes)
    }),
    (
        "The function between deployments tells of the key",
        |story, notes| story.tell_of_key(notes),
    ),
    (
        "The next release updates the stack, and the key stays",
        |story, notes| story.update(notes),
    ),
    (
        "A wrong CodeBucket is refused, and the stack stays as it is",
        |story, notes| story.meet_wrong_bucket(notes),
    ),
    ("`delete-stack` removes the stack", |story, notes| {
        story.delete(notes)
    }),
    (
        "No user, key, policy, role or secret is left",
        |story, notes| story.find_nothing(notes),
    ),
];
/// A folder in the bucket of the release.
const PREFIX: &str = "lambda/";
const SAMPLE: &str = "targets/exome.chr20.bed";

/// The story and what is known so far.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    workplace: &'a Workplace,
    account: &'a Account,
    /// The stack's and the user's name; the buckets' begin with it.
    name: String,
    /// The person's folder, with releases and nothing else.
    folder: PathBuf,
    /// Where the functions' programs are.
    programs: PathBuf,
    /// The processor that the functions are for, and the command that runs its programs here.
    processor: (String, Option<String>),
    releases: Vec<Release>,
    before: BTreeSet<String>,
    key: Option<StoredKey>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(
        workplace: &'a Workplace,
        account: &'a Account,
        name: &str,
        programs: &Path,
    ) -> Self {
        Self {
            workplace,
            account,
            name: name.to_owned(),
            folder: workplace.scratch().join(name),
            programs: programs.to_owned(),
            processor: (X86_64.to_owned(), None),
            releases: Vec::new(),
            before: BTreeSet::new(),
            key: None,
        }
    }

    /// The same with functions for another processor, which a command runs on this machine.
    pub(crate) fn on(self, architecture: &str, through: Option<&str>) -> Self {
        let processor = (architecture.to_owned(), through.map(str::to_owned));
        Self { processor, ..self }
    }

    /// Takes the steps one by one, and stops at a failure.
    pub(crate) fn tell(&mut self, report: &Report) {
        let mut failed = false;
        for (name, step) in STEPS {
            if failed {
                report.not_run(name);
            } else {
                failed = report.step(name, |notes| step(self, notes)) != Verdict::Passed;
            }
        }
    }

    /// Does all steps as one.
    ///
    /// # Errors
    /// The first one, with the step's name.
    pub(crate) fn whole(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        STEPS
            .iter()
            .try_for_each(|(name, step)| step(self, notes).context(*name))
    }

    fn make_releases(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let (architecture, through) = &self.processor;
        let first = Release::assemble(self.workplace, &self.folder, architecture, &self.programs)?;
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(first.folder())? {
            let entry = entry?;
            let name = entry.file_name().display().to_string();
            notes.add(format!("{:>9} bytes  {name}", entry.metadata()?.len()));
            files.insert(name);
        }
        let expected = [
            "SHA256SUMS",
            "THIRD-PARTY-LICENSES.txt",
            &format!("publisher-s3-access-{architecture}.zip"),
            "sbom.cdx.json",
            "template.yaml",
        ];
        ensure!(files.iter().eq(expected), "the release holds {files:?}");
        if let Some(command) = through {
            first.run_through(command)?;
        }
        self.releases = vec![first.clone(), first.next()?];
        Ok(())
    }

    fn upload_first(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        self.before = self.account.inventory()?;
        let samples = self.workplace.data().join("first");
        self.account.create_bucket(&self.genomes())?;
        self.account
            .upload(&samples, &format!("s3://{}", self.genomes()))?;
        self.account.create_bucket(&self.archives())?;
        self.upload(0, notes)
    }

    fn create(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        let template = format!(
            "https://s3.{}.amazonaws.com/{}/{PREFIX}{}/template.yaml",
            self.account.region(),
            self.archives(),
            self.release(0)?.name()
        );
        let parameters = [
            ("CodeBucket", self.archives()),
            ("CodePrefix", PREFIX.to_owned()),
            ("Buckets", self.genomes()),
            ("UserName", self.name.clone()),
            ("NotificationEmail", "genomics@example.com".to_owned()),
            ("Architecture", self.processor.0.clone()),
        ];
        let parameters =
            parameters.map(|(key, value)| format!("ParameterKey={key},ParameterValue={value}"));
        let command = [
            "create-stack",
            "--stack-name",
            &self.name,
            "--capabilities",
            "CAPABILITY_IAM",
        ];
        let options = ["--template-url", &template, "--parameters"];
        let words = command.into_iter().chain(options);
        self.cloudformation(words.chain(parameters.iter().map(String::as_str)))?;
        self.cloudformation(["wait", "stack-create-complete", "--stack-name", &self.name])?;
        let settled = self.settled()?;
        ensure!(
            settled.output("Release")? == self.release(0)?.version,
            "{settled:?}"
        );
        notes.add(format!("Release   {}", settled.output("Release")?));
        notes.add(format!("SecretArn {}", settled.output("SecretArn")?));
        Ok(())
    }

    fn read(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        let publisher = Publisher::with_profile(self.account, self.workplace, &self.name)?;
        let content = fs::read(self.workplace.data().join("first").join(SAMPLE))?;
        let read = self
            .account
            .eventually(|| publisher.get(&self.genomes(), SAMPLE))?;
        ensure!(read == content, "{SAMPLE} has another content");
        let key = self.stored_key()?;
        notes.add(format!(
            "{} gets s3://{}/{SAMPLE}",
            key.key.id,
            self.genomes()
        ));
        self.key = Some(key);
        Ok(())
    }

    /// It is invoked as EventBridge does it, with Secrets Manager's event.
    fn tell_of_key(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        let function = Stack::new(self.account, &self.name)
            .resources()?
            .physical_id(ROTATION)?;
        let event = json!({
            "source": "aws.secretsmanager",
            "detail-type": "Secret Label Updated",
            "time": "2026-11-24T06:00:00Z",
            "resources": [self.settled()?.output("SecretArn")?],
            "detail": {"labelUpdated": "AWSCURRENT"},
        });
        let (payload, answer) = (self.folder.join("event"), self.folder.join("answer"));
        fs::write(&payload, event.to_string())?;
        let payload = format!("file://{}", path_text(&payload)?);
        let command = ["lambda", "invoke", "--function-name", &function];
        let options = ["--payload", &payload, path_text(&answer)?];
        let invoked = self.account.json(command.into_iter().chain(options))?;
        let answer = fs::read_to_string(answer)?;
        ensure!(invoked["FunctionError"].is_null(), "{answer}");
        notes.add(format!("{function} answers {}", answer.trim()));
        Ok(())
    }

    fn update(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        self.upload(1, notes)?;
        self.deploy(1, &[])?;
        let next = &self.release(1)?.version;
        let settled = self.settled()?;
        ensure!(settled.output("Release")? == next, "{settled:?}");
        let function = Stack::new(self.account, &self.name)
            .resources()?
            .physical_id(FUNCTION)?;
        let command = [
            "lambda",
            "get-function-configuration",
            "--function-name",
            &function,
        ];
        let told = self.account.json(command)?["Environment"]["Variables"]["RELEASE"].take();
        ensure!(text(&told)? == *next, "the function is told {told}");
        notes.add(format!("Release   {next}"));
        self.expect_same_key()
    }

    fn meet_wrong_bucket(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        let wrong = format!("{}-wrong", self.name);
        let changed = format!("CodeBucket={wrong}");
        let deployed = self.deploy(1, &["--parameter-overrides", &changed]);
        ensure!(
            deployed.is_err(),
            "code was taken from a bucket that does not exist"
        );
        let settled = Stack::new(self.account, &self.name).settle()?;
        ensure!(
            settled.status == "UPDATE_ROLLBACK_COMPLETE",
            "the stack is {}",
            settled.status
        );
        let events = [
            "cloudformation",
            "describe-stack-events",
            "--stack-name",
            &self.name,
        ];
        let events = self.account.json(events)?;
        let reasons = texts(&events["StackEvents"], "ResourceStatusReason");
        // Lambda's words: on AWS they are "Error occurred while GetObject. S3 Error Code: NoSuchBucket".
        let reason = reasons.iter().find(|reason| reason.contains(&wrong));
        notes.add(reason.context("no event names the bucket")?);
        self.expect_same_key()
    }

    fn delete(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        self.cloudformation(["delete-stack", "--stack-name", &self.name])?;
        self.cloudformation(["wait", "stack-delete-complete", "--stack-name", &self.name])?;
        notes.add(format!("{} is gone", self.name));
        Ok(())
    }

    fn find_nothing(&mut self, notes: &mut Notes) -> anyhow::Result<()> {
        let now = self.account.inventory()?;
        let left = now
            .difference(&self.before)
            .filter(|name| name.contains(&self.name));
        let left: Vec<&String> = left.collect();
        ensure!(left.is_empty(), "left behind: {left:?}");
        let key = self.key.as_ref().context("no key was fetched")?;
        let publisher = Publisher::with_key(self.account, self.workplace, &key.key);
        let refusal = publisher.list_refusal(&self.genomes(), "")?;
        ensure!(refusal.code == "InvalidAccessKeyId", "{refusal}");
        notes.add(format!("{}  {}", key.key.id, refusal.code));
        Ok(())
    }
}

impl Story<'_> {
    fn genomes(&self) -> String {
        format!("{}-genomes", self.name)
    }

    fn archives(&self) -> String {
        format!("{}-archives", self.name)
    }

    fn release(&self, at: usize) -> anyhow::Result<&Release> {
        self.releases.get(at).context("the release was not made")
    }

    /// Uploads the folder of a release, as the page says it.
    fn upload(&self, release: usize, notes: &mut Notes) -> anyhow::Result<()> {
        let name = self.release(release)?.name();
        let to = format!("s3://{}/{PREFIX}{name}", self.archives());
        let command = ["s3", "cp", "--recursive", "--no-progress", &name, &to];
        self.account
            .aws(command)
            .in_folder(&self.folder)
            .succeed()?;
        notes.add(format!("{name} is in {to}"));
        Ok(())
    }

    /// Updates the stack with the template of a release; parameters keep their values.
    fn deploy(&self, release: usize, changed: &[&str]) -> anyhow::Result<()> {
        let template = format!("{}/template.yaml", self.release(release)?.name());
        let command = [
            "deploy",
            "--stack-name",
            &self.name,
            "--capabilities",
            "CAPABILITY_IAM",
        ];
        let options = ["--template-file", &template];
        self.cloudformation(
            command
                .into_iter()
                .chain(options)
                .chain(changed.iter().copied()),
        )
    }

    /// `aws cloudformation`, in the folder of the person.
    fn cloudformation<'b>(&self, words: impl IntoIterator<Item = &'b str>) -> anyhow::Result<()> {
        let command = self
            .account
            .aws(["cloudformation"].into_iter().chain(words));
        command.in_folder(&self.folder).succeed()?;
        Ok(())
    }

    fn settled(&self) -> anyhow::Result<Settled> {
        let settled = Stack::new(self.account, &self.name).settle()?;
        let complete = ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&settled.status.as_str());
        ensure!(complete, "the stack is {}", settled.status);
        Ok(settled)
    }

    fn stored_key(&self) -> anyhow::Result<StoredKey> {
        self.account
            .stored_key(&format!("publisher/{}", self.name), "AWSCURRENT")
    }

    fn expect_same_key(&self) -> anyhow::Result<()> {
        let before = self.key.as_ref().context("no key was fetched")?;
        let publisher = Publisher::with_key(self.account, self.workplace, &before.key);
        let (now, listed) = join(
            || self.stored_key(),
            || publisher.list(&self.genomes(), "", 1),
        )?;
        ensure!(now.version_id == before.version_id, "a new key was made");
        ensure!(!listed.is_empty(), "the key lists nothing");
        Ok(())
    }
}
