//! The labels of the template's parameters. The console's form shows a label in place of a name, so a text that names a
//! parameter to a person gives both.

/// Each parameter of the template that a message names, with its label. A test compares them with the template.
pub const LABELS: [(&str, &str); 11] = [
    ("Buckets", "Buckets and folders to read"),
    ("VerifyAccess", "Try the key before the stack is green"),
    ("BucketKmsKeyArns", "KMS keys that encrypt the objects"),
    ("RotationDays", "Days between new keys"),
    ("MaxKeyAgeDays", "Days until a key counts as old"),
    ("UserName", "Name of the IAM user"),
    ("KeySerial", "Number of the access key"),
    ("Revision", "Check everything again"),
    (
        "ReadableBuckets",
        "Upper limit - bucket names that may ever be read",
    ),
    ("SecretKmsKeyId", "KMS key that encrypts the secret"),
    (
        "SecretRecoveryDays",
        "Days a deleted secret can be restored",
    ),
];

/// The text with each parameter's label after the first mention of its name: `` `KeySerial` (Number of the access key) ``.
pub fn with_labels(text: &str) -> String {
    LABELS.iter().fold(text.to_owned(), |text, (name, label)| {
        let name = format!("`{name}`");
        text.replacen(&name, &format!("{name} ({label})"), 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mention_of_a_name_gets_its_label() {
        assert_eq!(
            with_labels("raise `KeySerial`, or replace `UserName`; `KeySerial` is a number"),
            "raise `KeySerial` (Number of the access key), or replace `UserName` (Name of the IAM user); `KeySerial` is a \
             number"
        );
    }

    #[test]
    fn a_name_is_not_found_in_another_or_in_a_value() {
        for text in ["`Buckets[1]`", "KeySerial", "`UserNames`"] {
            assert_eq!(with_labels(text), text);
        }
    }
}
