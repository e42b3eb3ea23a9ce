//! The cold path: one ordinary thread for everything that may block or wait.
//!
//! It takes the process through its life (see `life.rs` for the states): tells the service manager when it is ready, loads
//! the configuration again when asked, drains when told to stop, starts shards again that have died, and meanwhile keeps
//! upstream addresses, the clouds' credentials and the downstream certificate fresh and answers the admin listener.
//!
//! Shards never wait for this thread. What they need from it is published in `Node`; what it knows of them are their
//! cells and flags. It must not reach into the data plane: how a shard is started, and how configuration is read, are
//! closures that the caller gives it.

pub mod admin;
pub mod certificates;
pub mod credentials;
pub mod health;
pub mod life;
pub mod listeners;
pub mod notify;
pub mod outcome;
pub mod resolver;

pub use life::{Ended, ReloadFn, RestartFn};

use crate::{
    config::snapshot::Snapshot,
    limits::{COMMANDS_MAX, LOOKUPS_MAX},
    node::Node,
    telemetry::{access_log::writer::LogCommands, operator_log},
};
use admin::{Admin, AdminListener};
use certificates::Certificates;
use credentials::{CloudFetch, Credentials};
use health::Health;
use life::{Life, Parts};
use notify::Notifier;
use outcome::ReloadOutcome;
use resolver::{Resolver, SystemLookup};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Release},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, mpsc},
};

/// What the control thread needs.
pub struct ControlArgs {
    pub node: Arc<Node>,
    /// Bound admin listeners; none is allowed.
    pub admin: Vec<AdminListener>,
    /// Host names that the admin listener accepts besides loopback names.
    pub admin_hosts: Vec<Box<str>>,
    pub reload: ReloadFn,
    pub restart_shard: RestartFn,
    /// Opened (and so published) by the caller, who wants to refuse to start without a certificate.
    pub certificates: Option<Certificates>,
    /// The log writer, whose file is opened anew at each reload. The caller stops it after `run`.
    pub log: Option<LogCommands>,
    pub notifier: Notifier,
    /// Where the outcome of each reload is written.
    pub outcome: ReloadOutcome,
    /// How long the service manager waits for a sign of life (`sd_notify::watchdog_enabled`).
    pub watchdog: Option<Duration>,
    /// SIGTERM and SIGINT stop, SIGHUP reloads. Off where the process belongs to someone else, as in tests.
    pub handle_signals: bool,
    /// The same by message, from other threads.
    pub commands: CommandReceiver,
}

/// What the control thread can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Drain; a second time: cut what still runs.
    Stop,
    Reload,
}

pub type CommandSender = mpsc::Sender<Command>;
pub type CommandReceiver = mpsc::Receiver<Command>;

/// A way to ask the control thread. Dropping the sender asks for nothing.
pub fn commands() -> (CommandSender, CommandReceiver) {
    mpsc::channel(COMMANDS_MAX)
}

/// Time between two looks at the shards.
const TURN: Duration = Duration::from_millis(100);

/// Runs until the shards have ended. Call it after the listeners are bound and the shards started.
///
/// # Errors
/// The runtime, the signal handlers or an admin listener could not be set up; nothing else ends it early.
pub fn run(args: ControlArgs) -> io::Result<Ended> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(LOOKUPS_MAX).build()?;
    let ended = runtime.block_on(control(args));
    // A lookup that hangs must not keep the process alive.
    runtime.shutdown_background();
    ended
}

async fn control(args: ControlArgs) -> io::Result<Ended> {
    let ControlArgs { node, admin, admin_hosts, handle_signals, mut commands, .. } = args;
    let now = Instant::now();
    let mut signals = if handle_signals { Some(Signals::new()?) } else { None };
    let health = Arc::new(Health::new(Arc::clone(&node), now));
    let (addresses_wanted, credentials_wanted) = (Arc::new(Notify::new()), Arc::new(Notify::new()));

    let facts = Arc::new(Admin {
        node: Arc::clone(&node),
        health: Arc::clone(&health),
        started_at_s: unix_s(),
        allowed_hosts: admin_hosts,
    });
    for listener in admin {
        let facts = Arc::clone(&facts);
        tokio::spawn(async move {
            if let Err(error) = admin::serve(facts, listener).await {
                operator_log::error(format_args!("the admin listener does not work: {error}"));
            }
        });
    }
    let lookup = SystemLookup::default();
    tokio::spawn(Resolver::new(Arc::clone(&node), lookup.clone()).run(Arc::clone(&addresses_wanted)));
    let fetch = Arc::new(CloudFetch::new(lookup.clone()));
    tokio::spawn(Credentials::new(Arc::clone(&node), Arc::clone(&fetch)).run(Arc::clone(&credentials_wanted)));
    let look_up = Box::new(move |snapshot: Arc<Snapshot>| {
        let (lookup, fetch, done) = (lookup.clone(), Arc::clone(&fetch), Arc::new(AtomicBool::new(false)));
        let looked_up = Arc::clone(&done);
        tokio::spawn(async move {
            let addresses = resolver::first_addresses(&snapshot, &lookup);
            tokio::join!(addresses, credentials::first_credentials(&snapshot, &*fetch));
            done.store(true, Release);
        });
        looked_up
    });

    let parts = Parts {
        node,
        health,
        reload: args.reload,
        look_up,
        restart_shard: args.restart_shard,
        certificates: args.certificates,
        log: args.log,
        notifier: args.notifier,
        outcome: args.outcome,
        watchdog: args.watchdog,
        reloaded: vec![addresses_wanted, credentials_wanted],
    };
    let mut life = Life::new(parts, now);
    let mut turn = tokio::time::interval(TURN);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            _ = turn.tick() => None,
            command = next_signal(&mut signals) => Some(command),
            Some(command) = commands.recv() => Some(command),
        };
        match command {
            Some(Command::Stop) => life.stop(Instant::now()),
            Some(Command::Reload) => life.reload(Instant::now()),
            None => {}
        }
        if let Some(ended) = life.turn(Instant::now()) {
            return Ok(ended);
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn next_signal(signals: &mut Option<Signals>) -> Command {
    let Some(signals) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = signals.terminate.recv() => Command::Stop,
        _ = signals.interrupt.recv() => Command::Stop,
        _ = signals.hangup.recv() => Command::Reload,
    }
}

/// Seconds since 1970 by the system's clock; 0 before that.
fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
