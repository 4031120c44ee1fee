//! The compilers' libraries, which are linked into the programs besides crates.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context, ensure};

/// The lock of the tools, which names the version of the linker.
const TOOLS: &str = "tests/e2e/tools/requirements.txt";

/// A library that comes with a compiler.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    /// The compiler's.
    pub(crate) version: String,
    /// As an SPDX expression.
    pub(crate) licence: &'static str,
}

/// Rust's own library, and what the linker adds for panics that are caught and for sums that the processor lacks.
///
/// # Errors
/// If the version of a compiler is unknown.
pub(crate) fn libraries(repository: &Path) -> anyhow::Result<[Library; 3]> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output()?;
    ensure!(output.status.success(), "`rustc --version` failed");
    let output = String::from_utf8(output.stdout)?;
    let rust = output
        .split(' ')
        .nth(1)
        .context("`rustc --version` says no version")?;
    let tools = fs::read_to_string(repository.join(TOOLS)).context(TOOLS)?;
    let zig = tools
        .lines()
        .find_map(|line| line.strip_prefix("ziglang=="));
    let zig = zig.and_then(|rest| rest.split(' ').next());
    let zig = zig.with_context(|| format!("{TOOLS} does not name `ziglang`"))?;
    let library = |name, version: &str, licence| Library {
        name,
        version: version.to_owned(),
        licence,
    };
    Ok([
        library("rust-standard-library", rust, "MIT OR Apache-2.0"),
        library("zig-compiler-rt", zig, "MIT"),
        library("zig-llvm-libunwind", zig, "Apache-2.0 WITH LLVM-exception"),
    ])
}
