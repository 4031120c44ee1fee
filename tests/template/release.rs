//! The version is the same wherever it is written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use kit::template::document::{Template, strings};
use kit::template::rendering::{COMMERCIAL, Stack};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn functions_and_output_are_of_the_version_of_the_crate() {
    let stack = Stack::rotating(COMMERCIAL);
    let output = stack.rendered(&stack.template.section("Outputs")["Release"]["Value"]);
    assert_eq!(output, VERSION);
    let mut functions = 0;
    for (logical_id, resource) in stack.template.section("Resources") {
        if resource["Type"] == "AWS::Lambda::Function" {
            let told = &stack.properties(logical_id)["Environment"]["Variables"]["RELEASE"];
            assert_eq!(told, VERSION, "{logical_id}");
            functions += 1;
        }
    }
    assert_eq!(functions, 2);
}

#[test]
fn the_newest_section_of_the_changelog_is_of_the_version_of_the_crate() {
    let changelog = text("CHANGELOG.md");
    let mut sections = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## ["));
    let newest = sections.next().and_then(|rest| rest.split_once("] - "));
    let (version, date) = newest.expect("a section with a date");
    assert_eq!(version, VERSION);
    assert_eq!(date.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2]);
}

#[test]
fn the_changelog_links_to_the_repository_that_the_crate_names() {
    let changelog = text("CHANGELOG.md");
    let links = changelog.lines().filter_map(|line| line.split_once("]: "));
    let links: Vec<&str> = links.map(|(_, link)| link).collect();
    assert_eq!(links.len(), changelog.matches("\n## [").count());
    for link in links {
        assert!(
            link.starts_with(concat!(env!("CARGO_PKG_REPOSITORY"), "/")),
            "{link}"
        );
    }
}

#[test]
fn only_the_tag_of_the_version_is_released() {
    let checked = |tag: &str| {
        let tag = format!("TAG={tag}");
        let make = std::process::Command::new("make")
            .args(["check-tag", &tag])
            .output();
        let output = make.expect("`make` runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert!(checked(&format!("v{VERSION}")).0);
    for tag in [VERSION, "v0.0.1", "", "v"] {
        let (released, says) = checked(tag);
        assert!(!released, "`{tag}`");
        assert!(says.contains(&format!("so tag v{VERSION}")), "{says}");
    }
}

#[test]
fn every_lock_of_a_package_manager_is_kept_up_to_date() {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "*requirements.txt", "*package-lock.json"])
        .output();
    let listed = String::from_utf8(listed.expect("`git` runs").stdout).expect("UTF-8");
    assert!(listed.lines().count() > 6, "{listed}");
    let updated = text(".github/dependabot.yml");
    let updated: BTreeSet<&str> = updated.split(['[', ']', ',', ' ', '\n']).collect();
    for lock in listed.lines() {
        let folder = lock.rsplit_once('/').map_or("", |(folder, _)| folder);
        assert!(updated.contains(&*format!("/{folder}")), "{lock}");
    }
}

/// Every file below a folder that git keeps.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let ignored = ["node_modules", "cdk.out"]
            .iter()
            .any(|name| path.ends_with(name));
        if path.is_dir() && !ignored {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}

#[test]
fn the_examples_name_the_version_of_the_crate() {
    let mut named = 0;
    for file in files(Path::new("examples")) {
        let content = text(&file);
        for rest in content.split("publisher-s3-access-").skip(1) {
            let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next();
            let version = version.unwrap_or_default().trim_end_matches('.');
            if !version.is_empty() {
                assert_eq!(version, VERSION, "{}", file.display());
                named += 1;
            }
        }
    }
    assert!(named > 4, "only {named} places");
}

/// Whether a release's template has a parameter: this one's, and where the code is.
fn is_parameter(name: &str) -> bool {
    ["CodeBucket", "CodePrefix"].contains(&name)
        || Template::read().section("Parameters").contains_key(name)
}

#[test]
fn the_examples_give_parameters_that_the_template_has() {
    let nested = Template::read_from("examples/own-template/nested.yaml");
    let parameters = &nested.resource("Publisher")["Properties"]["Parameters"];
    let nested = parameters.as_object().expect("parameters").keys().cloned();

    let stackset = Template::read_from("examples/stacksets/stackset.yaml");
    let parameters = stackset.resource("Everywhere")["Properties"]["Parameters"].clone();
    let keys = |parameter: &Value| parameter["ParameterKey"].as_str().map(str::to_owned);
    let parameters = parameters.as_array().expect("parameters").clone();
    let stackset = parameters.iter().filter_map(keys);

    let terraform = text("examples/terraform/main.tf");
    let block = terraform
        .split("merge(var.parameters, {")
        .nth(1)
        .expect("parameters");
    let block = block.split("})").next().unwrap_or_default();
    let terraform = block.lines().filter_map(|line| line.split_once('='));
    let terraform = terraform.map(|(name, _)| name.trim().to_owned());

    let cdk = text("examples/cdk/publisher.ts");
    let assigned = cdk
        .split("parameters.")
        .skip(1)
        .filter_map(|rest| rest.split_once(" = "));
    let block = cdk
        .split("parameters: Record<string, unknown> = {")
        .nth(1)
        .expect("parameters");
    let block = block.split('}').next().unwrap_or_default();
    let listed = block.lines().filter_map(|line| line.split_once(':'));
    let cdk = listed
        .chain(assigned)
        .map(|(name, _)| name.trim().to_owned());

    for (example, names) in [
        ("nested.yaml", nested.collect::<Vec<_>>()),
        ("stackset.yaml", stackset.collect()),
        ("terraform", terraform.collect()),
        ("cdk", cdk.collect()),
    ] {
        assert!(names.len() > 2, "{example}: {names:?}");
        for name in names {
            assert!(is_parameter(&name), "{example}: `{name}`");
        }
    }
}

#[test]
fn a_second_user_fits_into_the_template_and_is_understood() {
    use publisher_s3_access::request::names::Partition;
    use publisher_s3_access::request::properties::Desired;

    let example = Template::read_from("examples/own-template/second-user.yaml");
    let template = Template::read();
    let resource = example.resource("SecondAccess");
    for name in kit::template::document::references(&resource["Properties"])
        .into_iter()
        .chain(strings(&resource["DependsOn"]))
    {
        assert!(
            template.section("Resources").contains_key(&name),
            "`{name}`"
        );
    }
    let mut stack = Stack::usual();
    let usual = stack.properties_of("Custom::PublisherS3Access");
    assert_eq!(
        resource["Properties"]["ServiceTimeout"],
        usual["ServiceTimeout"]
    );
    stack.template.insert("SecondAccess", resource.clone());
    let partition = Partition::parse("aws").expect("a partition");
    let desired = Desired::parse(&stack.properties("SecondAccess"), &partition);
    assert!(desired.is_ok(), "{desired:?}");
}

#[test]
fn the_terraform_module_uses_the_variables_that_it_declares() {
    let all =
        ["main", "outputs", "variables"].map(|name| text(format!("examples/terraform/{name}.tf")));
    let names = |start: &str, end: fn(char) -> bool| -> BTreeSet<String> {
        let found = all.iter().flat_map(|text| text.split(start).skip(1));
        let found = found.filter_map(|rest| rest.split(end).next());
        found.map(str::to_owned).collect()
    };
    let declared = names("variable \"", |c| c == '"');
    let used = names("var.", |c| !c.is_ascii_alphanumeric() && c != '_');
    assert_eq!(declared, used);
}
