"""The template as CloudFormation would make it, for scanners that do not understand its functions."""

import re

# Stand-ins for what CloudFormation knows of an account.
PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/publisher/1",
    "AWS::StackName": "publisher",
    "AWS::URLSuffix": "amazonaws.com",
}
# Switches on what is optional.
GIVEN = {"RotationDays": "45", "NotificationEmail": "genomics@example.com", "Buckets": "reads"}
# Conditions that are taken as false, because the scanners find more without what they add.
OFF = {"BoundsRoles", "HasLogsKmsKey"}
# What a reference to a resource gives, by the resource's type; `{}` is its logical id.
REFERENCES = {
    "AWS::IAM::ManagedPolicy": {"Ref": "arn:aws:iam::111122223333:policy/publisher-{}"},
    "AWS::Events::Rule": {"Arn": "arn:aws:events:eu-west-1:111122223333:rule/publisher-{}"},
    "AWS::Logs::LogGroup": {"Arn": "arn:aws:logs:eu-west-1:111122223333:log-group:{}:*"},
    "AWS::SNS::Topic": {"Ref": "arn:aws:sns:eu-west-1:111122223333:publisher-{}"},
    "AWS::Lambda::Function": {"Arn": "arn:aws:lambda:eu-west-1:111122223333:function:publisher-{}"},
    "AWS::IAM::Role": {"Arn": "arn:aws:iam::111122223333:role/publisher-{}"},
    "Custom::PublisherS3Access": {
        "UserArn": "arn:aws:iam::111122223333:user/publisher-reader",
        "SecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:publisher/publisher-reader-AbCdEf",
    },
}


class Resolver:
    """Other conditions are taken as true, so that every resource the template can hold is looked at."""

    def __init__(self, template):
        self.template = template

    def resources(self):
        resolved = self.value(self.template["Resources"])
        for resource in resolved.values():
            resource.pop("Condition", None)
            if isinstance(resource.get("Properties", {}).get("Code"), str):
                # A folder, which is uploaded when the template is packaged.
                resource["Properties"]["Code"] = {"S3Bucket": "artifacts", "S3Key": "code"}
        return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resolved}

    def value(self, node):
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), = node.items()
            if name == "Ref":
                return self.reference(argument, "Ref")
            if name.startswith("Fn::"):
                return self.function(name, argument)
        members = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in members.items() if item is not None}

    def function(self, name, argument):
        if name == "Fn::Sub":
            return self.substituted(argument)
        if name == "Fn::If":
            return self.value(argument[2 if argument[0] in OFF else 1])
        if name == "Fn::GetAtt":
            logical_id, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
            return self.reference(logical_id, attribute)
        argument = self.value(argument)
        if name == "Fn::Join":
            return argument[0].join(argument[1])
        if name == "Fn::Split":
            return argument[1].split(argument[0])
        if name == "Fn::FindInMap":
            return self.value(self.template["Mappings"][argument[0]][argument[1]][argument[2]])
        raise ValueError(f"`{name}` is not understood")

    def substituted(self, argument):
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        variables = {key: self.value(item) for key, item in variables.items()}

        def replaced(match):
            name = match.group(1)
            if name in variables:
                return variables[name]
            logical_id, _, attribute = name.partition(".")
            return str(self.reference(logical_id, attribute or "Ref"))

        return re.sub(r"\$\{([^!}]+)\}", replaced, text)

    def reference(self, name, attribute):
        if name == "AWS::NoValue":
            return None
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.template["Parameters"]:
            parameter = self.template["Parameters"][name]
            text = GIVEN.get(name, parameter.get("Default", ""))
            return text.split(",") if parameter["Type"] == "CommaDelimitedList" else text
        kind = self.template["Resources"][name]["Type"]
        return REFERENCES.get(kind, {}).get(attribute, f"{{}}-{attribute}").format(name)
