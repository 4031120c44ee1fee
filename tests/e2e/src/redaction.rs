//! Keeps the secret keys that this run has seen out of all output and logs.

use std::sync::Mutex;

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Replaces a secret.
const MASK: &str = "********";

/// Names after which a JSON document holds a secret, known to this run or not.
const FIELDS: [&str; 3] = ["SecretAccessKey", "SecretString", "SessionToken"];

/// From now on `secret` is masked in everything that passes [`redact`].
pub(crate) fn conceal(secret: &str) {
    let mut secrets = SECRETS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !secret.is_empty() && !secrets.iter().any(|known| known == secret) {
        secrets.push(secret.to_owned());
    }
}

/// `text` with every concealed secret masked, and without the lines that carry a secret field.
pub(crate) fn redact(text: &str) -> String {
    let secrets = SECRETS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let masked = secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, MASK));
    let mut lines = Vec::new();
    for line in masked.split('\n') {
        match FIELDS.iter().find_map(|field| line.find(field)) {
            Some(at) => lines.push(format!("{}{MASK}", &line[..at])),
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concealed_secret_is_masked_wherever_it_stands() {
        conceal("wJalrXUtnFEMI");
        let text = redact("key=wJalrXUtnFEMI, again wJalrXUtnFEMI");
        assert_eq!(text, format!("key={MASK}, again {MASK}"));
    }

    #[test]
    fn a_secret_field_is_masked_before_its_value_is_known() {
        let text = redact("{\n  \"SecretAccessKey\": \"unknown-to-us\",\n  \"UserName\": \"u\"\n}");
        assert!(!text.contains("unknown-to-us"), "{text}");
        assert!(text.contains("\"UserName\": \"u\""), "{text}");
    }
}
