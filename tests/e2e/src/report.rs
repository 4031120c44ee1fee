//! Says what is being done and how it went: a spinner on a terminal, plain lines elsewhere.
#![expect(
    clippy::print_stdout,
    reason = "telling a person how it goes is what this module is for"
)]

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use console::{Term, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::redaction::redact;

const TICK: Duration = Duration::from_millis(100);
/// The column of a step's time.
const COLUMN: usize = 72;

/// What has been done so far.
#[derive(Debug)]
pub(crate) struct Report {
    start: Instant,
    spinners: Option<MultiProgress>,
    results: Mutex<Vec<(String, Verdict)>>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// It could not run, because an earlier step failed. It counts as failed.
    NotRun,
}

/// What a step found, shown below it.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    /// Adds one line.
    pub(crate) fn add(&mut self, line: impl Display) {
        self.0.push(line.to_string());
    }

    /// Adds a whole text below its title.
    pub(crate) fn add_text(&mut self, title: &str, text: impl Display) {
        self.add(title);
        for line in text.to_string().trim_end().lines() {
            self.add(format!("  | {line}"));
        }
    }
}

impl Report {
    /// Begins, and prints the title.
    pub(crate) fn begin(title: &str) -> Self {
        let report = Self {
            start: Instant::now(),
            spinners: Term::stdout().is_term().then(MultiProgress::new),
            results: Mutex::default(),
        };
        report.line(style(title).bold());
        report
    }

    /// One line between the steps.
    pub(crate) fn line(&self, line: impl Display) {
        match &self.spinners {
            // Above the spinners. If the terminal is gone, nobody sees it.
            Some(spinners) => drop(spinners.println(line.to_string())),
            None => println!("{line}"),
        }
    }

    /// Takes a step while a spinner shows its name, then prints the result.
    pub(crate) fn step(
        &self,
        name: &str,
        work: impl FnOnce(&mut Notes) -> anyhow::Result<()>,
    ) -> Verdict {
        let spinner = self.spinners.as_ref().map(|all| all.add(spinner(name)));
        let start = Instant::now();
        let mut notes = Notes::default();
        let result = work(&mut notes);
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let verdict = if result.is_ok() {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        let mut lines = vec![headline(verdict, name, Some(start.elapsed()))];
        lines.extend(
            notes
                .0
                .iter()
                .map(|note| format!("    {}", style(note).dim())),
        );
        if let Err(error) = result {
            lines.extend(error.chain().flat_map(|cause| {
                let cause = redact(&cause.to_string());
                let indented = cause
                    .lines()
                    .map(|line| format!("    {}", style(line).red()));
                indented.collect::<Vec<_>>()
            }));
        }
        // In one piece: other steps may end at the same time.
        self.line(redact(&lines.join("\n")));
        self.results().push((name.to_owned(), verdict));
        verdict
    }

    /// Counts a step that could not run.
    pub(crate) fn not_run(&self, name: &str) {
        self.line(headline(Verdict::NotRun, name, None));
        self.results().push((name.to_owned(), Verdict::NotRun));
    }

    /// Prints the failures and the counts, and returns whether everything is as expected.
    pub(crate) fn conclude(&self) -> bool {
        let results = self.results();
        let passed = results
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Passed)
            .count();
        let failed: Vec<_> = results
            .iter()
            .filter(|(_, verdict)| *verdict != Verdict::Passed)
            .collect();
        self.line("");
        for (name, verdict) in &failed {
            self.line(headline(*verdict, name, None));
        }
        let seconds = self.start.elapsed().as_secs_f32();
        let counts = format!("{passed} passed, {} failed", failed.len());
        let all_as_expected = failed.is_empty() && passed > 0;
        let counts = if all_as_expected {
            style(counts).green()
        } else {
            style(counts).red()
        };
        self.line(format!("{} in {seconds:.1} s", counts.bold()));
        all_as_expected
    }

    fn results(&self) -> MutexGuard<'_, Vec<(String, Verdict)>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn headline(verdict: Verdict, name: &str, elapsed: Option<Duration>) -> String {
    let mark = match verdict {
        Verdict::Passed => style("✓").green(),
        Verdict::Failed => style("✗").red(),
        Verdict::NotRun => style("-").yellow(),
    };
    let remark = match (verdict, elapsed) {
        (Verdict::NotRun, _) => "not run".to_owned(),
        (Verdict::Passed | Verdict::Failed, Some(elapsed)) => {
            format!("{:5.1} s", elapsed.as_secs_f32())
        }
        (Verdict::Passed | Verdict::Failed, None) => String::new(),
    };
    format!("{mark} {name:COLUMN$} {}", style(remark).dim())
        .trim_end()
        .to_owned()
}

fn spinner(name: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(TICK);
    spinner
}

/// Says why the run could not start.
pub(crate) fn failure(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    println!("{} {}", style("✗").red(), redact(&causes.join("\n    ")));
}

/// Prints a program's result, which goes to another program.
pub(crate) fn result(text: &str) {
    println!("{text}");
}
