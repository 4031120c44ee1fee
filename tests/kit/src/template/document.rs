//! The template with its short forms written out: `!Ref X` is `{"Ref": "X"}`, `!Sub x` is `{"Fn::Sub": "x"}`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use yaml_serde::Value as Yaml;

pub struct Template(Value);

impl Template {
    pub fn read() -> Self {
        Self::read_from("template.yaml")
    }

    /// Another template, by its path in the repository.
    pub fn read_from(path: &str) -> Self {
        // Tests of different packages run in different folders.
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path);
        let text = std::fs::read_to_string(path).expect("the template is there");
        let yaml: Yaml = yaml_serde::from_str(&text).expect("the template is YAML");
        Self(written_out(&yaml))
    }

    /// A top-level section, such as `Parameters`.
    pub fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name]
            .as_object()
            .expect("the template has the section")
    }

    /// Removes the entries of a section whose `Condition` does not hold.
    pub fn retain(&mut self, section: &str, holds: impl Fn(&str) -> bool) {
        let entries = self.0[section].as_object_mut().expect("a section");
        entries.retain(|_, entry| entry["Condition"].as_str().is_none_or(&holds));
    }

    /// Adds a resource.
    pub fn insert(&mut self, logical_id: &str, resource: Value) {
        self.0["Resources"][logical_id] = resource;
    }

    pub fn resource(&self, logical_id: &str) -> &Value {
        &self.section("Resources")[logical_id]
    }

    /// The logical id of the one resource of a type.
    pub fn only(&self, resource_type: &str) -> &str {
        let mut found = (self.section("Resources").iter())
            .filter(|(_, resource)| resource["Type"] == resource_type)
            .map(|(logical_id, _)| logical_id.as_str());
        let logical_id = found.next().expect("there is a resource of the type");
        assert_eq!(found.next(), None, "a second `{resource_type}`");
        logical_id
    }

    /// The resources that must exist before this one, and are deleted after it.
    pub fn dependencies(&self, logical_id: &str) -> BTreeSet<String> {
        let resource = self.resource(logical_id);
        let mut names = references(&resource["Properties"]);
        names.extend(strings(&resource["DependsOn"]));
        names.retain(|name| self.section("Resources").contains_key(name));
        names
    }
}

impl Template {
    /// The same, with the resources that these need in turn.
    pub fn all_dependencies(&self, logical_id: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut open = vec![logical_id.to_owned()];
        while let Some(logical_id) = open.pop() {
            let needed = self.dependencies(&logical_id).into_iter();
            open.extend(needed.filter(|needed| all.insert(needed.clone())));
        }
        all
    }
}

fn written_out(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Sequence(items) => items.iter().map(written_out).collect(),
        Yaml::Mapping(members) => (members.iter())
            .map(|(key, value)| {
                let key = key.as_str().expect("keys are strings");
                (key.to_owned(), written_out(value))
            })
            .collect(),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            match (name, written_out(&tagged.value)) {
                ("Ref" | "Condition", value) => json!({ name: value }),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) = path.split_once('.').expect("RESOURCE.ATTRIBUTE");
                    json!({ "Fn::GetAtt": [resource, attribute] })
                }
                (_, value) => json!({ format!("Fn::{name}"): value }),
            }
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => {
            serde_json::to_value(yaml).expect("scalars are JSON too")
        }
    }
}

/// Every string in a value, itself included.
pub fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The names that `Ref`, `Fn::GetAtt` and `Fn::Sub` mention: resources, parameters and pseudo parameters.
pub fn references(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    match value {
        Value::Array(items) => names.extend(items.iter().flat_map(references)),
        Value::Object(members) => {
            for (key, value) in members {
                match key.as_str() {
                    "Ref" => names.extend(value.as_str().map(str::to_owned)),
                    "Fn::GetAtt" => names.extend(value[0].as_str().map(str::to_owned)),
                    "Fn::Sub" => {
                        let text = value.as_str().or(value[0].as_str()).unwrap_or_default();
                        let mentioned = text.split("${").skip(1);
                        names.extend(mentioned.map(|rest| {
                            let name = rest.split('}').next().unwrap_or_default();
                            name.split('.').next().unwrap_or_default().to_owned()
                        }));
                    }
                    _ => {}
                }
                names.extend(references(value));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    names
}
