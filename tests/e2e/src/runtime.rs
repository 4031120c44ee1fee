//! A function under AWS's own runtime interface emulator, which comes with SAM. It has Lambda's runtime API, one
//! process for all events in turn, and a deadline.

use std::{
    env::consts::ARCH,
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

use crate::{
    account::Account,
    process::{Invocation, end_group},
    stack::FUNCTION,
    workplace::Workplace,
};

/// The emulator names every function in this region, and in the account that the emulated AWS has.
pub(crate) const REGION: &str = "us-east-1";

const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// A little more than the longest time that a test here gives a function.
const INVOCATION_LIMIT: Duration = Duration::from_secs(130);

/// A function that waits for events; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Runtime {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Runtime {
    /// Starts the program of `function`, with `seconds` for each event and further environment variables.
    ///
    /// # Errors
    /// If it does not listen within [`START_LIMIT`].
    pub(crate) fn start(
        workplace: &Workplace,
        account: &Account,
        function: &str,
        seconds: u32,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let handler = match function {
            FUNCTION => "custom-resource",
            _ => "maintenance",
        };
        let (address, api) = (free_address()?, free_address()?);
        let log = workplace
            .logs()
            .join(format!("runtime-{function}-{seconds}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let invocation = Invocation::new(emulator(workplace)?)
            .args(["--runtime-interface-emulator-address", &address])
            .args(["--runtime-api-address", &api])
            .arg(workplace.program())
            .arg(handler)
            .in_folder(workplace.scratch())
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", seconds.to_string());
        let own = account
            .exports()
            .chain([("USER_NAME_PREFIX".to_owned(), "publisher-".to_owned())]);
        let invocation = own.fold(invocation, |it, (name, value)| it.env(name, value));
        let further = variables.iter();
        let invocation = further.fold(invocation, |it, (name, value)| it.env(name, value));
        let mut command = invocation.command();
        command.stdout(output.try_clone()?).stderr(output);
        let runtime = Self {
            child: command
                .spawn()
                .context("cannot start the runtime emulator")?,
            address,
            log,
        };
        let start = Instant::now();
        while TcpStream::connect(&runtime.address).is_err() {
            if start.elapsed() > START_LIMIT {
                bail!("nothing listens: {}", runtime.log.display());
            }
            thread::sleep(POLL);
        }
        Ok(runtime)
    }

    /// What Lambda's caller gets for an event.
    ///
    /// # Errors
    /// If nothing comes back.
    pub(crate) fn invoke(&self, event: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(INVOCATION_LIMIT))?;
        write!(
            stream,
            "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{event}",
            self.address,
            event.len()
        )?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        let (head, body) = response.split_once("\r\n\r\n").context("no response")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        Ok(body.to_owned())
    }

    /// How many processes of the function were started.
    pub(crate) fn starts(&self) -> anyhow::Result<usize> {
        let log = fs::read_to_string(&self.log)?;
        Ok(log.matches("INIT REPORT(").count())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        end_group(&mut self.child);
    }
}

/// SAM's package holds it for both processors.
fn emulator(workplace: &Workplace) -> anyhow::Result<PathBuf> {
    let processor = if ARCH == "aarch64" { "arm64" } else { ARCH };
    let packages = workplace.tools().join("../lib");
    for version in fs::read_dir(packages)? {
        let rapid = version?.path().join("site-packages/samcli/local/rapid");
        let emulator = rapid.join(format!("aws-lambda-rie-{processor}"));
        if emulator.exists() {
            return Ok(emulator);
        }
    }
    bail!("SAM's package has no runtime emulator for {processor}")
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
