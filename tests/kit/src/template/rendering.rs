//! A stack made from the template, as far as `CloudFormation` knows it before it makes a resource.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::Template;

/// Where a stack is, in the pseudo parameters' words.
pub struct Place {
    pub partition: &'static str,
    pub region: &'static str,
    pub url_suffix: &'static str,
}

pub const COMMERCIAL: Place = Place {
    partition: "aws",
    region: "eu-west-1",
    url_suffix: "amazonaws.com",
};
pub const CHINA: Place = Place {
    partition: "aws-cn",
    region: "cn-north-1",
    url_suffix: "amazonaws.com.cn",
};
pub const GOV_CLOUD: Place = Place {
    partition: "aws-us-gov",
    region: "us-gov-west-1",
    url_suffix: "amazonaws.com",
};
pub const SOVEREIGN: Place = Place {
    partition: "aws-eusc",
    region: "eusc-de-east-1",
    url_suffix: "amazonaws.eu",
};
/// A partition that the template does not know.
pub const SECRET: Place = Place {
    partition: "aws-iso-b",
    region: "us-isob-east-1",
    url_suffix: "sc2s.sgov.gov",
};
pub const ACCOUNT: &str = "111122223333";
pub const NAME: &str = "genomes-for-publisher";

pub struct Stack {
    /// Without the resources whose condition does not hold.
    pub template: Template,
    place: Place,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// A stack with these parameters and the defaults of the others.
    pub fn new(place: Place, given: &[(&str, &str)]) -> Self {
        let template = Template::read();
        let defaults = template
            .section("Parameters")
            .iter()
            .map(|(name, parameter)| {
                let default = &parameter["Default"];
                let default = (default.as_str()).map_or_else(|| default.to_string(), str::to_owned);
                (name.clone(), default)
            });
        let mut parameters: BTreeMap<String, String> = defaults.collect();
        for (name, value) in given {
            let replaced = parameters.insert((*name).to_owned(), (*value).to_owned());
            assert!(replaced.is_some(), "`{name}` is no parameter");
        }
        let whole = Self {
            template,
            place,
            parameters,
        };
        let mut template = Template::read();
        for section in ["Resources", "Outputs"] {
            template.retain(section, |condition| whole.condition(&json!(condition)));
        }
        Self { template, ..whole }
    }

    /// A stack in a commercial region, with one bucket and the defaults.
    pub fn usual() -> Self {
        Self::new(COMMERCIAL, &[("Buckets", "genomes")])
    }

    /// The same with rotation on a schedule, and somebody to notify.
    pub fn rotating(place: Place) -> Self {
        let given = [
            ("Buckets", "genomes,s3://cohort/phase-1/"),
            ("RotationDays", "45"),
            ("NotificationEmail", "genomics@example.com"),
        ];
        Self::new(place, &given)
    }

    pub fn properties(&self, logical_id: &str) -> Value {
        self.rendered(&self.template.resource(logical_id)["Properties"])
    }

    /// The properties of the one resource of a type.
    pub fn properties_of(&self, resource_type: &str) -> Value {
        self.properties(self.template.only(resource_type))
    }

    pub fn id(&self) -> String {
        let Place {
            partition, region, ..
        } = self.place;
        format!("arn:{partition}:cloudformation:{region}:{ACCOUNT}:stack/{NAME}/00000000-1111")
    }

    /// What `Ref` gives for a resource; for a managed policy, its ARN.
    pub fn physical_id(&self, logical_id: &str) -> String {
        let name = format!("{NAME}-{logical_id}-ABCDEFGHIJKL");
        if self.template.resource(logical_id)["Type"] == "AWS::IAM::ManagedPolicy" {
            format!("arn:{}:iam::{ACCOUNT}:policy/{name}", self.place.partition)
        } else {
            name
        }
    }

    pub fn attribute(&self, logical_id: &str, attribute: &str) -> String {
        let Place {
            partition, region, ..
        } = self.place;
        let user = &self.parameters["UserName"];
        match attribute {
            "UserArn" => format!("arn:{partition}:iam::{ACCOUNT}:user/{user}"),
            "SecretArn" => format!(
                "arn:{partition}:secretsmanager:{region}:{ACCOUNT}:secret:publisher/{user}-AbCdEf"
            ),
            "Arn" => {
                let name = self.physical_id(logical_id);
                let kind = &self.template.resource(logical_id)["Type"];
                match kind.as_str().unwrap_or_default() {
                    "AWS::Logs::LogGroup" => {
                        format!("arn:{partition}:logs:{region}:{ACCOUNT}:log-group:{name}:*")
                    }
                    "AWS::CloudWatch::Alarm" => {
                        format!("arn:{partition}:cloudwatch:{region}:{ACCOUNT}:alarm:{name}")
                    }
                    "AWS::IAM::Role" => format!("arn:{partition}:iam::{ACCOUNT}:role/{name}"),
                    _ => format!("arn:{partition}:lambda:{region}:{ACCOUNT}:function:{name}"),
                }
            }
            // The `+` shows whether it is escaped where it must be.
            _ => format!("{logical_id}+{attribute}"),
        }
    }

