//! How long writing the policy takes, from one bucket to the most that fit into IAM's limit.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::Context;
use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::request::names::Partition;
use publisher_s3_access::request::properties::Desired;
use serde_json::json;

/// How often each policy is written. The mean counts.
const TIMES: u32 = 2000;

/// Writes one line of JSON for each number of buckets.
fn main() -> anyhow::Result<()> {
    let partition = Partition::parse("aws")
        .ok()
        .context("the partition has a name")?;
    let mut output = io::stdout().lock();
    for count in 1.. {
        let buckets: Vec<String> = (0..count).map(|number| format!("b{number:02}")).collect();
        let properties = json!({ "Buckets": buckets });
        let desired = Desired::parse(&properties, &partition)?;
        // Refused for its length, so the previous one was the last.
        let Ok(document) = PolicyDocument::of(&desired, &partition, "amazonaws.com") else {
            break;
        };
        let started = Instant::now();
        for _ in 0..TIMES {
            let desired = Desired::parse(black_box(&properties), &partition)?;
            black_box(PolicyDocument::of(&desired, &partition, "amazonaws.com")?);
        }
        let microseconds = started.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES);
        let line = json!({ "buckets": count, "characters": document.length(), "microseconds": microseconds });
        writeln!(output, "{line}")?;
    }
    Ok(())
}
