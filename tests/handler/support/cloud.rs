//! A cloud that does the same at every call.

use std::cell::Cell;
use std::future::pending;
use std::time::SystemTime;

use kit::calls::types::*;
use kit::every_call;

/// What every call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Panics with a message that nobody may see.
    Panics,
    /// Never ends.
    Hangs,
    /// Is refused for good.
    Refuses,
}

/// The message of the panic, which must never be seen anywhere.
pub(crate) const PANIC_MESSAGE: &str = "canary of the panic message";

/// The cloud, counting its calls.
pub(crate) struct Fake {
    manner: Manner,
    calls: Cell<usize>,
}

impl Fake {
    pub(crate) fn new(manner: Manner) -> Self {
        Self {
            manner,
            calls: Cell::new(0),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    async fn reached<T>(&self, operation: &'static str) -> Result<T> {
        self.calls.set(self.calls.get() + 1);
        match self.manner {
            Manner::Panics => panic!("{PANIC_MESSAGE}"),
            Manner::Hangs => pending().await,
            Manner::Refuses => Err(CloudError {
                code: Some("MalformedInput".into()),
                request_id: Some("aws-request-id".into()),
                ..CloudError::unanswered(operation, ErrorKind::Rejected, "AWS's own words")
            }),
        }
    }
}

impl Cloud for Fake {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Implements the port: each call is the same one.
macro_rules! alike {
    ($($of:ident { $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* })*) => {
        $(impl $of for Fake {
            $(async fn $name(&self $(, _: $kind)*) -> Result<$answer> {
                self.reached(stringify!($name)).await
            })*
        })*
    };
}

every_call!(alike, '_);
