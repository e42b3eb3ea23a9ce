//! `ringway serve`: the gateway itself.

use super::ServeArgs;
use crate::{config::origin::Origin, control_plane, process, rt::Driver};
use std::process::ExitCode;

pub fn run(args: ServeArgs) -> ExitCode {
    let origin = match Origin::settle(args.config.as_deref(), args.overrides()) {
        Ok(origin) => origin,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // Shown to the person at the terminal, once; it is in no log.
    let key = origin.generated_key().map(str::to_owned);
    let (_commands, receiver) = control_plane::commands();
    process::run(origin, receiver, move |ready| {
        let driver = match ready.driver {
            Driver::IoUring => "io_uring",
            Driver::Epoll => "epoll",
        };
        eprintln!(
            "ringway serves {} on {driver}",
            if ready.endpoint.is_empty() { "unix sockets" } else { &ready.endpoint }
        );
        if let Some(key) = key {
            eprintln!("key: {key}");
            eprintln!("(made for this start; without a configuration file only this machine is served)");
        }
    })
}
