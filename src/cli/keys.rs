//! `ringway keys create`: a new client key.
//!
//! The key goes to standard output once and is stored nowhere; the lines below it hold only its hash.

use super::KeysCreateArgs;
use crate::policy::keys;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use ring::rand::SystemRandom;
use std::process::ExitCode;

pub fn create(args: KeysCreateArgs) -> ExitCode {
    let name = args.name.trim();
    let printable = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if name.is_empty() || name.len() > 64 || !printable || name.contains(['"', '\\']) {
        eprintln!("error: --name must be 1 to 64 ASCII characters without quotes and backslashes");
        return ExitCode::FAILURE;
    }
    let expires_at = match args.expires.as_deref().map(|text| expiry(text, Timestamp::now())).transpose() {
        Ok(expires_at) => expires_at,
        Err(message) => {
            eprintln!("error: --expires: {message}");
            return ExitCode::FAILURE;
        }
    };
    match keys::generate(&SystemRandom::new()) {
        Ok(secret) => super::print(&format!("{secret}\n\n{}", toml_lines(name, &secret, expires_at))),
        Err(_) => {
            eprintln!("error: the system has no random numbers to make a key from");
            ExitCode::FAILURE
        }
    }
}

/// What to add to the configuration.
fn toml_lines(name: &str, secret: &str, expires_at: Option<Timestamp>) -> String {
    let hash = keys::hash_text(&keys::hash(secret.as_bytes()));
    let mut lines = format!(
        "# The key above is not shown again. Add these lines to ringway.toml or to a file in conf.d, then reload:\n\
         [[keys]]\nname = \"{name}\"\nhash = \"{hash}\"\n"
    );
    if let Some(expires_at) = expires_at {
        lines.push_str(&format!("expires_at = {expires_at:.0}\n"));
    }
    lines
}

/// When a key made at `now` expires.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    const HELP: &str = "write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z";
    let hours = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => days.parse::<u32>().ok().and_then(|days| days.checked_mul(24)),
        (_, Some(hours)) => hours.parse::<u32>().ok(),
        _ => None,
    };
    let at = match hours {
        Some(hours) => now.checked_add(SignedDuration::from_hours(i64::from(hours))).map_err(|_| HELP)?,
        None => match text.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                // jiff reads the date of a time without an offset, too; dropping the time would surprise.
                let date = text.parse::<Date>().ok().filter(|_| !text.contains([' ', 'T', 't'])).ok_or(HELP)?;
                date.to_zoned(TimeZone::UTC).map_err(|_| HELP)?.timestamp()
            }
        },
    };
    if at <= now { Err(format!("{at:.0} is not in the future")) } else { Ok(at) }
}

#[cfg(test)]
mod tests;
