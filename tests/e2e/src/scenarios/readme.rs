//! The README's commands, as they stand and in their order.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, ensure};

use super::Scenario;
use crate::{account::texts, bench::Bench, process::Invocation, report::Notes, stack::Stack};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "the README's commands deploy, change, rotate, check, upgrade and delete a stack, and keep what was set",
    readme,
)];

/// What these do is done before, or needs the network.
const NOT_RUN: [&str; 6] = [
    "make tools",
    "make release",
    "make publish",
    "export PATH",
    "git pull",
    "sam build",
];
const USER: &str = "publisher-connectors";

fn readme<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    for bucket in ["example-genomics", "example-exomes", "example-cohorts"] {
        bench.account.create_bucket(bucket)?;
        bench.put_object(bucket, "2024/sample.vcf", &[])?;
    }
    let folder = bench.workplace.another_source("readme")?;
    let built = folder.join(".aws-sam/build/template.yaml");
    let stack = Stack::new(bench.account, "publisher");
    let page = fs::read_to_string(bench.workplace.repository().join("README.md"))?;
    let (_, page) = page
        .split_once("**From source, with SAM.**")
        .context("the README does not deploy with SAM")?;
    let mut set = BTreeMap::new();
    let mut ran = Vec::new();
    for block in page.split("```sh\n").skip(1) {
        let (block, _) = block.split_once("```").context("a block does not end")?;
        let lines = block
            .lines()
            .filter(|line| !NOT_RUN.iter().any(|not| line.starts_with(not)));
        if block.contains("git pull") {
            // What has come: another template.
            let template = fs::read_to_string(&built)?;
            let template =
                template.replacen("Answers CloudFormation", "Newly answers CloudFormation", 1);
            fs::write(&built, template)?;
        }
        let commands = lines.collect::<Vec<_>>().join("\n");
        let shell = Invocation::new("sh")
            .args(["-e", "-c", &commands])
            .in_folder(&folder);
        bench.account.for_administrator(shell).succeed()?;
        ran.push(commands);
        let Some(described) = stack.describe()? else {
            break;
        };
        // The last command does not wait.
        if described["StackStatus"]
            .as_str()
            .is_some_and(|status| status.starts_with("DELETE"))
        {
            break;
        }
        let names = texts(&described["Parameters"], "ParameterKey");
        let values = texts(&described["Parameters"], "ParameterValue");
        let now: BTreeMap<_, _> = names.into_iter().zip(values).collect();
        for (name, before) in &set {
            let kept = now.get(name) == Some(before) || block.contains(&format!("{name}="));
            ensure!(kept, "`{block}` changed {name} from {before}");
        }
        set = now;
    }
    ensure!(ran.len() == 8, "{ran:?}");
    let buckets = set.get("Buckets").map(String::as_str);
    let all = "example-genomics,s3://example-cohorts/2024/,example-exomes";
    ensure!(buckets == Some(all), "{set:?}");
    bench.account.eventually(|| {
        let left = stack.describe()?;
        ensure!(left.is_none(), "{left:?}");
        Ok(())
    })?;
    notes.add(format!("{} blocks of commands", ran.len()));
    bench.assert_nothing_of(USER)
}
