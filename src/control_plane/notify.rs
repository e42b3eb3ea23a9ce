//! What the service manager is told (sd_notify(3)).
//!
//! Messages never block and never fail the process: a manager that does not listen is told nothing. Socket paths and
//! abstract names both work; the latter are what containers pass in.

use sd_notify::NotifyState;
use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::UnixDatagram},
    },
};

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notifier(Option<UnixDatagram>);

impl Notifier {
    /// Tells nobody.
    pub fn none() -> Notifier {
        Notifier(None)
    }

    /// The manager named by `NOTIFY_SOCKET`; nobody if the variable is not set.
    ///
    /// # Errors
    /// The variable names a socket that cannot be reached.
    pub fn from_environment() -> io::Result<Notifier> {
        match env::var_os("NOTIFY_SOCKET") {
            Some(name) => Notifier::to(&name),
            None => Ok(Notifier::none()),
        }
    }

    /// The manager at a socket; a leading `@` stands for an abstract name.
    pub fn to(name: &OsStr) -> io::Result<Notifier> {
        use std::os::unix::net::SocketAddr;
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Notifier(Some(socket)))
    }

    /// Sends state changes as one message.
    pub fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.0 else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        // A full queue means a manager that is stuck; there is nothing better to do than to try at the next change.
        let _ = socket.send(message.as_bytes());
    }
}

#[cfg(test)]
mod tests;
