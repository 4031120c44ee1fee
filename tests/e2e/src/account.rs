//! The AWS account under test, seen through the `aws` command line. Whether it is an emulator or AWS is
//! decided here, by the environment the command line gets, and nowhere else.

use std::{
    env,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    interrupt,
    process::{Finished, Invocation, WarmCli},
    workplace::Workplace,
};

pub(crate) mod buckets;
mod functions;
pub(crate) mod identities;
mod refusal;
pub(crate) mod secrets;
pub(crate) mod state;

pub(crate) use refusal::Refusal;

/// The emulator's root user; it has no other secret.
const EMULATED_KEY: &str = "test";
/// Not the default region, so that code which uses the default shows up.
const EMULATED_REGION: &str = "ca-central-1";
/// An emulator shows every change at once.
const EMULATED_SETTLING: Duration = Duration::from_secs(1);
/// AWS needs seconds until a change in IAM is visible everywhere.
const SETTLING: Duration = Duration::from_secs(60);

/// An account and a region, and the command lines that reach them as an administrator.
#[derive(Debug)]
pub(crate) struct Account {
    aws: Invocation,
    sam: Invocation,
    python: Invocation,
    region: String,
    id: String,
    caller: String,
    source: Source,
    settling: Duration,
}

/// Where an administrator's credentials come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// `AWS_ACCESS_KEY_ID` and its companions in the environment.
    Environment,
    /// A profile of the AWS configuration of the person who runs this.
    Profile(String),
}

impl Account {
    /// The emulator at `endpoint`, whatever AWS configuration this machine has.
    ///
    /// # Errors
    /// If it does not answer.
    pub(crate) fn emulated(workplace: &Workplace, endpoint: &str) -> anyhow::Result<Self> {
        let isolated = |tool: &str| {
            [
                "AWS_PROFILE",
                "AWS_DEFAULT_PROFILE",
                "AWS_SESSION_TOKEN",
                "AWS_CA_BUNDLE",
            ]
            .into_iter()
            .fold(workplace.tool(tool), Invocation::env_remove)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SAM_CLI_POLL_DELAY", "0.5")
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", EMULATED_KEY)
            .env("AWS_SECRET_ACCESS_KEY", EMULATED_KEY)
        };
        let region = EMULATED_REGION.to_owned();
        let program = isolated("python").arg("tests/e2e/tools/warm_aws.py");
        let warm = WarmCli::start(program, workplace.scratch().join("aws.socket"))?;
        let account = Self::reach(
            isolated("aws").in_warm(&Arc::new(warm)),
            isolated("sam"),
            isolated("python"),
            region,
            Source::Environment,
        )?;
        Ok(Self {
            settling: EMULATED_SETTLING,
            ..account
        })
    }

