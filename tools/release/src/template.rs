//! The template of a release, made from the one that `sam build` takes. The functions' code comes from a bucket. The
//! key of the code contains the version, because to CloudFormation the same key is the same code.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};

use crate::archive::Architecture;

/// CloudFormation's limit for a template that is given with the call and not by its address.
const MOST_BYTES: usize = 51_200;

const PARAMETERS: &str = "  CodeBucket:
    Type: String
    Description: The bucket that this release was uploaded to. It must be in the region of the stack.
    AllowedPattern: ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$
    ConstraintDescription: must be the name of a bucket, without s3:// and without a folder
  CodePrefix:
    Type: String
    Description: The folder in that bucket that holds the folder of the release. Empty means none.
    Default: \"\"
    AllowedPattern: ^([A-Za-z0-9!_.*'()-]+/)*$
    ConstraintDescription: must be empty or a folder that ends in /, such as lambda/
";
const GROUP: &str = "      - Label: { default: Where this release is }
        Parameters: [CodeBucket, CodePrefix]
";
const LABELS: &str = "      CodeBucket: { default: Bucket of the release }
      CodePrefix: { default: Folder in that bucket }
";

/// The template of a release, and what goes with it.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) text: String,
    /// The program that all functions run.
    pub(crate) program: String,
}

/// The name of a release's folder, which is part of the code's key.
pub(crate) fn folder(version: &str) -> String {
    format!("publisher-s3-access-{version}")
}

/// Makes the template of the release `version` for `architectures`, the first of which becomes the default.
///
/// # Errors
/// If the source has another version, or an unfamiliar form.
pub(crate) fn release(
    source: &str,
    version: &str,
    architectures: &[Architecture],
) -> anyhow::Result<Template> {
    ensure!(
        source.contains(&format!("This: {{ Version: {version} }}\n")),
        "template.yaml is not of version {version}: its mapping `Release` must say `Version: {version}`"
    );
    let (text, program) = with_code(source, version)?;
    let listed: Vec<String> = architectures.iter().map(ToString::to_string).collect();
    let first = listed.first().context("a release is for an architecture")?;
    let text = edit(
        &text,
        "\nParameters:\n",
        &format!("\nParameters:\n{PARAMETERS}"),
    )?;
    let text = edit(
        &text,
        "    ParameterGroups:\n",
        &format!("    ParameterGroups:\n{GROUP}"),
    )?;
    let text = edit(
        &text,
        "    ParameterLabels:\n",
        &format!("    ParameterLabels:\n{LABELS}"),
    )?;
    let text = edit(
        &text,
        "    Description: Of the functions. arm64 must also be given to sam build.\n    Default: x86_64\n    AllowedValues: [x86_64, arm64]\n",
        &format!(
            "    Default: {first}\n    AllowedValues: [{}]\n",
            listed.join(", ")
        ),
    )?;
    ensure!(
        text.len() <= MOST_BYTES,
        "the template has {} bytes, and CloudFormation takes {MOST_BYTES}",
        text.len()
    );
    Ok(Template { text, program })
}

/// Takes each function's code from the bucket, and drops what tells SAM how to build it.
fn with_code(source: &str, version: &str) -> anyhow::Result<(String, String)> {
    let mut text = String::new();
    let mut programs = BTreeSet::new();
    let mut program = None;
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "    Metadata:" && lines.peek() == Some(&"      BuildMethod: rust-cargolambda") {
            ensure!(
                lines.nth(1) == Some("      BuildProperties:"),
                "`BuildProperties` is missing"
            );
            let name = lines
                .next()
                .and_then(|line| line.trim().strip_prefix("Binary: "));
            let earlier = program.replace(name.context("`Binary` is missing")?.to_owned());
            ensure!(earlier.is_none(), "a function has no `Code: .`");
        } else if line == "      Code: ." {
            let name = program.take().context("`Code: .` without a `Binary`")?;
            let folder = folder(version);
            text.push_str(&format!(
                "      Code:\n        S3Bucket: !Ref CodeBucket\n        \
                 S3Key: !Sub ${{CodePrefix}}{folder}/{name}-${{Architecture}}.zip\n"
            ));
            programs.insert(name);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    ensure!(program.is_none(), "a function has no `Code: .`");
    let only = programs.pop_first().filter(|_| programs.is_empty());
    Ok((text, only.context("all functions run one program")?))
}

/// Replaces a text that must occur exactly once.
fn edit(text: &str, old: &str, new: &str) -> anyhow::Result<String> {
    let found = text.matches(old).count();
    ensure!(
        found == 1,
        "template.yaml contains {found} times what is to be replaced once:\n{old}"
    );
    Ok(text.replace(old, new))
}

#[cfg(test)]
mod tests {
    use yaml_serde::{Mapping, Value};

    use super::*;

    const SOURCE: &str = include_str!("../../../template.yaml");

    /// The version that the template says.
    fn version() -> &'static str {
        let after = SOURCE.split("This: { Version: ").nth(1);
        let version = after.and_then(|rest| rest.split(' ').next());
        version.expect("the template has a version")
    }

    fn parsed(text: &str) -> anyhow::Result<Value> {
        Ok(yaml_serde::from_str(text)?)
    }

    fn section<'a>(template: &'a mut Value, path: &[&str]) -> &'a mut Mapping {
        let found = path.iter().fold(template, |value, key| &mut value[*key]);
        found.as_mapping_mut().expect("a mapping")
    }

    #[test]
    fn nothing_but_the_codes_place_is_different() -> anyhow::Result<()> {
        let made = release(
            SOURCE,
            version(),
            &[Architecture::X86_64, Architecture::Arm64],
        )?;
        let (mut ours, mut source) = (parsed(&made.text)?, parsed(SOURCE)?);
        let parameters = section(&mut ours, &["Parameters"]);
        for name in ["CodeBucket", "CodePrefix"] {
            assert!(parameters.remove(name).is_some(), "{name}");
        }
        let interface = ["Metadata", "AWS::CloudFormation::Interface"];
        let interface = section(&mut ours, &interface);
        let groups = interface["ParameterGroups"]
            .as_sequence_mut()
            .expect("groups");
        assert_eq!(groups.remove(0)["Parameters"][0], "CodeBucket");
        let labels = interface["ParameterLabels"]
            .as_mapping_mut()
            .expect("labels");
        assert!(
            labels
                .remove("CodeBucket")
                .and(labels.remove("CodePrefix"))
                .is_some()
        );
        section(&mut source, &["Parameters", "Architecture"]).remove("Description");

        let resources = section(&mut source, &["Resources"]).clone();
        let mut functions = 0;
        for (name, resource) in resources {
            if resource["Type"] != "AWS::Lambda::Function" {
                continue;
            }
            let name = name.as_str().expect("a name");
            assert_eq!(
                resource["Metadata"]["BuildProperties"]["Binary"],
                made.program
            );
            section(&mut source, &["Resources", name]).remove("Metadata");
            section(&mut source, &["Resources", name, "Properties"]).remove("Code");
            let properties = section(&mut ours, &["Resources", name, "Properties"]);
            let code = properties.remove("Code").expect("code");
            let expected = format!(
                "S3Bucket: !Ref CodeBucket\nS3Key: !Sub ${{CodePrefix}}publisher-s3-access-{}/{}-${{Architecture}}.zip",
                version(),
                made.program
            );
            assert_eq!(code, parsed(&expected)?);
            functions += 1;
        }
        assert_eq!(ours, source);
        assert_eq!(functions, 2);
        Ok(())
    }

    #[test]
    fn only_architectures_of_the_release_can_be_chosen() -> anyhow::Result<()> {
        let made = release(SOURCE, version(), &[Architecture::Arm64])?;
        let architecture = &parsed(&made.text)?["Parameters"]["Architecture"];
        assert_eq!(architecture["Default"], "arm64");
        assert_eq!(architecture["AllowedValues"], parsed("[arm64]")?);
        Ok(())
    }

    #[test]
    fn a_template_of_another_version_is_refused() {
        let error = release(SOURCE, "9.9.9", &[Architecture::X86_64]).map(|_| ());
        let error = error.map_err(|error| error.to_string()).err();
        assert!(error.is_some_and(|error| error.contains("not of version 9.9.9")));
    }

    #[test]
    fn an_unfamiliar_template_is_refused() {
        for (old, new) in [
            ("      Code: .\n", ""),
            ("      BuildProperties:\n", ""),
            ("\nParameters:\n", "\nParameters: \n"),
            (
                "AllowedValues: [x86_64, arm64]",
                "AllowedValues: [arm64, x86_64]",
            ),
        ] {
            assert!(SOURCE.contains(old), "{old}");
            let changed = SOURCE.replacen(old, new, 1);
            assert!(
                release(&changed, version(), &[Architecture::X86_64]).is_err(),
                "{old}"
            );
        }
    }
}
