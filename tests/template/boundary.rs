//! The most that the user can ever do.

use std::collections::BTreeSet;

use serde_json::json;

use super::policy::{Statement, of_boundary};
use kit::template::rendering::{CHINA, COMMERCIAL, GOV_CLOUD, Place, SECRET, SOVEREIGN, Stack};

const READING: [&str; 3] = ["kms:Decrypt", "s3:GetObject", "s3:ListBucket"];

fn denials(stack: &Stack) -> Vec<Statement> {
    let mut statements = of_boundary(stack);
    statements.retain(Statement::denies);
    statements
}

#[test]
fn the_boundary_allows_reading_and_denies_everything_else_by_name() {
    let stack = Stack::usual();
    let allowed: BTreeSet<String> = (of_boundary(&stack).iter())
        .filter(|statement| statement.allows())
        .flat_map(Statement::actions)
        .collect();
    assert_eq!(allowed, READING.map(str::to_owned).into());

    let everywhere =
        |statement: &&Statement| statement.resources() == ["*"] && statement.condition().is_null();
    let others: Vec<BTreeSet<String>> = (denials(&stack).iter())
        .filter(everywhere)
        .map(|statement| statement.other_actions_than().into_iter().collect())
        .collect();
    assert_eq!(others, [allowed]);
}

#[test]
fn the_boundary_denies_every_bucket_but_the_readable_ones() {
    // Where no `*` stands before the name, no key of another bucket matches.
    for (place, partition) in [
        (COMMERCIAL, "aws"),
        (CHINA, "aws-cn"),
        (GOV_CLOUD, "aws-us-gov"),
        (SOVEREIGN, "aws-eusc"),
        (SECRET, "*"),
    ] {
        denies_other_buckets(place, partition);
    }
}

fn denies_other_buckets(place: Place, partition: &str) {
    let given = [
        ("Buckets", "genomes"),
        ("ReadableBuckets", "genomes, cohort-*"),
    ];
    let stack = Stack::new(place, &given);
    let denials = denials(&stack);
    let outside: Vec<&Statement> = (denials.iter())
        .filter(|statement| !statement.other_resources_than().is_empty())
        .collect();
    let [outside] = outside[..] else {
        panic!("{outside:?}");
    };

    assert_eq!(outside.actions(), ["s3:ListBucket", "s3:GetObject"]);
    assert!(outside.condition().is_null());
    let readable: BTreeSet<String> = outside.other_resources_than().into_iter().collect();
    let expected = ["genomes", "genomes/*", "cohort-*", "cohort-*/*"];
    let expected = expected.map(|name| format!("arn:{partition}:s3:::{name}"));
    assert_eq!(readable, expected.into());
}

#[test]
fn the_boundary_denies_decryption_unless_s3_asks_for_it() {
    for (place, services) in [
        (COMMERCIAL, ["s3.*.amazonaws.com", "s3.*.amazonaws.com"]),
        (CHINA, ["s3.*.amazonaws.com.cn", "s3.*.amazonaws.com"]),
    ] {
        let stack = Stack::new(place, &[("Buckets", "genomes")]);
        let denials = denials(&stack);
        let direct = denials
            .iter()
            .find(|statement| statement.names("kms:Decrypt"));
        let direct = direct.expect("a denial of `kms:Decrypt`");
        assert_eq!(direct.resources(), ["*"]);
        let condition = json!({ "StringNotLike": { "kms:ViaService": services } });
        assert_eq!(*direct.condition(), condition);
    }
}
