//! How the kernel schedules our own threads, by way of util-linux' `chrt`: no call that is safe to make from here sets a policy.
//!
//! Generator and simulator share CPUs. By default whoever is woken takes the CPU at once from whoever woke it, so that each request costs
//! two changes of context and finds cold caches. A `patient` thread (SCHED_BATCH) does not: the other first serves all sockets that are
//! ready. In a closed loop that is three times as many requests; it says nothing about latency, so only what is not timed is patient.

use std::fs;
use std::process::{Command, Stdio};

/// The number that the kernel has for SCHED_BATCH.
const BATCH: &str = "3";

/// Whether the calling thread is patient from now on. Without `chrt` it stays as it is, and the load costs more.
pub(crate) fn be_patient(patient: bool) {
    let policy = if patient { "--batch" } else { "--other" };
    let _ = chrt(&[policy, "--pid", "0"], own_thread());
}

/// Another thread.
pub(crate) fn make_patient(thread: u32) -> Result<(), String> {
    chrt(&["--batch", "--pid", "0"], thread)
}

/// The patient threads of a process.
pub(crate) fn patient_threads(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let patient = tasks.flatten().filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        // Its name may have anything in it, and ends with the last parenthesis; the policy is the 39th field after that.
        let (_, fields) = stat.rsplit_once(") ")?;
        (fields.split(' ').nth(38)? == BATCH).then(|| task.file_name().to_str()?.parse().ok())?
    });
    patient.collect()
}

pub(crate) fn own_thread() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// `chrt` with these arguments and a thread's number.
pub(crate) fn chrt(arguments: &[&str], thread: u32) -> Result<(), String> {
    let mut command = Command::new("chrt");
    command.args(arguments).arg(thread.to_string());
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("chrt: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("chrt failed").to_owned())
}

#[cfg(test)]
mod tests {
    use super::{be_patient, chrt, own_thread, patient_threads};

    #[test]
    fn a_thread_is_patient_as_long_as_it_is_told_to() {
        let is_patient = || patient_threads(std::process::id()).contains(&own_thread());
        // Not everywhere is there a `chrt`, and then nothing is promised.
        if chrt(&["--other", "--pid", "0"], own_thread()).is_err() {
            return;
        }
        assert!(!is_patient());
        be_patient(true);
        assert!(is_patient());
        be_patient(false);
        assert!(!is_patient());
    }
}
