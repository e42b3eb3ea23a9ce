//! Brings a node up: configuration, sockets, shards, control plane, in this order; and down again.
//!
//! Everything that can be refused is refused before a shard starts: a bad configuration, an address in use, a certificate that does
//! not load, a driver that the kernel denies. What cannot be known by then (a provider that is down) shows in readiness.

use crate::{
    config::{
        diagnostic::Diagnostic,
        interpolate::Process,
        origin::Origin,
        settings::{AccessLogTo, Driver, Listen, Settings},
        snapshot::Snapshot,
    },
    control_plane::{
        self, CommandReceiver, ControlArgs,
        certificates::{CertificateFiles, Certificates},
        listeners::{self, ListenAddress, ListenSocket, Passed},
        notify::Notifier,
        outcome::ReloadOutcome,
        resolver,
    },
    data_plane::shard::{self, Arrival, ShardListener, ShardParts},
    limits::ACCESS_LOG_RECORDS_MAX,
    node::{EndOnDrop, Node, Phase},
    rt::{self, DriverChoice, MailboxSender},
    sys,
    telemetry::{
        access_log::{
            self, AccessLog,
            writer::{Destination, LogCommands, LogWriter},
        },
        operator_log,
    },
};
use std::{
    io,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Connections on their way to a shard.
const ARRIVALS_MAX: usize = 1024;
/// Time for the last access records to be written, once nothing adds to them.
const LOG_STOP: Duration = Duration::from_secs(5);
/// Stack of a shard's thread, in bytes. Exchanges live on the heap; this is for the deepest call.
const SHARD_STACK_BYTES: usize = 2 * 1024 * 1024;

/// What is known once clients can connect.
pub struct Ready {
    /// Base URL of the API on the first listener, with `/v1`; empty when only unix sockets are bound.
    pub endpoint: String,
    pub admin: Option<String>,
    pub driver: rt::Driver,
    /// Names of the models that are served.
    pub models: Vec<String>,
}

/// Runs until stopped. `on_ready` is called once, when the pools are warm or have failed once.
pub fn run(origin: Origin, commands: CommandReceiver, on_ready: impl FnOnce(Ready) + Send + 'static) -> ExitCode {
    match up(origin, commands, on_ready) {
        Ok(ended) => ExitCode::from(ended.exit_code()),
        Err(refusals) => {
            for refusal in refusals {
                eprintln!("{refusal}");
            }
            ExitCode::FAILURE
        }
    }
}

fn up(
    origin: Origin,
    commands: CommandReceiver,
    on_ready: impl FnOnce(Ready) + Send + 'static,
) -> Result<control_plane::Ended, Vec<String>> {
    sys::refuse_huge_pages();
    let mut passed = Passed::take().map_err(one)?;
    let (snapshot, settings) = origin.load(&Process, 1, None, &[]).map_err(|found| texts(&found))?;
    for warning in &settings.warnings {
        operator_log::warning(format_args!("{warning}"));
    }
    let (driver, why) = driver_choice(settings.driver).probe().map_err(one)?;
    if let Some(why) = why {
        operator_log::warning(format_args!("running on epoll: {why}"));
    }
    if let Err(error) = sys::raise_descriptor_limit() {
        operator_log::warning(format_args!("the limit on open files could not be raised: {error}"));
    }
    let shards = settings.shards.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));

    resolver::prefill(&snapshot, None);
    let models = listed_models(&snapshot);
    let node = Arc::new(Node::new(Arc::new(snapshot), shards));
    let certificates = match &settings.tls {
        None => None,
        Some(files) => {
            let files = CertificateFiles { chain: files.cert_file.clone(), key: files.key_file.clone() };
            Some(Certificates::open(files, &node).map_err(one)?)
        }
    };
    let passed_admin = passed.take_admin();
    let bound = listeners::bind(&to_bind(&settings), shards, passed).map_err(one)?;
    let mut keep = bound.socket_files;
    let (admin, admin_address) = match (passed_admin, &settings.admin) {
        (Some(listener), _) => (vec![listener], None),
        (None, None) => (Vec::new(), None),
        (None, Some(listen)) => {
            let (listener, actual, file) = listeners::bind_admin(&listen_address(listen)).map_err(one)?;
            keep.extend(file);
            (vec![listener], Some(actual))
        }
    };
    let addresses: Vec<Listen> = bound.addresses.iter().map(|listen| settings_listen(&listen.address)).collect();
    // What systemd passed counts as much as what was configured: none of it may be open to strangers without a key.
    refuse_open_listeners(&origin, &addresses)?;

    let log = match &settings.access_log {
        AccessLogTo::Off => None,
        AccessLogTo::Stdout => Some(LogWriter::start(Arc::clone(&node), Destination::Stdout)),
        AccessLogTo::File(path) => Some(LogWriter::start(Arc::clone(&node), Destination::File(path.clone()))),
    };
    let log = log.transpose().map_err(|error| one(format!("error: the access log cannot be opened: {error}")))?;

    let mut starter = ShardStarter {
        node: Arc::clone(&node),
        driver,
        epoch: Instant::now(),
        epoch_unix_us: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64,
        outboxes: (0..shards).map(|_| rt::mailbox(ARRIVALS_MAX).0).collect(),
        listeners: bound.shards,
        log: log.as_ref().map(LogWriter::commands),
    };
    for index in 0..shards {
        starter.start(index).map_err(|error| one(format!("error: shard {index} does not start: {error}")))?;
    }

    node.token_counter.prepare(&node.snapshot.load(), log.as_ref().map(LogWriter::commands).as_ref());
    announce(&node, ready(&bound.addresses, admin_address, driver, models), on_ready);
    let watchdog = sd_notify::watchdog_enabled();
    let ended = control_plane::run(ControlArgs {
        admin,
        admin_hosts: Vec::new(),
        reload: reload_from(origin, settings, addresses),
        restart_shard: Box::new(move |index| starter.start(index)),
        certificates,
        log: log.as_ref().map(LogWriter::commands),
        notifier: Notifier::from_environment().map_err(one)?,
        outcome: ReloadOutcome::from_environment(),
        watchdog,
        handle_signals: true,
        commands,
        node: Arc::clone(&node),
    })
    .map_err(one)?;
    // Before the log, which gets what was counted.
    if !node.token_counter.stop(LOG_STOP) {
        operator_log::warning(format_args!("the last tokens could not be counted in time"));
    }
    if log.is_some_and(|log| !log.stop(LOG_STOP)) {
        operator_log::warning(format_args!("the last access records could not be written in time"));
    }
    drop(keep);
    Ok(ended)
}

