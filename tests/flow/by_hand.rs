//! What people do with console or CLI behind the stack's back.

use kit::account::{Account, OTHER_BOUNDARY, Owner};
use publisher_s3_access::cloud::{Label, StoredKey};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// One edit. What cannot be done in a state, such as a third key, changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    // Versions of the secret.
    SaveAgain,
    SaveTwice,
    SaveEmpty,
    SaveEmptyTwice,
    /// The value of the version before.
    SaveOlder,
    SaveStrangersKey,
    /// A key that the person makes for our user.
    SaveOwnKey,
    /// The current key with another secret half.
    SaveSpoilt,
    SaveSerialOutOfRange,
    SaveHighSerial,
    // Labels.
    MoveCurrentBack,
    TakePrevious,
    PendingOnCurrent,
    PendingOnPrevious,
    CandidateOnPrevious,
    OwnLabelOnPrevious,
    // Keys.
    AddKey,
    DeactivateKey,
    DeactivatePrevious,
    DeleteKey,
    DeletePrevious,
    // Tags.
    StripUserTags,
    DropAUserTag,
    OtherStacksUser,
    StripSecretTags,
    OtherStacksSecret,
    // What else the stack has made.
    SpoilPolicy,
    RemovePolicies,
    DeleteSecret,
    DeleteSecretSlowly,
    DeleteUser,
    ChangeBoundary,
    Quarantine,
    Replicate,
}

impl Edit {
    /// The edits of the secret, the keys and the tags.
    pub(crate) const OF_KEYS: [Self; 26] = [
        Self::SaveAgain,
        Self::SaveTwice,
        Self::SaveEmpty,
        Self::SaveEmptyTwice,
        Self::SaveOlder,
        Self::SaveStrangersKey,
        Self::SaveOwnKey,
        Self::SaveSpoilt,
        Self::SaveSerialOutOfRange,
        Self::SaveHighSerial,
        Self::MoveCurrentBack,
        Self::TakePrevious,
        Self::PendingOnCurrent,
        Self::PendingOnPrevious,
        Self::CandidateOnPrevious,
        Self::OwnLabelOnPrevious,
        Self::AddKey,
        Self::DeactivateKey,
        Self::DeactivatePrevious,
        Self::DeleteKey,
        Self::DeletePrevious,
        Self::StripUserTags,
        Self::DropAUserTag,
        Self::OtherStacksUser,
        Self::StripSecretTags,
        Self::OtherStacksSecret,
    ];

    pub(crate) const OF_USER_TAGS: [Self; 3] = [
        Self::StripUserTags,
        Self::DropAUserTag,
        Self::OtherStacksUser,
    ];
    pub(crate) const OF_SECRET_TAGS: [Self; 2] = [Self::StripSecretTags, Self::OtherStacksSecret];

    /// The other edits.
    pub(crate) const OF_THE_REST: [Self; 8] = [
        Self::SpoilPolicy,
        Self::RemovePolicies,
        Self::DeleteSecret,
        Self::DeleteSecretSlowly,
        Self::DeleteUser,
        Self::ChangeBoundary,
        Self::Quarantine,
        Self::Replicate,
    ];

