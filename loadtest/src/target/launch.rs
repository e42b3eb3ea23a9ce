//! Puts a process on its CPUs, and ends it.
//!
//! The program starts a copy of itself that pins itself, raises its priority, and then becomes the target (`become_target`): a
//! process that is pinned from outside has started threads elsewhere by then. The child is the leader of a session of its own, and is asked
//! to end with the thread that started it.
//!
//! What ends is the whole session: workers outlive a leader that crashed or was killed. All are asked (TERM); whoever is still there after
//! `END_LIMIT` is killed. The leader is not waited for until then, so that its number cannot have become somebody else's.
//!
//! Its standard error goes to a file in a folder of its own, which is removed with it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, set_parent_process_death_signal, setsid,
    waitid,
};

use crate::measure::{machine, process};
use crate::stop;

/// How long a target may take to say that it is ready: interpreters that load a large library take their time.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// How long, and how many bytes of it, one look at whether a target is ready waits for an answer's first line.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1024;

/// How long it may take to end before it is killed.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What starts targets.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// This program, which has the subcommand `launch`.
    pub program: PathBuf,
    pub cpus: Vec<usize>,
}

/// A running target.
pub struct Child {
    process: std::process::Child,
    folder: Folder,
    /// Files in the folder that it writes a line to for each request.
    pub logs: Vec<String>,
}

impl Launcher {
    /// Starts a program with arguments and environment. Its files, and what it says, are in `folder`.
    pub fn start(&self, command: &[OsString], environment: &[(String, String)], folder: Folder) -> io::Result<Child> {
        let log = File::create(folder.log())?;
        let mut launch = Command::new(&self.program);
        launch.args(["launch", "--cpus", &machine::cpu_list(&self.cpus), "--"]).args(command);
        launch.envs(environment.iter().map(|(name, value)| (name, value)));
        launch.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(&folder.path);
        let mut sessions = sessions();
        let process = launch.spawn()?;
        sessions.push(process.id());
        Ok(Child { process, folder, logs: Vec::new() })
    }
}

/// Never returns but with the reason why the program could not be started.
pub fn become_target(cpus: &[usize], command: &[OsString]) -> io::Error {
    let parent = rustix::process::getppid();
    // The leader of its group already: then it has its session.
    let _ = setsid();
    // Not KILL: a leader that is asked takes its workers with it.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    if rustix::process::getppid() != parent {
        return io::Error::other("whoever started this has ended");
    }
    if let Err(error) = machine::stay_on(cpus) {
        return error;
    }
    // Refused: the report says so of this program's own priority.
    let _ = machine::raise_priority();
    crate::load::raise_open_files();
    match command.split_first() {
        Some((program, arguments)) => Command::new(program).args(arguments).exec(),
        None => io::Error::new(io::ErrorKind::InvalidInput, "no program to start"),
    }
}

