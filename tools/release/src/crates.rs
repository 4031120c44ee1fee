//! The crates that are linked into the programs, as `cargo tree` names them, with the details of `cargo metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    process::Command,
};

use anyhow::{Context, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, PackageId};

/// The crate that holds the programs.
pub(crate) const OWN: &str = "publisher-s3-access";

/// A crate that is linked.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) package: Package,
    /// The linked crates that it uses itself.
    pub(crate) uses: Vec<PackageId>,
}

/// Our own crate, and those of others by name and version.
#[derive(Debug)]
pub(crate) struct Crates {
    pub(crate) own: Linked,
    pub(crate) others: Vec<Linked>,
}

/// Finds the crates for a target such as `x86_64-unknown-linux-gnu`, without those that only a build or a test needs.
///
/// # Errors
/// If cargo fails, or `Cargo.lock` is out of date.
pub(crate) fn linked(repository: &Path, target: &str) -> anyhow::Result<Crates> {
    let names = tree(repository, target)?;
    let metadata = MetadataCommand::new()
        .current_dir(repository)
        .other_options([
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            target.to_owned(),
        ])
        .exec()?;
    let is_linked =
        |package: &Package| names.contains(&format!("{} v{}", package.name, package.version));
    let packages = metadata.packages.into_iter().filter(is_linked);
    let packages: BTreeMap<PackageId, Package> = packages
        .map(|package| (package.id.clone(), package))
        .collect();
    ensure!(
        packages.len() == names.len(),
        "`cargo tree` and `cargo metadata` name other crates"
    );
    let mut uses: BTreeMap<PackageId, Vec<PackageId>> = BTreeMap::new();
    for node in metadata.resolve.context("cargo resolves nothing")?.nodes {
        let normal = node.deps.iter().filter(|dep| {
            let kinds = &dep.dep_kinds;
            kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
        });
        let ids = normal
            .map(|dep| dep.pkg.clone())
            .filter(|id| packages.contains_key(id));
        uses.insert(node.id, ids.collect());
    }
    let mut others: Vec<Linked> = packages
        .into_iter()
        .map(|(id, package)| Linked {
            package,
            uses: uses.remove(&id).unwrap_or_default(),
        })
        .collect();
    others.sort_by(|a, b| {
        (&*a.package.name, &a.package.version).cmp(&(&*b.package.name, &b.package.version))
    });
    let own = others.iter().position(|linked| *linked.package.name == OWN);
    let own = others.remove(own.with_context(|| format!("there is no crate `{OWN}`"))?);
    Ok(Crates { own, others })
}

/// Name and version of each crate, as `name v1.2.3`.
fn tree(repository: &Path, target: &str) -> anyhow::Result<BTreeSet<String>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        "tree --locked --edges normal,no-proc-macro --prefix none --format {p} --package";
    let output = Command::new(cargo)
        .args(arguments.split(' '))
        .args([OWN, "--target", target])
        .current_dir(repository)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`cargo tree` failed: {errors}");
    let lines = String::from_utf8(output.stdout)?;
    // A folder, or a note that the crate was shown before, may follow name and version.
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(lines
        .lines()
        .filter(|line| !line.is_empty())
        .map(name)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn linked_crates_are_found_and_build_or_test_crates_are_not() -> anyhow::Result<()> {
        let crates = linked(&repository(), "x86_64-unknown-linux-gnu")?;
        let names: Vec<&str> = crates
            .others
            .iter()
            .map(|linked| linked.package.name.as_str())
            .collect();
        for name in [
            "aws-lc-sys",
            "aws-sdk-iam",
            "lambda_runtime",
            "serde_json",
            "tokio",
        ] {
            assert!(names.contains(&name), "{name} is missing");
        }
        // A procedural macro, a build script's, a test's, the driver's and this program's own.
        for name in ["serde_derive", "cc", "proptest", "clap", "zip"] {
            assert!(!names.contains(&name), "{name} is not linked");
        }
        assert!(
            crates
                .own
                .uses
                .iter()
                .any(|id| id.repr.contains("aws-sdk-iam"))
        );
        Ok(())
    }

    #[test]
    fn one_bill_of_materials_is_true_of_both_architectures() -> anyhow::Result<()> {
        let [x86_64, arm64] =
            ["x86_64", "aarch64"].map(|processor| format!("{processor}-unknown-linux-gnu"));
        assert_eq!(tree(&repository(), &x86_64)?, tree(&repository(), &arm64)?);
        Ok(())
    }

    /// The job that compiles with the oldest Rust would show it too, but only after a push.
    #[test]
    fn no_crate_needs_a_newer_rust_than_the_one_that_is_promised() -> anyhow::Result<()> {
        let metadata = MetadataCommand::new()
            .current_dir(repository())
            .other_options(["--locked".to_owned()])
            .exec()?;
        let promised = metadata.root_package().context("a root")?;
        let promised = promised.rust_version.clone();
        assert!(promised.is_some());
        for package in metadata.packages {
            let needed = package.rust_version;
            assert!(
                needed <= promised,
                "`{}` needs {needed:?}, and Cargo.toml promises {promised:?}",
                package.name
            );
        }
        Ok(())
    }
}
