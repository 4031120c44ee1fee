//! The bill of materials, as `CycloneDX`. It has neither time nor serial number, so that the same sources give the same
//! bytes.

use anyhow::{Context, ensure};
use cyclonedx_bom::{
    external_models::{normalized_string::NormalizedString, spdx::SpdxExpression, uri::Purl},
    models::{
        bom::{Bom, SpecVersion},
        component::{Classification, Component, Components},
        dependency::{Dependencies, Dependency},
        license::{LicenseChoice, Licenses},
        metadata::Metadata,
    },
    validation::Validate,
};

use crate::{
    beside::Library,
    crates::{Crates, Linked},
    licences::expression,
};

/// Writes the bill of the programs that these crates make.
///
/// # Errors
/// If it is not valid.
pub(crate) fn bill(crates: &Crates, beside: &[Library]) -> anyhow::Result<String> {
    let others = crates
        .others
        .iter()
        .map(|linked| component(linked, Classification::Library));
    let beside = beside.iter().map(|library| Ok(beside_crates(library)));
    let all = std::iter::once(&crates.own).chain(&crates.others);
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata {
            component: Some(component(&crates.own, Classification::Application)?),
            ..Metadata::default()
        }),
        components: Some(Components(
            others.chain(beside).collect::<anyhow::Result<_>>()?,
        )),
        dependencies: Some(Dependencies(all.map(dependency).collect())),
        spec_version: SpecVersion::V1_5,
        ..Bom::default()
    };
    let checked = bom.validate_version(SpecVersion::V1_5);
    ensure!(
        checked.passed(),
        "the bill of materials is not valid: {checked:?}"
    );
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    json.push(b'\n');
    String::from_utf8(json).context("it is not text")
}

fn beside_crates(library: &Library) -> Component {
    let Library {
        name,
        version,
        licence,
    } = library;
    let reference = Some(format!("{name}@{version}"));
    let mut component = Component::new(Classification::Library, name, version, reference);
    component.licenses = Some(licences(licence));
    component
}

fn licences(expression: &str) -> Licenses {
    Licenses(vec![LicenseChoice::Expression(SpdxExpression::new(
        expression,
    ))])
}

fn component(linked: &Linked, class: Classification) -> anyhow::Result<Component> {
    let package = &linked.package;
    let version = package.version.to_string();
    let mut component = Component::new(class, &package.name, &version, Some(reference(linked)));
    component.description = package.description.as_deref().map(NormalizedString::new);
    component.purl = Some(Purl::new("cargo", &package.name, &version)?);
    component.licenses = Some(licences(&expression(package)?));
    Ok(component)
}

fn dependency(linked: &Linked) -> Dependency {
    let mut dependencies: Vec<String> = linked.uses.iter().map(|id| name(&id.repr)).collect();
    dependencies.sort();
    Dependency {
        dependency_ref: reference(linked),
        dependencies,
    }
}

fn reference(linked: &Linked) -> String {
    name(&linked.package.id.repr)
}

/// A crate's id without its path, which differs on every machine: `name@1.2.3`.
fn name(id: &str) -> String {
    let (place, name) = id.rsplit_once('#').unwrap_or(("", id));
    if name.contains('@') {
        return name.to_owned();
    }
    // The folder's name says the crate's where both are the same.
    let folder = place.rsplit('/').next().unwrap_or_default();
    format!("{folder}@{name}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{beside, crates};

    #[test]
    fn it_names_every_crate_with_its_licence_and_no_place_of_this_machine() -> anyhow::Result<()> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let crates = crates::linked(&repository, "x86_64-unknown-linux-gnu")?;
        let beside = beside::libraries(&repository)?;
        let bill = bill(&crates, &beside)?;
        let value: serde_json::Value = serde_json::from_str(&bill)?;
        let components = value["components"].as_array().context("components")?;
        assert_eq!(components.len(), crates.others.len() + beside.len());
        for component in components {
            assert!(
                component["licenses"][0]["expression"].is_string(),
                "{component}"
            );
        }
        assert_eq!(
            value["metadata"]["component"]["name"],
            "publisher-s3-access"
        );
        for absent in ["serialNumber", "timestamp", "file://", "/root", "registry"] {
            assert!(!bill.contains(absent), "{absent}");
        }
        Ok(())
    }
}