impl Child {
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Option<String> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid(self.pid())?), options).ok().flatten()?;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => format!("exit status {status}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        })
    }

    /// Waits until `found` finds something in what the program has written.
    pub fn await_output<T>(&mut self, limit: Duration, found: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        self.await_that(limit, |output| found(output))
    }

    /// Waits until the port answers a connection.
    pub fn await_port(&mut self, limit: Duration, port: u16) -> io::Result<()> {
        self.await_that(limit, |_| TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
    }

    /// Waits until a GET of `url`, which is served on the port, is answered with 200.
    pub fn await_answer(&mut self, limit: Duration, port: u16, url: &str) -> io::Result<()> {
        let path = url.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        self.await_that(limit, |_| answers(port, &path).ok().flatten())
    }

    fn await_that<T>(&mut self, limit: Duration, found: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        let until = Instant::now() + limit;
        loop {
            stop::check()?;
            let ended = self.ended();
            let output = String::from_utf8_lossy(&fs::read(self.folder.log())?).into_owned();
            if let Some(found) = found(&output) {
                return Ok(found);
            }
            let tail = tail(&output);
            if let Some(status) = ended {
                return Err(io::Error::other(format!("did not start ({status}): {tail}")));
            }
            if Instant::now() >= until {
                return Err(io::Error::other(format!("was not ready after {} s: {tail}", limit.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Empties the logs that it writes: millions of lines would fill the disk.
    pub fn forget_logs(&self) -> io::Result<()> {
        for name in &self.logs {
            match File::options().write(true).open(self.folder.path.join(name)) {
                Ok(file) => file.set_len(0)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Something, if a GET of the path is answered with 200.
fn answers(port: u16, path: &str) -> io::Result<Option<()>> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(ANSWER_LIMIT))?;
    write!(socket, "GET /{path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(socket.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(line.split(' ').nth(1).filter(|status| *status == "200").map(|_| ()))
}

/// The end of what a program said, on one line.
fn tail(output: &str) -> String {
    const CHARS: usize = 400;
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.join(" | ");
    let skip = text.chars().count().saturating_sub(CHARS);
    text.chars().skip(skip).collect()
}

impl Drop for Child {
    fn drop(&mut self) {
        let leader = self.pid();
        for asked in [Signal::TERM, Signal::KILL] {
            let until = Instant::now() + END_LIMIT;
            signal(leader, asked);
            while Instant::now() < until && !process::session(leader).is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        sessions().retain(|other| *other != leader);
        // It has ended, or was killed.
        let _ = self.process.wait();
    }
}

/// Leaders of the sessions that run now.
static SESSIONS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn sessions() -> MutexGuard<'static, Vec<u32>> {
    // A list of numbers is whole whoever panicked.
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills whatever was started here and removes the folders. For the last moment of this process: what it leaves has no owner.
pub fn end_all_at_once() {
    sessions().iter().for_each(|leader| signal(*leader, Signal::KILL));
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&folder_prefix()) {
            // The system clears away what cannot be removed.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// To all of a session. Whoever has ended meanwhile did what was wanted.
fn signal(leader: u32, signal: Signal) {
    // At once to those that may be starting others. Just started, the leader is in nobody's group but ours.
    if let Some(leader) = pid(leader) {
        let _ = kill_process_group(leader, signal).or_else(|_| kill_process(leader, signal));
    }
    if signal == Signal::KILL {
        // Those in groups of their own.
        for member in process::session(leader).into_iter().filter_map(pid) {
            let _ = kill_process(member, signal);
        }
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// A folder that nobody else can read, removed when dropped.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub fn new() -> io::Result<Folder> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| remove_orphans(&std::env::temp_dir()));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{}{number}", folder_prefix()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder { path })
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("output.log")
    }

    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        File::create(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }
}

const FOLDER_NAME: &str = "ringway-loadtest-";

fn folder_prefix() -> String {
    format!("{FOLDER_NAME}{}-", std::process::id())
}

/// Removes the folders of runs that were killed before they could. Others' are not ours to remove, and stay.
fn remove_orphans(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|name| name.strip_prefix(FOLDER_NAME)?.split_once('-'));
        let Some((Ok(owner), Ok(_))) = numbers.map(|(pid, nth)| (pid.parse::<u32>(), nth.parse::<u64>())) else {
            continue;
        };
        if !Path::new("/proc").join(owner.to_string()).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays in the temporary folder is small, and the system's to clear away.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::{folder_prefix, remove_orphans};
    use std::fs::create_dir;

    #[test]
    fn folders_of_runs_that_are_gone_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        // No process has a number beyond the kernel's largest.
        let gone = "ringway-loadtest-4194305-0";
        let stay =
            [format!("{}3", folder_prefix()), "ringway-loadtest-report".into(), "ringway-loadtest-4194305-x".into()];
        create_dir(folder.path().join(gone)).expect("made");
        stay.iter().for_each(|name| create_dir(folder.path().join(name)).expect("made"));
        remove_orphans(folder.path());
        assert!(!folder.path().join(gone).exists());
        assert!(stay.iter().all(|name| folder.path().join(name).is_dir()));
    }
}
