//! Ending a process group: `sam` and the emulator start children of their own.

use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a group may take to end in its own way.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Ends the group that `child` leads: SIGTERM first, SIGKILL for what remains.
pub(crate) fn end_group(child: &mut Child) {
    end_group_within(child, GRACE);
}

fn end_group_within(child: &mut Child, grace: Duration) {
    let group = Pid::from_child(child);
    let deadline = Instant::now() + grace;
    // A group that is gone already is what we want.
    let _gone = kill_process_group(group, Signal::TERM);
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(POLL);
    }
    let _gone = kill_process_group(group, Signal::KILL);
    let _reaped = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Invocation;

    #[test]
    fn ending_a_group_ends_grandchildren_that_ignore_sigterm() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let script = "trap '' TERM; sh -c 'echo $$ > pid; sleep 60' & while ! test -s pid; do sleep 0.05; done; wait";
        let stubborn = Invocation::new("sh").args(["-c", script]);
        let mut child = stubborn.in_folder(folder.path()).command().spawn()?;
        let file = folder.path().join("pid");
        while std::fs::read_to_string(&file)
            .unwrap_or_default()
            .is_empty()
        {
            thread::sleep(POLL);
        }
        end_group_within(&mut child, 10 * POLL);
        let grandchild = std::fs::read_to_string(&file)?;
        let state = Invocation::new("ps").args(["-o", "stat=", "-p", grandchild.trim()]);
        let state = state.run()?.stdout;
        // Gone, or a zombie that nobody has reaped yet.
        assert!(state.is_empty() || state.starts_with('Z'), "{state}");
        Ok(())
    }
}