/// Starts shards, at first and again when one has died.
struct ShardStarter {
    node: Arc<Node>,
    driver: rt::Driver,
    epoch: Instant,
    epoch_unix_us: u64,
    outboxes: Vec<MailboxSender<Arrival>>,
    listeners: Vec<listeners::ShardListeners>,
    log: Option<LogCommands>,
}

impl ShardStarter {
    fn start(&mut self, index: usize) -> io::Result<()> {
        let access_log = match &self.log {
            None => AccessLog::off(),
            Some(log) => {
                let (producer, reader) = access_log::ring(ACCESS_LOG_RECORDS_MAX);
                log.attach(reader);
                producer
            }
        };
        let listeners = self.listeners[index]
            .iter()
            .map(|listener| {
                let socket = match &listener.socket {
                    ListenSocket::Tcp(socket) => rt::Listener::Tcp(socket.try_clone()?),
                    ListenSocket::Unix(socket) => rt::Listener::Unix(socket.try_clone()?),
                };
                Ok(ShardListener { listener: socket, tls: listener.tls })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let parts = ShardParts {
            index,
            node: Arc::clone(&self.node),
            driver: self.driver,
            cpu: sys::cpu_for_shard(index),
            epoch: self.epoch,
            epoch_unix_us: self.epoch_unix_us,
            listeners,
            access_log,
            inbox: self.outboxes[index].receiver(),
            outboxes: self.outboxes.clone(),
        };
        let state = Arc::clone(&self.node.shards[index]);
        thread::Builder::new().name(format!("shard-{index}")).stack_size(SHARD_STACK_BYTES).spawn(move || {
            let _ended = EndOnDrop(state);
            if let Err(error) = shard::run(parts) {
                operator_log::error(format_args!("shard {index} ended: {error}"));
            }
        })?;
        Ok(())
    }
}

/// Tells `on_ready` from a thread of its own, which looks at the phase until it has moved on.
fn announce(node: &Arc<Node>, ready: Ready, on_ready: impl FnOnce(Ready) + Send + 'static) {
    let node = Arc::clone(node);
    let waiting = thread::Builder::new().name("ringway-ready".into()).spawn(move || {
        while node.phase() == Phase::Starting {
            thread::sleep(Duration::from_millis(5));
        }
        if node.phase() == Phase::Serving {
            on_ready(ready);
        }
    });
    if let Err(error) = waiting {
        operator_log::warning(format_args!("readiness cannot be announced: {error}"));
    }
}

fn ready(bound: &[listeners::Listen], admin: Option<ListenAddress>, driver: rt::Driver, models: Vec<String>) -> Ready {
    let url = |address: &ListenAddress, tls: bool| match address {
        ListenAddress::Tcp(address) => Some(format!("{}://{address}", if tls { "https" } else { "http" })),
        ListenAddress::Unix(_) => None,
    };
    let first = bound.iter().find_map(|listen| url(&listen.address, listen.tls));
    Ready {
        endpoint: first.map_or(String::new(), |origin| format!("{origin}/v1")),
        admin: admin.and_then(|address| url(&address, false)),
        driver,
        models,
    }
}

/// What a reload does: loads from the same place, says which changes wait for a restart.
fn reload_from(origin: Origin, running: Settings, bound: Vec<Listen>) -> control_plane::ReloadFn {
    Box::new(move |previous, generation| {
        let (snapshot, settings) =
            origin.load(&Process, generation, previous, &bound).map_err(|found| texts(&found).join("\n"))?;
        for warning in &settings.warnings {
            operator_log::warning(format_args!("{warning}"));
        }
        let waiting = running.restart_needed(&settings);
        if !waiting.is_empty() {
            operator_log::warning(format_args!("changes of {} take effect at the next start", waiting.join(", ")));
        }
        Ok(snapshot)
    })
}

fn refuse_open_listeners(origin: &Origin, bound: &[Listen]) -> Result<(), Vec<String>> {
    origin.load(&Process, 1, None, bound).map(drop).map_err(|found| texts(&found))
}

fn to_bind(settings: &Settings) -> Vec<listeners::Listen> {
    let listen = |listen: &Listen| listeners::Listen {
        address: listen_address(listen),
        tls: settings.tls.is_some() && matches!(listen, Listen::Tcp(_)),
    };
    settings.listen.iter().map(listen).collect()
}

fn listen_address(listen: &Listen) -> ListenAddress {
    match listen {
        Listen::Tcp(address) => ListenAddress::Tcp(*address),
        Listen::Unix(path) => ListenAddress::Unix(path.clone()),
    }
}

fn settings_listen(address: &ListenAddress) -> Listen {
    match address {
        ListenAddress::Tcp(address) => Listen::Tcp(*address),
        ListenAddress::Unix(path) => Listen::Unix(path.clone()),
    }
}

fn listed_models(snapshot: &Snapshot) -> Vec<String> {
    let groups = snapshot.groups.values().chain(snapshot.prefixes.iter().map(|(_, group)| group));
    let mut names: Vec<String> = groups.flat_map(|group| &group.listed).map(|name| name.to_string()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn driver_choice(driver: Driver) -> DriverChoice {
    match driver {
        Driver::Auto => DriverChoice::Auto,
        Driver::IoUring => DriverChoice::IoUring,
        Driver::Epoll => DriverChoice::Epoll,
    }
}

fn one(error: impl ToString) -> Vec<String> {
    let text = error.to_string();
    vec![if text.starts_with("error") { text } else { format!("error: {text}") }]
}

fn texts(found: &[Diagnostic]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}
