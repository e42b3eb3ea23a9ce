//! Each peer that is installed here, in each of its setups: it starts, and passes on a whole answer and a stream.
//!
//! nginx and haproxy are looked for in the system, the others below `$RINGWAY_PEER_TOOLS/<name>`, where somebody has to have run what
//! `Peer::install` says. One that is not there is named and left out.

mod raw;

use std::{
    env, fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use raw::{CHAT, LIMIT, STREAM, connect, read_until, request};
use ringway_loadtest::{
    peers::{Peer, Start, Upstream, Values},
    sim::{
        Sim, SimConfig, SimHandle,
        ca::{self, Throwaway},
    },
};

/// What follows the head of a whole answer and of a stream, at its end.
const ENDS: [(&str, &str); 2] = [(CHAT, "\"usage\""), (STREAM, "[DONE]")];

#[test]
fn every_installed_peer_passes_on_answers_and_streams() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let tools = env::var("RINGWAY_PEER_TOOLS").map_or_else(|_| PathBuf::from("/nowhere"), PathBuf::from);
    let path = env::var("PATH").unwrap_or_default();
    let authority = ca::throwaway(&["localhost"]).expect("a certificate");
    for peer in Peer::load_all(&folder).expect("all are right") {
        let tools = tools.join(&peer.name);
        let Some(program) = peer.find(&tools, &path) else {
            eprintln!("{} is not installed here", peer.name);
            continue;
        };
        let version = printed(&peer.version_command(&tools, &program).expect("it renders"));
        let version = Peer::version_in(&version).unwrap_or_else(|| panic!("{}: no version in {version:?}", peer.name));
        for (name, setup) in &peer.setups {
            eprintln!("{} {version} {name}", peer.name);
            let provider = provider(setup.upstream, &authority);
            let run = Folder::new(&format!("{}-{name}", peer.name));
            let ca_file = run.0.join("ca.pem");
            fs::write(&ca_file, authority.ca.pem()).expect("a writable folder");
            let values = Values {
                port: free_port(),
                upstream_host: "127.0.0.1".into(),
                upstream_port: provider.addr().port(),
                upstream_name: "localhost".into(),
                ca_file: Some(ca_file),
                cpu: String::new(),
                workers: 1,
                model: "m".into(),
                folder: run.0.clone(),
                tools: tools.clone(),
                program: program.clone(),
            };
            let start = peer.render(name, &values).expect("the values are complete");
            let mut running = Running::start(&start, &run.0);
            let address = SocketAddr::from(([127, 0, 0, 1], values.port));
            running.wait_until_ready(&start, address, Duration::from_secs(peer.ready_within_s));
            for (body, end) in ENDS {
                let key = start.key.as_deref().unwrap_or("sk-any");
                let mut lines = format!("authorization: Bearer {key}\r\n");
                for (name, text) in &start.headers {
                    lines.push_str(&format!("{name}: {text}\r\n"));
                }
                let mut client = connect(address);
                client.write_all(request("/v1/chat/completions", body, &lines).as_bytes()).expect("it reads");
                let answer = read_until(&mut client, end);
                assert!(answer.starts_with("HTTP/1.1 200"), "{} {name}: {answer}\n{}", peer.name, running.log());
            }
            let stats = provider.stats();
            // LiteLLM also asks for the list of models, by itself.
            let chats = stats.requests_by_path.get("/v1/chat/completions");
            assert_eq!(chats, Some(&2), "{} {name}: {:?}", peer.name, stats.requests_by_path);
            assert_eq!(stats.tls_handshakes > 0, setup.upstream == Upstream::Https, "{} {name}", peer.name);
        }
    }
}

fn provider(upstream: Upstream, authority: &Throwaway) -> SimHandle {
    let tls = (upstream == Upstream::Https).then(|| authority.leaf.clone());
    Sim::start(SimConfig { http2: tls.is_some(), tls, ..SimConfig::default() }).expect("a free port")
}

fn printed(command: &[String]) -> String {
    let done = Command::new(&command[0]).args(&command[1..]).output().expect("it is installed");
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("it is bound").port()
}

/// A started peer, ended with this.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(start: &Start, folder: &Path) -> Running {
        for (path, text) in &start.files {
            fs::write(path, text).expect("a writable folder");
        }
        let log = folder.join("test.log");
        let output = fs::File::create(&log).expect("a writable folder");
        let child = Command::new(&start.command[0])
            .args(&start.command[1..])
            .envs(start.environment.iter().cloned())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("its program was found");
        Running { child, log }
    }

    /// It tells nobody when it is ready, so it is asked.
    fn wait_until_ready(&mut self, start: &Start, address: SocketAddr, limit: Duration) {
        let began = Instant::now();
        while !is_ready(start, address) {
            let ended = self.child.try_wait().expect("it is our child");
            assert_eq!(ended, None, "it ended: {}", self.log());
            assert!(began.elapsed() < limit.max(LIMIT), "it is not ready: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn is_ready(start: &Start, address: SocketAddr) -> bool {
    let Ok(mut asking) = TcpStream::connect(address) else { return false };
    let Some(url) = &start.ready_url else { return true };
    let path = url.trim_start_matches(&format!("http://{address}"));
    asking.set_read_timeout(Some(LIMIT)).expect("a time-out can be set");
    let asked = asking.write_all(format!("GET {path} HTTP/1.1\r\nhost: peer\r\n\r\n").as_bytes());
    asked.is_ok() && read_until(&mut asking, "\r\n").starts_with("HTTP/1.1 200")
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not killed: nginx ends its workers only when it is asked to end.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of one run, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = env::temp_dir().join(format!("ringway-peer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a writable folder");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
