//! A wrapper that makes chosen calls fail, hang, or be the last thing their process did.
//!
//! It counts the calls. A test loops over `k` until [`Faulty::struck`] says that call `k` never came. Every call goes
//! through [`every_call!`](crate::every_call), so a new call does not compile until it is listed there.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use crate::calls::types::*;
use crate::every_call;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// AWS answers with an error, and nothing happened.
    Refuse(ErrorKind),
    /// No answer, and nothing happened.
    LoseRequest,
    /// No answer, and it happened.
    LoseAnswer,
    /// It never ends, and nothing happened.
    Hang,
    /// It never ends, and it happened.
    HangAfter,
    /// The process dies before the call.
    Kill,
    /// The process dies after the call, before its answer is seen.
    KillAfter,
}

impl Fault {
    /// Every kind of fault that any call can meet.
    pub const ALL: [Self; 10] = [
        Self::Refuse(ErrorKind::Rejected),
        Self::Refuse(ErrorKind::Denied),
        Self::Refuse(ErrorKind::Throttled),
        Self::Refuse(ErrorKind::Conflict),
        Self::LoseRequest,
        Self::LoseAnswer,
        Self::Hang,
        Self::HangAfter,
        Self::Kill,
        Self::KillAfter,
    ];
}

/// A cloud some of whose calls fail. Clones share the count, because they are one process.
pub struct Faulty<C> {
    inner: C,
    script: Arc<Mutex<Script>>,
}

/// What should happen, and what has happened.
#[derive(Default)]
struct Script {
    faults: BTreeMap<usize, Fault>,
    named: Option<Named>,
    outage: Option<(usize, ErrorKind)>,
    /// Every call, with the moment it began.
    calls: Vec<(&'static str, Instant)>,
    /// How long each call takes.
    latency: Duration,
    struck: Vec<(usize, Fault)>,
    process: Process,
    hold: Hold,
}

/// A fault that calls of one name meet.
struct Named {
    name: &'static str,
    /// How many calls of this name go well first.
    spared: usize,
    /// How many meet the fault then.
    times: usize,
    fault: Fault,
}

/// Whether the process is still there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Process {
    #[default]
    Alive,
    Dead,
}

/// A call that waits for the test.
#[derive(Default)]
enum Hold {
    #[default]
    None,
    /// The call with this number waits before its effect.
    At(usize),
    /// The first call with this name waits.
    AtFirst(&'static str),
    /// It waits.
    Held(Waker),
}

impl<C: Clone> Clone for Faulty<C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            script: Arc::clone(&self.script),
        }
    }
}

impl<C> fmt::Display for Faulty<C> {
    /// What struck, such as `Kill at call 3 (create_user)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        let at =
            |(k, fault): &(usize, Fault)| format!("{fault:?} at call {k} ({})", script.calls[*k].0);
        f.write_str(&script.struck.iter().map(at).collect::<Vec<_>>().join(", "))
    }
}

