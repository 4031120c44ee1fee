//! Logs: JSON, one object a line, and never more from other crates than warnings.

use std::panic::{self, PanicHookInfo};

use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The targets of our own events begin with it.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// Sends logs to standard output, and panics to the logs. `variable` gives the value of an environment variable: the
/// level is `AWS_LAMBDA_LOG_LEVEL`'s, Lambda's own setting, else `INFO`.
///
/// A second call changes nothing.
pub fn install(variable: impl Fn(&str) -> Option<String>) {
    let level = own_level(&variable);
    // Fails where a subscriber is installed already: that one stays.
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

/// Our own events up to `level`, everybody else's only as warnings: at finer levels the Lambda runtime logs the raw event
/// and the HTTP client whole requests.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(OWN, level)
}

fn own_level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    match variable("AWS_LAMBDA_LOG_LEVEL") {
        // The one level of Lambda that `tracing` does not have.
        Some(level) if level.eq_ignore_ascii_case("FATAL") => LevelFilter::ERROR,
        Some(level) => level.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    }
}

/// Logs where a panic happened. Its message is left out: it may hold anything that was at hand, secrets included.
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
