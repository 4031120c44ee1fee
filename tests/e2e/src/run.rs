//! What each command of the driver does: it makes the account, runs the steps, and removes the account again.

use std::{
    io::{self, BufRead, IsTerminal},
    path::Path,
    process,
    sync::{Mutex, PoisonError},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail, ensure};

use crate::{
    account::Account,
    bench::Bench,
    cli,
    emulator::{After, Emulator},
    interrupt,
    lifecycle::{First, Lifecycle, Names, Until},
    publisher::{self, Publisher},
    release::Story,
    report::{Report, Verdict, result},
    scenarios,
    workplace::Workplace,
};

/// The name of the story among the tests.
const LIFECYCLE: &str = "lifecycle";

/// Runs the story on an emulator, and returns whether it went as expected.
pub(crate) fn demo(arguments: &cli::Demo) -> anyhow::Result<bool> {
    if let Some(programs) = &arguments.release {
        return demo_of_release(arguments, programs);
    }
    let mut workplace = Workplace::prepare("demo")?;
    let report = Report::begin("Publisher reads a bucket: the life of a stack, on an emulated AWS");
    let (after, until) = if arguments.keep {
        (After::Keep, Until::Used)
    } else {
        (After::Stop, Until::Deleted)
    };
    let Some((mut emulator, account)) = emulate(&report, &workplace, after) else {
        return Ok(report.conclude());
    };
    let names = Names {
        stack: "publisher-demo".to_owned(),
        user: "publisher-connectors".to_owned(),
        first: First::Samples("genomes-cohort-a".to_owned()),
        second: "genomes-cohort-b".to_owned(),
        other: "clinic-private".to_owned(),
        artifacts: "publisher-demo-artifacts".to_owned(),
        role_boundary: None,
    };
    let user = names.user.clone();
    let mut story = Lifecycle::new(&workplace, &account, names);
    if build(&report, &workplace, &account) == Verdict::Passed {
        story.tell(&report, until);
    }
    report.line(format!(
        "`sam` took {:.1} s of the time",
        story.sam_time().as_secs_f32()
    ));
    let as_expected = report.conclude();
    if arguments.keep && !interrupt::happened() {
        let publisher = Publisher::with_profile(&account, &workplace, &user)?;
        report.line("\nThe emulator and the stack are still there. To look around:");
        report.line(format!(
            "  export PATH={}:$PATH",
            workplace.tools().display()
        ));
        look_around(&report, &account, &publisher)?;
        report.line(format!("The emulator's log: {}", emulator.log().display()));
        let (group, scratch) = (emulator.keep(), workplace.scratch().display());
        report.line(format!("To stop it: kill -- -{group} && rm -r {scratch}"));
        workplace.keep_scratch();
    } else if !as_expected {
        point_to_logs(&report, &workplace);
    }
    Ok(as_expected)
}

/// Runs the story of a person who builds nothing.
fn demo_of_release(arguments: &cli::Demo, programs: &Path) -> anyhow::Result<bool> {
    let workplace = Workplace::prepare("demo")?;
    let report =
        Report::begin("A stack from a release, with the AWS CLI alone, on an emulated AWS");
    if let Some((_emulator, account)) = emulate(&report, &workplace, After::Stop) {
        let story = Story::new(&workplace, &account, "publisher-demo", programs);
        let mut story = story.on(&arguments.architecture, arguments.through.as_deref());
        story.tell(&report);
    }
    let as_expected = report.conclude();
    if !as_expected {
        point_to_logs(&report, &workplace);
    }
    Ok(as_expected)
}

/// Runs every test on an emulator, and returns whether all passed.
pub(crate) fn test(arguments: &cli::Test) -> anyhow::Result<bool> {
    let filters = &arguments.filters;
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|part| name.contains(part));
    let scenarios: Vec<_> = scenarios::all().filter(|(name, _)| chosen(name)).collect();
    let names = scenarios.iter().map(|(name, _)| *name);
    let names: Vec<_> = Some(LIFECYCLE)
        .filter(|name| chosen(name))
        .into_iter()
        .chain(names)
        .collect();
    ensure!(
        !names.is_empty(),
        "no test's name contains {filters:?}; `--list` prints them"
    );
    if arguments.list {
        result(&names.join("\n"));
        return Ok(true);
    }
    let mut workplace = Workplace::prepare("test")?;
    workplace.stage(arguments.program.as_deref())?;
    let report = Report::begin("End-to-end tests on an emulated AWS");
    let Some((_emulator, account)) = emulate(&report, &workplace, After::Stop) else {
        return Ok(report.conclude());
    };
    let mut prepared = None;
    report.step(
        "The tests' bucket is filled and the function packaged",
        |_| {
            prepared = Some(Bench::prepare(&workplace, &account)?);
            Ok(())
        },
    );
    if let Some(bench) = prepared {
        let story = chosen(LIFECYCLE).then(|| Lifecycle::new(&workplace, &account, test_names()));
        side_by_side(&report, &bench, story, scenarios, arguments.jobs);
    }
    let as_expected = report.conclude();
    if !as_expected {
        point_to_logs(&report, &workplace);
    }
    Ok(as_expected)
}