impl<C> Faulty<C> {
    /// A process whose calls all work.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            script: Arc::default(),
        }
    }

    /// A process whose `k`-th call (from 0) meets this fault.
    pub fn with(inner: C, k: usize, fault: Fault) -> Self {
        Self::with_all(inner, [(k, fault)])
    }

    /// A process several of whose calls fail.
    pub fn with_all(inner: C, faults: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        let faulty = Self::new(inner);
        faulty.script().faults.extend(faults);
        faulty
    }

    /// A process whose first `times` calls with this name meet this fault.
    pub fn with_named(inner: C, name: &'static str, times: usize, fault: Fault) -> Self {
        let faulty = Self::new(inner);
        faulty.script().named = Some(Named {
            name,
            spared: 0,
            times,
            fault,
        });
        faulty
    }

    /// A process whose calls with this name all meet this fault, except the first `spared` ones.
    pub fn with_named_after(inner: C, name: &'static str, spared: usize, fault: Fault) -> Self {
        let faulty = Self::new(inner);
        faulty.script().named = Some(Named {
            name,
            spared,
            times: usize::MAX,
            fault,
        });
        faulty
    }

    /// A process whose calls are all refused from the `k`-th on.
    pub fn with_outage(inner: C, k: usize, kind: ErrorKind) -> Self {
        let faulty = Self::new(inner);
        faulty.script().outage = Some((k, kind));
        faulty
    }

    /// A process whose `k`-th call waits, before its effect, until [`Self::release`].
    pub fn holding(inner: C, k: usize) -> Self {
        let faulty = Self::new(inner);
        faulty.script().hold = Hold::At(k);
        faulty
    }

    /// A process whose every call takes this long.
    pub fn slow(inner: C, latency: Duration) -> Self {
        let faulty = Self::new(inner);
        faulty.script().latency = latency;
        faulty
    }

    /// The calls so far, by the port's names.
    pub fn calls(&self) -> Vec<&'static str> {
        self.script().calls.iter().map(|(name, _)| *name).collect()
    }

    /// When the first call of this name was begun.
    pub fn begun(&self, name: &str) -> Option<Instant> {
        let script = self.script();
        let first = script.calls.iter().find(|(begun, _)| *begun == name);
        first.map(|(_, at)| *at)
    }

    /// How many faults have happened.
    pub fn struck(&self) -> usize {
        self.script().struck.len()
    }

    /// Runs until the run ends, or its process dies (`None`). A dead run is dropped.
    pub async fn until_killed<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        let mut run = pin!(run);
        poll_fn(|context| {
            let polled = run.as_mut().poll(context);
            match (self.is_dead(), polled) {
                (true, _) => Poll::Ready(None),
                (false, Poll::Ready(value)) => Poll::Ready(Some(value)),
                (false, Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }

    /// Runs until the run ends, or the call to hold waits (`None`).
    pub async fn until_held<T, F: Future<Output = T>>(&self, mut run: Pin<&mut F>) -> Option<T> {
        poll_fn(|context| match run.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if matches!(self.script().hold, Hold::Held(_)) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Starts the process again after it died. The count goes on.
    pub fn revive(&self) {
        self.script().process = Process::Alive;
    }

    /// Holds the first call of this name instead.
    pub fn holding_first(inner: C, name: &'static str) -> Self {
        let faulty = Self::new(inner);
        faulty.script().hold = Hold::AtFirst(name);
        faulty
    }

    /// Lets the held call go on.
    pub fn release(&self) {
        if let Hold::Held(waker) = std::mem::take(&mut self.script().hold) {
            waker.wake();
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_dead(&self) -> bool {
        self.script().process == Process::Dead
    }

    /// Counts the call, and says what happens to it.
    fn count(&self, name: &'static str) -> (usize, Option<Fault>) {
        let mut script = self.script();
        let k = script.calls.len();
        script.calls.push((name, Instant::now()));
        let outage = script
            .outage
            .filter(|(from, _)| k >= *from)
            .map(|(_, kind)| Fault::Refuse(kind));
        let named = script.named.as_mut().filter(|named| named.name == name);
        let named = named.and_then(|named| {
            if named.spared > 0 {
                named.spared -= 1;
                return None;
            }
            named.times = named.times.checked_sub(1)?;
            Some(named.fault)
        });
        let fault = script.faults.get(&k).copied().or(named).or(outage);
        script.struck.extend(fault.map(|fault| (k, fault)));
        (k, fault)
    }

    async fn through<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (k, fault) = self.count(name);
        self.wait_if_held(k, name).await;
        let latency = self.script().latency;
        // No sleep at all for zero, because it would let other futures run in between.
        if !latency.is_zero() {
            sleep(latency).await;
        }
        match fault {
            None => self.while_alive(call).await,
            Some(Fault::Refuse(kind)) => Err(injected(name, kind)),
            Some(Fault::LoseRequest) => Err(injected(name, ErrorKind::Indeterminate)),
            Some(Fault::LoseAnswer) => {
                let _ = self.while_alive(call).await;
                Err(injected(name, ErrorKind::Indeterminate))
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::HangAfter) => {
                let _ = self.while_alive(call).await;
                pending().await
            }
            Some(Fault::Kill) => self.die().await,
            Some(Fault::KillAfter) => {
                let _ = self.while_alive(call).await;
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.script().process = Process::Dead;
        pending().await
    }

    /// A dead process does nothing more, not even the calls it had begun beside its last one.
    async fn while_alive<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        poll_fn(|context| {
            if self.is_dead() {
                Poll::Pending
            } else {
                call.as_mut().poll(context)
            }
        })
        .await
    }

    async fn wait_if_held(&self, k: usize, name: &str) {
        let mut mine = match self.script().hold {
            Hold::At(at) => at == k,
            Hold::AtFirst(first) => first == name,
            Hold::None | Hold::Held(_) => false,
        };
        poll_fn(|context| {
            let mut script = self.script();
            match script.hold {
                Hold::At(_) | Hold::AtFirst(_) | Hold::Held(_) if mine => {
                    script.hold = Hold::Held(context.waker().clone());
                    Poll::Pending
                }
                Hold::None | Hold::At(_) | Hold::AtFirst(_) | Hold::Held(_) => {
                    mine = false;
                    Poll::Ready(())
                }
            }
        })
        .await;
    }
}

fn injected(operation: &'static str, kind: ErrorKind) -> CloudError {
    CloudError {
        code: (kind != ErrorKind::Indeterminate).then(|| format!("Injected{kind:?}")),
        ..CloudError::unanswered(operation, kind, "injected by the test")
    }
}

impl<C: Notifier> Notifier for Faulty<C> {
    async fn publish(&self, topic: &TopicArn, message: &Message) -> Result<()> {
        self.through("publish", self.inner.publish(topic, message))
            .await
    }

    async fn subscriptions(&self, topic: &TopicArn) -> Result<Subscriptions> {
        self.through("subscriptions", self.inner.subscriptions(topic))
            .await
    }
}

impl<C: Cloud> Cloud for Faulty<C> {
    fn now(&self) -> SystemTime {
        self.inner.now()
    }
}

/// Implements the port by sending every call through [`Faulty::through`].
macro_rules! through {
    ($($of:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* })*) => {
        $(impl<C: Cloud> $of for Faulty<C> {
            $(async fn $name(&self $(, $argument: $kind)*) -> Result<$answer> {
                self.through(stringify!($name), self.inner.$name($($argument),*)).await
            })*
        })*
    };
}

every_call!(through, '_);
