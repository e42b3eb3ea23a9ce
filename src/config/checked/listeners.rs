//! Checks of `[server]`, `[admin]` and `[access_log]`: who can connect, and what may go wrong with that.

use crate::config::{
    address,
    diagnostic::Report,
    raw,
    settings::{AccessLogTo, Listen, Settings, TlsFiles},
    snapshot::Server,
};
use std::path::PathBuf;

pub(super) fn settings(config: &raw::Config, report: &mut Report<'_>) -> Settings {
    let mut listeners: Vec<Listen> = Vec::new();
    for (index, text) in config.server.listen.iter().enumerate() {
        let path = format!("server.listen[{index}]");
        let Some(listener) = listener(text, &path, report) else { continue };
        let any_port = matches!(listener, Listen::Tcp(address) if address.port() == 0);
        if listeners.contains(&listener) && !any_port {
            report.error(&path, format!("{listener} is listed twice"));
        }
        listeners.push(listener);
    }
    let server = &config.server;
    if server.listen.is_empty() {
        report.error_help("server.listen", "there is no address to listen on", "for example [\"127.0.0.1:8080\"]");
    }
    let tls = server.tls.as_ref().and_then(|tls| {
        let cert_file = absolute(&tls.cert_file, "server.tls.cert_file", report);
        let key_file = absolute(&tls.key_file, "server.tls.key_file", report);
        Some(TlsFiles { cert_file: cert_file?, key_file: key_file? })
    });
    if tls.is_none() && server.tls.is_none() && listeners.iter().any(|listener| !listener.is_local()) {
        let help = "set server.tls, or put something that ends TLS in front on the same machine";
        report.warn("server.listen", "keys and prompts cross the network in clear text", help);
    }
    Settings {
        admin: admin(&config.admin.listen, &listeners, report),
        listen: listeners,
        shards: server.shards.map(|shards| shards as usize),
        driver: server.driver,
        tls,
        access_log: match config.access_log.to.as_str() {
            "stdout" => AccessLogTo::Stdout,
            "off" => AccessLogTo::Off,
            path if path.starts_with('/') => AccessLogTo::File(PathBuf::from(path)),
            other => {
                let message = format!("{} is not a place to log to", report.quote("access_log.to", other));
                report.error_help("access_log.to", message, "allowed: 'stdout', 'off', or an absolute path");
                AccessLogTo::Off
            }
        },
        warnings: Vec::new(),
    }
}

fn listener(text: &str, path: &str, report: &mut Report<'_>) -> Option<Listen> {
    match address::listen(text) {
        Ok(listener) => Some(listener),
        Err(bad) => {
            report.error_help(path, format!("{}: {}", report.quote(path, text), bad.message), bad.help);
            None
        }
    }
}

/// The admin listener has no keys, so it stays on this machine.
fn admin(text: &str, listeners: &[Listen], report: &mut Report<'_>) -> Option<Listen> {
    const PATH: &str = "admin.listen";
    if text == "none" {
        return None;
    }
    let admin = listener(text, PATH, report)?;
    if !admin.is_local() {
        let help = "use a loopback address or a unix socket, and put a proxy that authenticates in front";
        report.error_help(PATH, format!("{admin} can be reached from other machines"), help);
    }
    let any_port = matches!(admin, Listen::Tcp(address) if address.port() == 0);
    if listeners.contains(&admin) && !any_port {
        report.error(PATH, format!("{admin} is also in server.listen"));
    }
    Some(admin)
}

/// May this listener be opened with so many keys? Also asked for sockets that were handed to us, which no configuration names.
pub fn refuse_listener(listener: &Listen, keys: usize, open_access: bool) -> Option<String> {
    if listener.is_local() {
        return None;
    }
    if open_access {
        return Some(format!("{listener} can be reached from other machines, and open_access lets everyone in"));
    }
    (keys == 0).then(|| format!("{listener} can be reached from other machines, and there is no key"))
}

pub(super) fn access(config: &raw::Config, settings: &Settings, report: &mut Report<'_>) {
    const CREATE: &str = "create a key with 'ringway keys create' and add the lines it prints";
    let (keys, open_access) = (config.keys.len(), config.server.open_access);
    let mut refused = false;
    for (index, listener) in settings.listen.iter().enumerate() {
        if let Some(message) = refuse_listener(listener, keys, open_access) {
            let help = if open_access { "remove open_access, or listen on 127.0.0.1" } else { CREATE };
            report.error_help(&format!("server.listen[{index}]"), message, help);
            refused = true;
        }
    }
    if keys == 0 && !open_access && !refused {
        let help = format!("{CREATE}, or set server.open_access = true to let everything on this machine in");
        report.error_help("keys", "there is no key, so nobody could use the gateway", help);
    }
    if open_access && !refused {
        let help = "remove server.open_access once clients have keys";
        report.warn("server.open_access", "every process on this machine can use the providers' credentials", help);
    }
}

pub(super) fn server(server: &raw::Server, local: bool, report: &mut Report<'_>) -> Server {
    if server.shard_body_bytes_max < server.body_bytes_max {
        let message = format!("smaller than server.body_bytes_max ({})", server.body_bytes_max);
        report.error_help("server.shard_body_bytes_max", message, "a shard must be able to hold one whole body");
    }
    let hosts = server.allowed_hosts.as_deref();
    for (index, host) in hosts.unwrap_or_default().iter().enumerate().filter(|(_, host)| *host != "*") {
        let path = format!("server.allowed_hosts[{index}]");
        let bare = host.trim_matches(['[', ']']);
        if rustls_pki_types::ServerName::try_from(bare).is_err() {
            let message = format!("{} is not a host name", report.quote(&path, host));
            report.error_help(&path, message, "a name without scheme, port and path, for example gateway.example.com");
        }
    }
    for (index, origin) in server.cors_origins.iter().enumerate().filter(|(_, origin)| *origin != "*") {
        let path = format!("server.cors_origins[{index}]");
        if !address::base_url(origin).is_ok_and(|url| url.path.is_empty() && !origin.ends_with('/')) {
            let message = format!("{} is not an origin", report.quote(&path, origin));
            report.error_help(&path, message, "scheme, host and port, for example https://app.example.com");
        }
    }
    Server {
        body_bytes_max: server.body_bytes_max as usize,
        shard_body_bytes_max: server.shard_body_bytes_max as usize,
        shard_connections_max: server.shard_connections_max as usize,
        head_timeout_ms: server.head_timeout_ms,
        body_timeout_ms: server.body_timeout_ms,
        idle_timeout_ms: server.idle_timeout_ms,
        write_timeout_ms: server.write_timeout_ms,
        drain_timeout_ms: server.drain_timeout_ms,
        allowed_hosts: match hosts {
            None if local => Some(Vec::new()),
            None => None,
            Some(hosts) if hosts.iter().any(|host| host == "*") => None,
            Some(hosts) => Some(hosts.iter().map(|host| host.as_str().into()).collect()),
        },
        cors_origins: server.cors_origins.iter().map(|origin| origin.as_str().into()).collect(),
        explain_always: server.explain_always,
    }
}

/// A path that means the same whatever the working directory is.
pub(super) fn absolute(text: &str, path: &str, report: &mut Report<'_>) -> Option<PathBuf> {
    if text.starts_with('/') && !text.contains('\0') {
        return Some(PathBuf::from(text));
    }
    let message = format!("{} is not an absolute path", report.quote(path, text));
    report.error_help(path, message, "write it from the root: /etc/ringway/...");
    None
}