    /// A value with its functions resolved.
    pub fn rendered(&self, value: &Value) -> Value {
        self.resolve(value).unwrap_or_default()
    }

    /// `None` is `AWS::NoValue`. An unknown function fails the test, so that nothing stays hidden.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => {
                Some(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            Value::Object(members) => {
                let mut entries = members.iter();
                if let (Some((name, argument)), None) = (entries.next(), entries.next())
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.call(name, argument);
                }
                let members = members.iter();
                Some(
                    members
                        .filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?)))
                        .collect(),
                )
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Some(value.clone())
            }
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        if function == "Ref" {
            return self.reference(text(argument));
        }
        if function == "Fn::If" {
            let branch = if self.condition(&argument[0]) { 1 } else { 2 };
            return self.resolve(&argument[branch]);
        }
        if function == "Fn::FindInMap" {
            let [map, first, second] = [0, 1, 2].map(|at| text(&argument[at]));
            return Some(self.template.section("Mappings")[map][first][second].clone());
        }
        let resolved = || self.rendered(&argument[1]);
        Some(match function {
            "Fn::GetAtt" => json!(self.attribute(text(&argument[0]), text(&argument[1]))),
            "Fn::Sub" => json!(self.substitute(argument)),
            "Fn::Join" => {
                let items = resolved();
                let items = items.as_array().expect("`Fn::Join` takes a list");
                let items: Vec<&str> = items.iter().map(text).collect();
                json!(items.join(text(&argument[0])))
            }
            "Fn::Split" => text(&resolved()).split(text(&argument[0])).collect(),
            _ => panic!("`{function}` is not known to this test"),
        })
    }

    fn reference(&self, name: &str) -> Option<Value> {
        let parameter_type = &self
            .template
            .section("Parameters")
            .get(name)
            .map(|p| &p["Type"]);
        Some(match (name, self.parameters.get(name)) {
            ("AWS::NoValue", _) => return None,
            ("AWS::Partition", _) => json!(self.place.partition),
            ("AWS::Region", _) => json!(self.place.region),
            ("AWS::URLSuffix", _) => json!(self.place.url_suffix),
            ("AWS::AccountId", _) => json!(ACCOUNT),
            ("AWS::StackName", _) => json!(NAME),
            ("AWS::StackId", _) => json!(self.id()),
            (_, Some(value)) if parameter_type.is_some_and(|of| of == "CommaDelimitedList") => {
                value.split(',').map(str::trim).collect()
            }
            (_, Some(value)) => json!(value),
            (_, None) => json!(self.physical_id(name)),
        })
    }

    fn substitute(&self, argument: &Value) -> String {
        let template = argument.as_str().unwrap_or_else(|| text(&argument[0]));
        let given = &argument[1];
        let mut parts = template.split("${");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').expect("`${` is closed");
            let value = match (given.get(name), name.split_once('.')) {
                (Some(value), _) => self.rendered(value),
                (None, Some((resource, attribute))) => json!(self.attribute(resource, attribute)),
                (None, None) => self.reference(name).unwrap_or_default(),
            };
            result.push_str(text(&value));
            result.push_str(rest);
        }
        result
    }

    /// What the template's rules say against the parameters. CloudFormation then makes nothing.
    pub fn refusals(&self) -> Vec<String> {
        let rules = self.template.section("Rules").values();
        let holds = |rule: &&Value| {
            let condition = rule.get("RuleCondition");
            condition.is_none_or(|condition| self.condition(condition))
        };
        let assertions = rules
            .filter(holds)
            .flat_map(|rule| rule["Assertions"].as_array().expect("assertions"));
        assertions
            .filter(|assertion| !self.condition(&assertion["Assert"]))
            .map(|assertion| text(&assertion["AssertDescription"]).to_owned())
            .collect()
    }

    fn condition(&self, condition: &Value) -> bool {
        if let Some(name) = condition.as_str() {
            return self.condition(&self.template.section("Conditions")[name]);
        }
        if let Some(negated) = condition.get("Fn::Not") {
            return !self.condition(&negated[0]);
        }
        if let Some(name) = condition.get("Condition") {
            return self.condition(name);
        }
        if let Some(all) = condition["Fn::And"].as_array() {
            return all.iter().all(|condition| self.condition(condition));
        }
        if let Some(any) = condition["Fn::Or"].as_array() {
            return any.iter().any(|condition| self.condition(condition));
        }
        let compared = &condition["Fn::Equals"];
        assert!(
            compared.is_array(),
            "`{condition}` is not known to this test"
        );
        self.rendered(&compared[0]) == self.rendered(&compared[1])
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("`{value}` should be a string"))
}
