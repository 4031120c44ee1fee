//! Logs: JSON, one object a line, and only warnings and errors from other crates.

use std::panic::{self, PanicHookInfo};

use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What the targets of our own events begin with.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// Sends logs to standard output, and panics to the logs. `variable` looks up an environment variable. The level is
/// that of `AWS_LAMBDA_LOG_LEVEL`, Lambda's own setting, or `INFO`.
///
/// A second call changes nothing.
pub fn install(variable: impl Fn(&str) -> Option<String>) {
    let level = own_level(&variable);
    // Fails if a subscriber is installed already, which then stays.
    if tracing_subscriber::registry()
        .with(lines(level, std::io::stdout))
        .try_init()
        .is_ok()
    {
        panic::set_hook(Box::new(log_panic));
    }
}

/// The layer that writes the lines.
///
/// A line without an RFC 3339 `timestamp` counts as INFO for Lambda's own filter, whatever its `level` says.
fn lines<S, W>(level: LevelFilter, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer)
        .with_filter(filter(level))
}

/// Our own events up to `level`, and warnings from everyone else. At finer levels, the Lambda runtime logs the raw
/// event and the HTTP client logs whole requests.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(OWN, level)
}

fn own_level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    match variable("AWS_LAMBDA_LOG_LEVEL") {
        // Lambda's one level that `tracing` lacks.
        Some(level) if level.eq_ignore_ascii_case("FATAL") => LevelFilter::ERROR,
        Some(level) => level.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    }
}

/// Logs where a panic happened. Leaves out its message, which may contain anything, including secrets.
fn log_panic(info: &PanicHookInfo<'_>) {
    match info.location() {
        Some(at) => error!(
            file = at.file(),
            line = at.line(),
            "panic: a defect of the function"
        ),
        None => error!("panic: a defect of the function"),
    }
}