/// Runs the tests in order on this many threads. One thread runs the story first.
fn side_by_side<'a>(
    report: &Report,
    bench: &'a Bench<'a>,
    story: Option<Lifecycle<'a>>,
    mut scenarios: Vec<&'static scenarios::Scenario>,
    jobs: usize,
) {
    // The last one begins first.
    scenarios.reverse();
    let queue = Mutex::new(scenarios);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    thread::scope(|scope| {
        let next = &next;
        scope.spawn(move || {
            if let Some(mut story) = story {
                story.tell(report, Until::Deleted);
            }
            work(report, bench, next);
        });
        for _ in 1..jobs {
            scope.spawn(move || work(report, bench, next));
        }
    });
}

/// Runs the story on the account that the AWS command line is set up for, and returns whether it went as expected.
pub(crate) fn acceptance(arguments: &cli::Acceptance) -> anyhow::Result<bool> {
    let workplace = Workplace::prepare("acceptance")?;
    let account = Account::configured(&workplace)?;
    let report = Report::begin("Acceptance: the life of a stack on your account");
    report.line(format!(
        "Account {} in {}, as {}",
        account.id(),
        account.region(),
        account.caller()
    ));
    let name = format!("publisher-acceptance-{}", random_suffix());
    let key = account.first_key(&arguments.bucket)?;
    ensure!(
        key.is_some(),
        "bucket `{}` is empty: name one that holds an object",
        arguments.bucket
    );
    report.line(format!(
        "It reads s3://{}, changes nothing in it, and makes and removes:",
        arguments.bucket
    ));
    report.line(format!(
        "  stack and user {name}, buckets {name}-second, -other and -artifacts"
    ));
    if !arguments.yes && !confirmed(&report)? {
        bail!("nothing was done");
    }
    let names = Names {
        stack: name.clone(),
        user: name.clone(),
        first: First::Existing(arguments.bucket.clone()),
        second: format!("{name}-second"),
        other: format!("{name}-other"),
        artifacts: format!("{name}-artifacts"),
        role_boundary: arguments
            .role_boundary
            .clone()
            .filter(|arn| !arn.is_empty()),
    };
    let mut story = Lifecycle::new(&workplace, &account, names);
    if build(&report, &workplace, &account) == Verdict::Passed {
        story.tell(&report, Until::Deleted);
        interrupt::begin_clean_up();
        report.step("Everything that was made is removed", |_| story.clean_up());
    }
    Ok(report.conclude())
}

/// Prints the credentials in the environment, for the profile of an administrator.
pub(crate) fn environment_credentials() -> anyhow::Result<bool> {
    result(&publisher::environment_credentials()?);
    Ok(true)
}

fn emulate(report: &Report, workplace: &Workplace, after: After) -> Option<(Emulator, Account)> {
    let mut started = None;
    report.step("An emulated AWS account starts", |notes| {
        let (emulator, endpoint) = Emulator::start(workplace, after)?;
        let account = Account::emulated(workplace, &endpoint)?;
        notes.add(format!(
            "{endpoint}, account {}, {}",
            account.id(),
            account.region()
        ));
        started = Some((emulator, account));
        Ok(())
    });
    started
}

fn build(report: &Report, workplace: &Workplace, account: &Account) -> Verdict {
    report.step("`sam build` builds the function", |_| {
        account.sam_build(workplace)?;
        Ok(())
    })
}

fn point_to_logs(report: &Report, workplace: &Workplace) {
    let logs = workplace.logs().display();
    report.line(format!(
        "{logs}: commands.log, sam-*.log, emulator.log (with the function's lines)"
    ));
}

/// Takes tests off the queue until none is left or the run is interrupted.
fn work<'a>(
    report: &Report,
    bench: &'a Bench<'a>,
    next: &impl Fn() -> Option<&'static scenarios::Scenario>,
) {
    while let Some((name, scenario)) = next() {
        if interrupt::is_pending() {
            report.not_run(name);
        } else {
            report.step(name, |notes| scenario(bench, notes));
        }
    }
}

fn test_names() -> Names {
    Names {
        stack: "publisher-lifecycle".to_owned(),
        user: "publisher-lifecycle".to_owned(),
        first: First::Samples("lifecycle-first".to_owned()),
        second: "lifecycle-second".to_owned(),
        other: "lifecycle-other".to_owned(),
        artifacts: "lifecycle-artifacts".to_owned(),
        role_boundary: None,
    }
}

fn confirmed(report: &Report) -> anyhow::Result<bool> {
    ensure!(
        io::stdin().is_terminal(),
        "nobody can be asked here: add `--yes`"
    );
    report.line("Is that the right account? [y/N]");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Enough to tell two runs apart.
fn random_suffix() -> String {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seed = time.as_nanos() ^ (u128::from(process::id()) << 20);
    format!("{:08x}", seed & 0xffff_ffff)
}

fn look_around(
    report: &Report,
    account: &Account,
    publisher: &Publisher<'_>,
) -> anyhow::Result<()> {
    let configuration = publisher
        .configuration()
        .context("the profile has no file")?;
    for (name, value) in account.exports() {
        report.line(format!("  export {name}={value}"));
    }
    report.line(format!(
        "  export AWS_CONFIG_FILE={}",
        configuration.display()
    ));
    for command in [
        "aws cloudformation describe-stacks --stack-name publisher-demo",
        "aws iam get-user-policy --user-name publisher-connectors --policy-name S3AccessPolicy",
        "aws secretsmanager describe-secret --secret-id publisher/publisher-connectors",
        "aws s3 ls s3://genomes-cohort-a --recursive --profile publisher",
    ] {
        report.line(format!("  {command}"));
    }
    Ok(())
}
