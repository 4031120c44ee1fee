//! The README's commands, as they stand and in their order; and what `sam deploy --guided` remembers.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Scenario;
use crate::{
    account::texts,
    bench::{BUCKET, Bench},
    process::Invocation,
    report::Notes,
    stack::Stack,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    (
        "the README's commands deploy, change, rotate, check, upgrade and delete a stack, and keep what was set",
        readme,
    ),
    (
        "what `sam deploy --guided` remembers takes no bucket away, once its line is deleted",
        guided,
    ),
];

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
            change(&built)?;
        }
        let commands = lines.collect::<Vec<_>>().join("\n");
        shell(bench, &folder, &commands)?;
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
        let now = parameters(&described);
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

fn shell(bench: &Bench<'_>, folder: &Path, commands: &str) -> anyhow::Result<()> {
    let shell = Invocation::new("sh").args(["-e", "-c", commands]);
    let shell = shell.in_folder(folder);
    bench.account.for_administrator(shell).succeed()?;
    Ok(())
}

fn parameters(described: &Value) -> BTreeMap<String, String> {
    let names = texts(&described["Parameters"], "ParameterKey");
    let values = texts(&described["Parameters"], "ParameterValue");
    names.into_iter().zip(values).collect()
}

/// Changes a template in a way that makes no difference.
fn change(template: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(template)?;
    let text = text.replacen("Answers CloudFormation", "Newly answers CloudFormation", 1);
    Ok(fs::write(template, text)?)
}

/// As docs/operations.md says it: SAM's file holds the buckets of the first day.
fn guided<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let name = "publisher-guided";
    let folder = bench.workplace.another_source("guided")?;
    let built = folder.join(".aws-sam/build/template.yaml");
    let template = fs::read_to_string(&built)?;
    let lines = template.lines().skip_while(|line| *line != "Parameters:");
    let lines = lines.skip(1).take_while(|line| line.starts_with(' '));
    let asked = lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let asked = asked.filter(|name| !name.starts_with([' ', '#']));
    let answers = asked.map(|parameter| match parameter {
        "Buckets" => BUCKET,
        "UserName" => name,
        _ => "",
    });
    // The stack's name and region come first, and questions to which the answer is yes or the default last.
    let answers = [name, ""].into_iter().chain(answers).chain([""; 7]);
    let answers: Vec<&str> = answers.collect();
    let answers = answers.join("\\n");
    shell(
        bench,
        &folder,
        &format!("printf '{answers}' | sam deploy --guided"),
    )?;

    let another = "genomes-another";
    bench.account.create_bucket(another)?;
    bench.put_object(another, "2024/sample.vcf", &[])?;
    let add = format!("--parameter-overrides Buckets={BUCKET},{another}");
    let capable = "--capabilities CAPABILITY_IAM";
    let deploy = "aws cloudformation deploy --stack-name";
    let running = format!("{deploy} {name} --template-file running.yaml {capable} {add}");
    let running_template = "aws cloudformation get-template --query TemplateBody --output text";
    let commands = format!("{running_template} --stack-name {name} > running.yaml\n{running}");
    shell(bench, &folder, &commands)?;
    change(&built)?;
    shell(
        bench,
        &folder,
        "sed -i '/^parameter_overrides/d' samconfig.toml\nsam deploy",
    )?;
    let described = Stack::new(bench.account, name).describe()?;
    let now = parameters(&described.context("the stack is gone")?);
    let buckets = now.get("Buckets").map(String::as_str);
    ensure!(buckets == Some(&format!("{BUCKET},{another}")), "{now:?}");
    notes.add(format!("Buckets {buckets:?} after another `sam deploy`"));
    Ok(())
}