    /// The account that the AWS command line of this person is set up for.
    ///
    /// # Errors
    /// If no region is configured, or the credentials are not accepted.
    pub(crate) fn configured(workplace: &Workplace) -> anyhow::Result<Self> {
        let source = if env::var_os("AWS_ACCESS_KEY_ID").is_some() {
            Source::Environment
        } else {
            Source::Profile(env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned()))
        };
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|name| env::var(name).ok().filter(|region| !region.is_empty()));
        let region = match region {
            Some(region) => region,
            None => {
                let configured = workplace.tool("aws").args(["configure", "get", "region"]);
                configured.run()?.stdout.trim().to_owned()
            }
        };
        ensure!(
            !region.is_empty(),
            "no region is configured: set `AWS_REGION`"
        );
        let [aws, sam, python] = ["aws", "sam", "python"].map(|tool| workplace.tool(tool));
        Self::reach(aws, sam, python, region, source)
    }

    fn reach(
        aws: Invocation,
        sam: Invocation,
        python: Invocation,
        region: String,
        source: Source,
    ) -> anyhow::Result<Self> {
        let common = |tool: Invocation| {
            tool.env("AWS_REGION", &region)
                .env("AWS_DEFAULT_REGION", &region)
                .env("AWS_PAGER", "")
                .env("AWS_MAX_ATTEMPTS", "3")
                .env("SAM_CLI_TELEMETRY", "0")
        };
        let mut account = Self {
            aws: common(aws),
            sam: common(sam),
            python: common(python),
            region,
            id: String::new(),
            caller: String::new(),
            source,
            settling: SETTLING,
        };
        let identity = account.json(["sts", "get-caller-identity"])?;
        account.id = text(&identity["Account"])?;
        account.caller = text(&identity["Arn"])?;
        Ok(account)
    }

    /// Whether it is an emulator, which reaches this machine.
    pub(crate) fn is_emulated(&self) -> bool {
        self.settling == EMULATED_SETTLING
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The account's number.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The ARN of who calls.
    pub(crate) fn caller(&self) -> &str {
        &self.caller
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// What a shell must export for `aws` to reach this account.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (String, String)> {
        self.aws.exports()
    }

    /// `sam` with `arguments`, for the repository's template.
    pub(crate) fn sam<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Invocation {
        self.sam.clone().args(arguments)
    }

    /// A Python program with `arguments`, which finds the account as `aws` does.
    pub(crate) fn python<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Invocation {
        self.python.clone().args(arguments)
    }

    /// `aws` with `arguments`, as the administrator.
    pub(crate) fn aws<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Invocation {
        self.aws.clone().args(arguments)
    }

    /// Another program that calls `aws` itself, as the administrator.
    pub(crate) fn for_administrator(&self, program: Invocation) -> Invocation {
        program.environment_of(&self.aws)
    }

    /// What `aws` with `arguments` prints, `Null` if it prints nothing.
    ///
    /// # Errors
    /// If the command fails.
    pub(crate) fn json<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<Value> {
        parse(&self.aws(arguments).args(["--output", "json"]).succeed()?)
    }

    /// As [`Self::json`], for a call that may find nothing: `None` if AWS answers the error `absent`.
    ///
    /// # Errors
    /// If the command fails in another way.
    pub(crate) fn find<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        absent: &str,
    ) -> anyhow::Result<Option<Value>> {
        let finished = self.aws(arguments).args(["--output", "json"]).run()?;
        if finished.status.success() {
            return parse(&finished).map(Some);
        }
        let refusal = Refusal::of(&finished)?;
        ensure!(refusal.code == absent, "{finished}");
        Ok(None)
    }
}

impl Account {
    /// The events of a log group, one a line.
    pub(crate) fn log_lines(&self, group: &str) -> anyhow::Result<String> {
        let events = self.json(["logs", "filter-log-events", "--log-group-name", group])?;
        let messages = texts(&events["events"], "message");
        let lines = messages.iter().map(|message| message.trim_end());
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Repeats a check that AWS may not pass at once.
    ///
    /// # Errors
    /// The last one, once everything should be known.
    pub(crate) fn eventually<T>(
        &self,
        mut attempt: impl FnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(error) if start.elapsed() > self.settling => return Err(error),
                Err(_) if interrupt::is_pending() => bail!("interrupted"),
                Err(_) => thread::sleep(Duration::from_secs(1)),
            }
        }
    }
}

/// A JSON string.
///
/// # Errors
/// If the value is anything else.
pub(crate) fn text(value: &Value) -> anyhow::Result<String> {
    let text = value
        .as_str()
        .with_context(|| format!("expected a string, found {value}"))?;
    Ok(text.to_owned())
}

/// The strings that are found under `key` of each entry of a list, none if there is no list.
pub(crate) fn texts(list: &Value, key: &str) -> Vec<String> {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let values = entries.iter().filter_map(|entry| entry[key].as_str());
    values.map(str::to_owned).collect()
}

/// A path as a command line argument.
///
/// # Errors
/// If it is not Unicode.
pub(crate) fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not Unicode", path.display()))
}

fn parse(finished: &Finished) -> anyhow::Result<Value> {
    if finished.stdout.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&finished.stdout).with_context(|| format!("no JSON: {finished}"))
}
