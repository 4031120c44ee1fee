//! What the roles and the boundary of `template.yaml` permit, decided by evaluating their policies.
//!
//! The function runs against an account in memory, and every call it makes is turned into the requests that IAM would
//! see ([`calls`]): action, resource, and the condition keys as they are at that moment. The roles' policies, with
//! `CloudFormation`'s functions resolved, must allow all of these, and nothing that none of these needs. Two tables say
//! what they must not allow: [`escalations`] for the role, [`bounded`] for the user it makes.
//!
//! The evaluator is [`kit::policy_check`], and a [`second`] one judges whatever the first one does. The crate `winterbaume-iam-rule-eval` 0.2 would take every
//! condition as met, and `@cloud-copilot/iam-simulate` needs Node, which nothing else here does.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says how many there were"
)]

mod attempt;
mod bounded;
mod calls;
mod escalations;
mod mutants;
mod other_accounts;
mod permitted;
mod policies;
mod roles;
mod second;
mod stories;
mod watched;
