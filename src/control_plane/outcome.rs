//! What became of the last reload, in a file, for whoever asked by a signal and wants to know.
//!
//! Three lines: how many reloads were asked for since the start, `ok` or `failed`, and a sentence. The file is replaced
//! in one step, so a reader never sees half of it; whoever waits, waits for the number to change. The service's
//! ExecReload does (`systemd/reload.sh`): that is how `systemctl reload` fails on a bad configuration.
//!
//! Why not check the file before the signal instead: systemd 252 hides the service's credentials from everything it runs
//! beside the main process, so only that process can tell whether `${credential:}` resolves.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Where outcomes are written; nowhere if there is no place for them.
#[derive(Debug, Default)]
pub struct ReloadOutcome {
    path: Option<PathBuf>,
    asked: u64,
}

impl ReloadOutcome {
    /// Tells nobody.
    pub fn none() -> ReloadOutcome {
        ReloadOutcome::default()
    }

    /// `reload` in the directory that systemd made (RuntimeDirectory=), if it made one.
    pub fn from_environment() -> ReloadOutcome {
        // Several directories are separated by colons; the first is ours.
        let directories = env::var("RUNTIME_DIRECTORY").unwrap_or_default();
        match directories.split(':').next().filter(|first| !first.is_empty()) {
            Some(directory) => ReloadOutcome::at(Path::new(directory).join("reload")),
            None => ReloadOutcome::none(),
        }
    }

    pub fn at(path: PathBuf) -> ReloadOutcome {
        ReloadOutcome { path: Some(path), asked: 0 }
    }

    /// Writes one outcome. `what` is shown on one line.
    pub fn write(&mut self, ok: bool, what: &str) -> io::Result<()> {
        self.asked += 1;
        let Some(path) = &self.path else { return Ok(()) };
        let verdict = if ok { "ok" } else { "failed" };
        let beside = path.with_extension("new");
        fs::write(&beside, format!("{}\n{verdict}\n{}\n", self.asked, what.replace('\n', " | ")))?;
        fs::rename(&beside, path)
    }
}

#[cfg(test)]
mod tests;
