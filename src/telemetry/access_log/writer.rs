//! The thread `ringway-log`: takes records out of every shard's ring and writes their lines.
//!
//! It looks at the rings every 2 to 100 ms, so often that it finds some hundred records: few enough to be in the cache still, so many
//! that it seldom takes a core from a shard. It writes what it found in pieces of up to 64 KiB, and leaves nothing in its buffer when it
//! sleeps. Polling rather than waking: a wake costs the shard a system call per exchange, ten looks a second cost an idle process
//! nothing that can be measured.
//!
//! A destination that blocks (a full pipe) blocks this thread alone; the rings fill and shards count what they drop. A
//! destination that fails (a full disk) loses the lines at hand, which are counted; a line that was cut is ended by a line
//! break before the next one. The file is opened anew on `reopen`, for logrotate; if that fails the old one stays.

// Runs on the log thread.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use super::{
    AccessLogReader,
    line::{LineFormat, Lines},
};
use crate::{
    config::snapshot::Snapshot,
    limits::ACCESS_LOG_GENERATIONS_MAX,
    node::Node,
    telemetry::{cells::ProcessCell, operator_log},
};
use crossbeam_queue::ArrayQueue;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Records are read and forgotten.
    Nothing,
    Stdout,
    /// Appended to; made with mode 0640 if it is missing.
    File(PathBuf),
}

/// The running writer. Dropping it without `stop` leaves the thread running.
#[derive(Debug)]
pub struct LogWriter {
    commands: LogCommands,
    /// Closes when the thread ends.
    ended: mpsc::Receiver<()>,
}

/// What others may ask of the writer. Asking after it stopped does nothing.
#[derive(Debug, Clone)]
pub struct LogCommands {
    sender: mpsc::Sender<Command>,
    /// Snapshots whose names the writer will need. Not commands, because it may need one before it has done what was asked earlier.
    snapshots: Arc<ArrayQueue<Arc<Snapshot>>>,
}

#[derive(Debug)]
enum Command {
    Attach(AccessLogReader),
    Reopen,
    Stop,
}

impl LogWriter {
    /// Opens the destination and starts the thread.
    ///
    /// # Errors
    /// The destination cannot be opened, or the thread cannot be started.
    pub fn start(node: Arc<Node>, destination: Destination) -> io::Result<LogWriter> {
        let mut writer = Writer::open(node, destination)?;
        let snapshots = Arc::clone(&writer.snapshots);
        let (sender, commands) = mpsc::channel();
        let (ending, ended) = mpsc::channel();
        thread::Builder::new().name("ringway-log".into()).spawn(move || {
            writer.run(&commands);
            drop::<mpsc::Sender<()>>(ending);
        })?;
        Ok(LogWriter { commands: LogCommands { sender, snapshots }, ended })
    }

    pub fn commands(&self) -> LogCommands {
        self.commands.clone()
    }

    /// Writes what waits in the rings and ends the thread. Returns false if that took longer than `wait`, which a destination
    /// that blocks can cause; the thread is then left alone.
    pub fn stop(self, wait: Duration) -> bool {
        let _ = self.commands.sender.send(Command::Stop);
        self.ended.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
    }
}

impl LogCommands {
    /// Adds the ring of a shard.
    pub fn attach(&self, reader: AccessLogReader) {
        let _ = self.sender.send(Command::Attach(reader));
    }

    /// Makes the names of a snapshot known. Call it before the snapshot is published: one that is replaced at once may have been in force
    /// for an exchange all the same.
    pub fn learn(&self, snapshot: Arc<Snapshot>) {
        self.snapshots.force_push(snapshot);
    }

    /// Opens the file anew, after writing what came before.
    pub fn reopen(&self) {
        let _ = self.sender.send(Command::Reopen);
    }
}

/// Shortest and longest sleep between two looks at the rings. In the longest one a shard's ring takes 160,000 exchanges a second.
const SLEEP_MIN: Duration = Duration::from_millis(2);
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Records that one look should find.
const RECORDS_WANTED: u32 = 256;

/// Lines are written when this many bytes have gathered.
const PIECE_BYTES: usize = 64 * 1024;

/// Records that are looked at before their places in the ring are free again. Never all that wait: while a destination takes its
/// time, the ring would stay full.
const TAKE_RECORDS: usize = 32;

struct Writer {
    node: Arc<Node>,
    destination: Destination,
    readers: Vec<AccessLogReader>,
    snapshots: Arc<ArrayQueue<Arc<Snapshot>>>,
    format: LineFormat,
    lines: Lines,
    output: Output,
}

impl Writer {
    fn open(node: Arc<Node>, destination: Destination) -> io::Result<Writer> {
        let output = Output::new(open(&destination)?);
        let snapshots = Arc::new(ArrayQueue::new(ACCESS_LOG_GENERATIONS_MAX));
        snapshots.force_push(node.snapshot.load_full());
        Ok(Writer {
            node,
            destination,
            readers: Vec::new(),
            snapshots,
            format: LineFormat::default(),
            lines: Lines::default(),
            output,
        })
    }

    fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        let mut sleep = SLEEP_MIN;
        loop {
            match commands.recv_timeout(sleep) {
                Ok(Command::Attach(reader)) => self.readers.push(reader),
                Ok(Command::Reopen) => {
                    self.drain();
                    self.reopen();
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.drain();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => sleep = next_sleep(sleep, self.drain()),
            }
        }
    }

    /// Writes what waits now, and returns how many records that was.
    fn drain(&mut self) -> usize {
        let mut records = 0;
        // Not only when a record asks for it: a snapshot that is not in force any more should not wait here for its end.
        learn(&mut self.format, &self.snapshots);
        for place in 0..self.readers.len() {
            // Bounded by what waited at the start, so that one busy shard does not keep the others waiting.
            let mut left = self.readers[place].waiting();
            records += left;
            while left > 0 {
                let most = left.min(TAKE_RECORDS);
                left -= most;
                self.take(place, most);
                if self.lines.as_bytes().len() >= PIECE_BYTES {
                    self.flush();
                }
            }
        }
        self.flush();
        self.readers.retain(|reader| !reader.is_finished());
        records
    }

    /// Makes lines of the oldest records of one ring.
    fn take(&mut self, place: usize, most: usize) {
        let Writer { destination, readers, snapshots, format, lines, .. } = self;
        if *destination == Destination::Nothing {
            return readers[place].take(most, |_| {});
        }
        readers[place].take(most, |record| {
            if !format.knows(record.generation) {
                learn(format, snapshots);
            }
            format.write(lines, record);
        });
    }

    fn flush(&mut self) {
        if self.lines.count() == 0 {
            return;
        }
        let fate = self.output.write(self.lines.as_bytes(), self.lines.count());
        self.node.process.add(ProcessCell::AccessLogLines, fate.written);
        self.node.process.add(ProcessCell::AccessLogLinesLost, fate.lost);
        self.lines.clear();
    }

    fn reopen(&mut self) {
        if !matches!(self.destination, Destination::File(_)) {
            return;
        }
        match open(&self.destination) {
            Ok(sink) => self.output = Output::new(sink),
            Err(error) => {
                operator_log::error(format_args!("access log: {error}; writing to the file that is open already"));
            }
        }
    }
}

/// Learns what has arrived.
fn learn(format: &mut LineFormat, snapshots: &ArrayQueue<Arc<Snapshot>>) {
    while let Some(snapshot) = snapshots.pop() {
        format.learn(&snapshot);
    }
}

/// How long to sleep after a look that found `records` in `slept`.
fn next_sleep(slept: Duration, records: usize) -> Duration {
    let records = u32::try_from(records).unwrap_or(u32::MAX).max(1);
    // At most doubled, so that one quiet moment does not hide the next burst.
    (slept * RECORDS_WANTED / records).min(slept * 2).clamp(SLEEP_MIN, SLEEP_MAX)
}

/// An open destination, and what became of the last write to it.
struct Output {
    sink: Box<dyn Write + Send>,
    /// The last byte that arrived was inside a line.
    torn: bool,
    failing: bool,
}

/// What became of lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fate {
    written: u64,
    lost: u64,
}

impl Output {
    fn new(sink: Box<dyn Write + Send>) -> Output {
        Output { sink, torn: false, failing: false }
    }

    /// Writes `count` whole lines, and says how many arrived whole.
    fn write(&mut self, lines: &[u8], count: u64) -> Fate {
        let mut rest = lines;
        let mut outcome = if self.torn { self.sink.write_all(b"\n") } else { Ok(()) };
        if outcome.is_ok() {
            self.torn = false;
        }
        while outcome.is_ok() && !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => outcome = Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
        }
        let arrived = &lines[..lines.len() - rest.len()];
        if !arrived.is_empty() {
            self.torn = arrived.last() != Some(&b'\n');
        }
        match (&outcome, self.failing) {
            (Err(error), false) => operator_log::error(format_args!(
                "access log: {error}; lines are lost until it can be written again (ringway_access_log_lines_lost_total)"
            )),
            (Ok(()), true) => operator_log::info(format_args!("access log: written again")),
            _ => {}
        }
        self.failing = outcome.is_err();
        let written = if rest.is_empty() { count } else { memchr::memchr_iter(b'\n', arrived).count() as u64 };
        Fate { written, lost: count - written }
    }
}

fn open(destination: &Destination) -> io::Result<Box<dyn Write + Send>> {
    match destination {
        Destination::Nothing => Ok(Box::new(io::sink())),
        // A descriptor of its own: `Stdout` would search each piece for its last line break, and take a lock.
        Destination::Stdout => Ok(Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?))),
        Destination::File(path) => Ok(Box::new(open_file(path)?)),
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display())))
}

#[cfg(test)]
mod tests;
