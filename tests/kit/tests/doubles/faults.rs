//! The wrapper that makes calls fail.

use std::time::Duration;

use publisher_s3_access::cloud::{Cloud, ErrorKind};
use tokio::time::timeout;

use super::*;
use kit::faults::{Fault, Faulty};

/// Three calls, the second of which writes.
async fn three_calls(cloud: &impl Cloud) -> Result<()> {
    cloud.find_user(&user(USER)).await?;
    cloud.create_user(&new_user(USER)).await?;
    cloud.find_user(&user(USER)).await?;
    Ok(())
}

fn is_there(account: &Account) -> bool {
    account.user_tags(USER).is_some()
}

#[tokio::test(start_paused = true)]
async fn every_fault_strikes_before_or_after_the_effect_as_it_says() {
    use ErrorKind::{Indeterminate, Throttled};
    let second = Duration::from_secs(1);
    for (fault, effect, gives) in [
        (Fault::Refuse(Throttled), false, Some(Some(Throttled))),
        (Fault::LoseRequest, false, Some(Some(Indeterminate))),
        (Fault::LoseAnswer, true, Some(Some(Indeterminate))),
        (Fault::Hang, false, Some(None)),
        (Fault::HangAfter, true, Some(None)),
        (Fault::Kill, false, None),
        (Fault::KillAfter, true, None),
    ] {
        let account = Account::new();
        let cloud = Faulty::with(account.clone(), 1, fault);
        let ended = cloud
            .until_killed(timeout(second, three_calls(&cloud)))
            .await;
        let ended = ended.map(|in_time| in_time.ok().map(|result| result.unwrap_err().kind));
        assert_eq!(ended, gives, "{fault:?}");
        assert_eq!(is_there(&account), effect, "{fault:?}");
        assert!(
            cloud.struck() == 1 && cloud.to_string().ends_with("at call 1 (create_user)"),
            "{cloud}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_shorter_than_k_is_not_struck() {
    let cloud = Faulty::with(Account::new(), 3, Fault::Kill);
    assert!(
        cloud
            .until_killed(three_calls(&cloud))
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(cloud.struck(), 0);
    assert_eq!(cloud.calls(), ["find_user", "create_user", "find_user"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_end() {
    let account = Account::new();
    let cloud = Faulty::with_outage(account.clone(), 1, ErrorKind::Denied);
    assert_eq!(kind(three_calls(&cloud).await), ErrorKind::Denied);
    assert_eq!(kind(three_calls(&cloud).await), ErrorKind::Denied);
    assert!(!is_there(&account));
}

#[tokio::test(start_paused = true)]
async fn a_dead_process_finishes_nothing_it_had_begun_beside() {
    let account = Account::new();
    let cloud = Faulty::with(account.clone(), 1, Fault::Kill);
    let (new, missing) = (new_user(USER), user("publisher-missing"));
    let both = futures_util::future::join(cloud.create_user(&new), cloud.find_user(&missing));
    assert!(cloud.until_killed(both).await.is_none());
    assert!(!is_there(&account));
}

#[tokio::test(start_paused = true)]
async fn a_held_call_waits_before_its_effect_while_others_go_on() {
    let account = Account::new();
    let cloud = Faulty::holding(account.clone(), 1);
    let mut run = Box::pin(three_calls(&cloud));
    assert!(cloud.until_held(run.as_mut()).await.is_none());
    assert!(!is_there(&account));
    three_calls(&account).await.unwrap();
    cloud.release();
    run.await.unwrap();
    assert_eq!(cloud.calls().len(), 3);
}