    /// Does it to this user or its secret.
    #[expect(clippy::too_many_lines, reason = "a line or two for each edit")]
    pub(crate) fn happen(self, account: &Account, user: &str) {
        let hand = account.by_hand();
        let secret = &format!("publisher/{user}");
        let current = account.value_under(secret, Label::Current);
        let changed = |name: &str, to: Value| {
            let mut value: Value = serde_json::from_str(current.as_deref()?).ok()?;
            value[name] = to;
            Some(value.to_string())
        };
        let save = |value: Option<String>| {
            if let Some(value) = value {
                hand.edit_secret(secret, &value);
            }
        };
        let label_on = |label: &str, holder| {
            if let Some(version) = account.version_under(secret, holder) {
                hand.move_label(secret, label, Some(&version));
            }
        };
        let current_key = account.current_key(secret);
        let previous_key = account.key_under(secret, Label::Previous);
        let listed = |key: &String| account.keys(user).iter().any(|listed| listed.id == *key);
        match self {
            Self::SaveAgain => save(current),
            Self::SaveTwice => {
                save(current.clone());
                save(current);
            }
            Self::SaveEmpty => save(Some("{}".to_owned())),
            Self::SaveEmptyTwice => {
                save(Some("{}".to_owned()));
                save(Some("oops".to_owned()));
            }
            Self::SaveOlder => save(account.value_under(secret, Label::Previous)),
            Self::SaveStrangersKey => save(changed("AccessKeyId", json!("AKIASTRANGER00000000"))),
            Self::SaveOwnKey if account.keys(user).len() < 2 => {
                let id = hand.add_key(user);
                let key = account.whole_key(&id).expect("made just now");
                save(Some(revealed(&key)));
            }
            Self::SaveSpoilt => save(changed("SecretAccessKey", json!("spoilt"))),
            Self::SaveSerialOutOfRange => save(changed("KeySerial", json!(9_999_999_999_u64))),
            Self::SaveHighSerial => save(changed("KeySerial", json!(7))),
            Self::MoveCurrentBack => label_on("AWSCURRENT", Label::Previous),
            Self::TakePrevious => {
                if account.version_under(secret, Label::Previous).is_some() {
                    hand.move_label(secret, "AWSPREVIOUS", None);
                }
            }
            Self::PendingOnCurrent => label_on("AWSPENDING", Label::Current),
            Self::PendingOnPrevious => label_on("AWSPENDING", Label::Previous),
            Self::CandidateOnPrevious => label_on("PublisherCandidate", Label::Previous),
            Self::OwnLabelOnPrevious => label_on("ours", Label::Previous),
            Self::AddKey if account.keys(user).len() < 2 => drop(hand.add_key(user)),
            Self::SaveOwnKey | Self::AddKey => {}
            Self::DeactivateKey | Self::DeactivatePrevious => {
                let key = if self == Self::DeactivateKey {
                    current_key
                } else {
                    previous_key
                };
                if let Some(key) = key.filter(listed) {
                    hand.deactivate_key(user, &key);
                }
            }
            Self::DeleteKey | Self::DeletePrevious => {
                let key = if self == Self::DeleteKey {
                    current_key
                } else {
                    previous_key
                };
                if let Some(key) = key.filter(listed) {
                    hand.delete_key(user, &key);
                }
            }
            Self::StripUserTags => hand.strip_user_tags(user),
            Self::DropAUserTag => hand.drop_user_tag(user, STACK_ID),
            Self::OtherStacksUser => hand.tag_user(user, LOGICAL_ID, "Other"),
            Self::StripSecretTags => hand.strip_secret_tags(secret),
            Self::OtherStacksSecret => hand.tag_secret(secret, LOGICAL_ID, "Other"),
            Self::SpoilPolicy => {
                let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
                for name in account.policies(user).into_keys().take(1) {
                    hand.put_policy(user, &name, document);
                }
            }
            Self::RemovePolicies => {
                for name in account.policies(user).into_keys() {
                    hand.remove_policy(user, &name);
                }
            }
            Self::DeleteSecret | Self::DeleteSecretSlowly if account.is_replicated(secret) => {}
            Self::DeleteSecret => hand.delete_secret(secret, None),
            Self::DeleteSecretSlowly => hand.delete_secret(secret, Some(7)),
            Self::DeleteUser => hand.delete_user(user),
            Self::ChangeBoundary => hand.set_boundary(user, Some(OTHER_BOUNDARY)),
            Self::Quarantine => hand.quarantine(user),
            Self::Replicate => hand.replicate(secret, "eu-west-1"),
        }
    }

    /// Whether the daily check has to tell of it.
    pub(crate) fn breaks(self) -> bool {
        match self {
            Self::SaveEmpty
            | Self::SaveEmptyTwice
            | Self::SaveStrangersKey
            | Self::SaveSpoilt
            | Self::DeactivateKey
            | Self::DeleteKey
            | Self::StripUserTags
            | Self::DropAUserTag
            | Self::OtherStacksUser
            | Self::StripSecretTags
            | Self::OtherStacksSecret
            | Self::SpoilPolicy
            | Self::RemovePolicies
            | Self::DeleteSecret
            | Self::DeleteSecretSlowly
            | Self::DeleteUser
            | Self::ChangeBoundary => true,
            Self::SaveAgain
            | Self::SaveTwice
            | Self::SaveOlder
            | Self::SaveOwnKey
            | Self::SaveSerialOutOfRange
            | Self::SaveHighSerial
            | Self::MoveCurrentBack
            | Self::TakePrevious
            | Self::PendingOnCurrent
            | Self::PendingOnPrevious
            | Self::CandidateOnPrevious
            | Self::OwnLabelOnPrevious
            | Self::AddKey
            | Self::DeactivatePrevious
            | Self::DeletePrevious
            | Self::Quarantine
            | Self::Replicate => false,
        }
    }

    /// Follows the way out that a refusal names, where there is one.
    pub(crate) fn mend(self, account: &Account, user: &str, owner: &Owner) {
        let hand = account.by_hand();
        let secret = &format!("publisher/{user}");
        let tags = [
            (STACK_ID, owner.stack_id.as_str()),
            (LOGICAL_ID, owner.logical_id.as_str()),
        ];
        // A label can have gone back to a spoilt value.
        if let Some(stored) = account.stored_key(secret)
            && let Some(key) = account.whole_key(stored.id.as_str())
            && key.secret.expose_secret() != stored.secret.expose_secret()
        {
            hand.edit_secret(secret, &revealed(&key));
        }
        for (key, value) in tags {
            if Self::OF_USER_TAGS.contains(&self) {
                hand.tag_user(user, key, value);
            }
            if Self::OF_SECRET_TAGS.contains(&self) {
                hand.tag_secret(secret, key, value);
            }
        }
    }
}

const STACK_ID: &str = "publisher-s3-access:stack-id";
const LOGICAL_ID: &str = "publisher-s3-access:logical-id";

fn revealed(key: &StoredKey) -> String {
    key.to_value().expose_secret().to_owned()
}
