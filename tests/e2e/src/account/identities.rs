//! Users, their keys and policies.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Account, texts};
use crate::process::join;

impl Account {
    /// What `get-user` says, `None` if there is no such user.
    pub(crate) fn user(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let user = self.find(["iam", "get-user", "--user-name", name], "NoSuchEntity")?;
        Ok(user.map(|mut user| user["User"].take()))
    }

    /// The ids of the user's keys, active or not.
    pub(crate) fn key_ids(&self, user: &str) -> anyhow::Result<BTreeSet<String>> {
        let keys = self.json(["iam", "list-access-keys", "--user-name", user])?;
        Ok(texts(&keys["AccessKeyMetadata"], "AccessKeyId")
            .into_iter()
            .collect())
    }

    /// Makes a key `Active` or `Inactive`, as somebody does by hand.
    pub(crate) fn set_key_status(&self, user: &str, key: &str, status: &str) -> anyhow::Result<()> {
        let command = ["iam", "update-access-key", "--user-name", user];
        let options = ["--access-key-id", key, "--status", status];
        self.json(command.into_iter().chain(options)).map(drop)
    }

    /// The document of a user's inline policy.
    pub(crate) fn inline_policy(&self, user: &str, policy: &str) -> anyhow::Result<Value> {
        let command = [
            "iam",
            "get-user-policy",
            "--user-name",
            user,
            "--policy-name",
            policy,
        ];
        Ok(self.json(command)?["PolicyDocument"].take())
    }

    /// A user's tags.
    pub(crate) fn tags(&self, user: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let answer = self.json(["iam", "list-user-tags", "--user-name", user])?;
        let keys = texts(&answer["Tags"], "Key");
        Ok(keys
            .into_iter()
            .zip(texts(&answer["Tags"], "Value"))
            .collect())
    }

    /// Whether the user and its secret have this tag.
    pub(crate) fn assert_tagged(
        &self,
        user: &str,
        (key, value): (&str, &str),
    ) -> anyhow::Result<()> {
        let of_user = self.tags(user)?;
        let tag = of_user.get(key).map(String::as_str);
        ensure!(tag == Some(value), "the user has {of_user:?}");
        let secret = self.secret(&format!("publisher/{user}"))?;
        let secret = secret.context("the secret is missing")?;
        let expected = json!({"Key": key, "Value": value});
        let tags = secret["Tags"].as_array();
        let there = tags.is_some_and(|tags| tags.contains(&expected));
        ensure!(there, "the secret has {:?}", secret["Tags"]);
        Ok(())
    }

    /// The names of everything in the account that a stack of ours can leave behind: users, roles, managed
    /// policies and secrets, those pending deletion too, each as `kind name`. A user's keys and inline
    /// policies cannot outlive it.
    pub(crate) fn inventory(&self) -> anyhow::Result<BTreeSet<String>> {
        let filter = ["User", "Role", "LocalManagedPolicy"];
        let command = ["iam", "get-account-authorization-details", "--filter"];
        let (iam, secrets) = join(
            || self.json(command.into_iter().chain(filter)),
            || {
                self.json([
                    "secretsmanager",
                    "list-secrets",
                    "--include-planned-deletion",
                ])
            },
        )?;
        let kinds = [
            ("user", texts(&iam["UserDetailList"], "UserName")),
            ("role", texts(&iam["RoleDetailList"], "RoleName")),
            ("policy", texts(&iam["Policies"], "PolicyName")),
            ("secret", texts(&secrets["SecretList"], "Name")),
        ];
        let named = kinds
            .into_iter()
            .flat_map(|(kind, names)| names.into_iter().map(move |name| format!("{kind} {name}")));
        Ok(named.collect())
    }
}
