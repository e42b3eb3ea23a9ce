//! `launch`: how this program starts targets; see `target::launch`.

use std::ffi::OsString;
use std::io;

use ringway_loadtest::target::launch::become_target;

/// Pins itself, raises its priority and becomes another program. For use by `quick` and `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Such as 0-2,5.
    #[arg(long)]
    cpus: String,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub fn run(args: Args) -> io::Result<()> {
    let cpus = parse(&args.cpus)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "--cpus is a list such as 0-2,5"))?;
    let error = become_target(&cpus, &args.command);
    let program = args.command.first().map(|program| program.to_string_lossy().into_owned());
    Err(io::Error::new(error.kind(), format!("{}: {error}", program.unwrap_or_default())))
}

fn parse(list: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // More than any kernel has: a mistake, not a list to build.
        if last < first || last > 65_535 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn cpus_are_read_as_they_are_written() {
        let check = |list: &str, expected: Option<&[usize]>| assert_eq!(parse(list).as_deref(), expected, "{list}");
        check("0", Some(&[0]));
        check("0-2,5", Some(&[0, 1, 2, 5]));
        check("", None);
        check("2-1", None);
        check("a", None);
        check("0-99999999", None);
    }
}
