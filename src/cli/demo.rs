//! `ringway demo`: the gateway in front of simulated providers, with nothing to configure.
//!
//! The providers are reached as real ones are: over TLS and HTTP/2, with a certificate authority that lives as long as the demo. One is
//! quick, one slow, and one fails every third request, so that failover can be watched.

use super::{DemoArgs, print};
use crate::{
    config::{
        load::SourceFile,
        origin::{Origin, Overrides},
    },
    control_plane,
    policy::keys,
    process::{self, Ready},
};
use ring::rand::SystemRandom;
use ringway_loadtest::sim::{Sim, SimConfig, SimHandle, ca, script::Script};
use std::{fmt::Write, io, path::PathBuf, process::ExitCode};

/// A simulated provider: name, script, the models that it serves.
struct Simulated {
    name: &'static str,
    script: &'static str,
}

const SIMULATED: [Simulated; 3] = [
    Simulated { name: "quick", script: "[latency]\nttft_ms = 20\ngap_ms = 10\n" },
    Simulated { name: "slow", script: "[latency]\nttft_ms = 1500\ngap_ms = 80\n" },
    Simulated {
        name: "flaky",
        script: "[latency]\nttft_ms = 20\ngap_ms = 10\n[[rule]]\nmatch.every = 3\nfault = \"status:503\"\n",
    },
];

/// What clients may ask for.
const MODELS: &str = r#"
[[models]]
name = "demo-chat"
deployments = ["quick/sim-chat"]

[[models]]
name = "demo-slow"
deployments = ["slow/sim-chat"]

# Fails over to the quick provider, invisibly.
[[models]]
name = "demo-flaky"
deployments = ["flaky/sim-chat", "quick/sim-chat"]

[[models]]
name = "demo-embed"
deployments = ["quick/sim-embed"]
"#;

pub fn run(args: DemoArgs) -> ExitCode {
    match start(&args) {
        Ok((demo, origin)) => {
            let (_commands, receiver) = control_plane::commands();
            let Demo { key, files, providers } = demo;
            let code = process::run(origin, receiver, move |ready| tell(&args, &ready, &key));
            drop((providers, files));
            code
        }
        Err(error) => {
            eprintln!("error: the demo does not start: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Demo {
    key: String,
    files: TemporaryFolder,
    providers: Vec<SimHandle>,
}

fn start(args: &DemoArgs) -> io::Result<(Demo, Origin)> {
    let authority = ca::throwaway(&["127.0.0.1", "localhost"]).map_err(io::Error::other)?;
    let files = TemporaryFolder::make()?;
    let ca_file = files.0.join("ca.pem");
    std::fs::write(&ca_file, authority.ca.pem())?;
    let credential = files.0.join("credential");
    std::fs::write(&credential, "simulated-credential")?;

    let key = keys::generate(&SystemRandom::new()).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let hash = keys::hash_text(&keys::hash(key.as_bytes()));
    let mut config = format!(
        "[server]\nlisten = [{:?}]\nexplain_always = true\n[admin]\nlisten = \"127.0.0.1:0\"\n[access_log]\nto = \"off\"\n\
         [[keys]]\nname = \"demo\"\nhash = {hash:?}\n",
        args.listen
    );
    let mut providers = Vec::new();
    for Simulated { name, script } in SIMULATED {
        let script = Script::parse(script).map_err(io::Error::other)?;
        let tls = Some(authority.leaf.clone());
        let sim =
            Sim::start(SimConfig { tls, http2: true, script, name: format!("sim-{name}"), ..SimConfig::default() })?;
        let _ = write!(
            config,
            "[providers.{name}]\nkind = \"openai-compatible\"\nbase_url = {:?}\ncredential = \"${{file:{}}}\"\nca_file = {:?}\n",
            sim.base_url(),
            credential.display(),
            ca_file.display().to_string(),
        );
        providers.push(sim);
    }
    config.push_str(MODELS);
    let overrides = Overrides { driver: Some(args.driver), shards: args.shards, ..Overrides::default() };
    let origin = Origin::embedded(SourceFile { name: "demo".into(), text: config }, overrides);
    Ok((Demo { key, files, providers }, origin))
}

fn tell(args: &DemoArgs, ready: &Ready, key: &str) {
    let Ready { endpoint, admin, models, .. } = ready;
    if args.json {
        let line = serde_json::json!({ "endpoint": endpoint, "key": key, "admin": admin, "models": models });
        print(&format!("{line}\n"));
        return;
    }
    print(&format!(
        r#"Ringway serves simulated providers over TLS and HTTP/2. Models: {models}

  endpoint  {endpoint}
  key       {key}
  metrics   {admin}/metrics

Try it:

  curl {endpoint}/chat/completions \
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \
    -d '{{"model": "demo-chat", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'

Or point an SDK at it (pip install openai):

  from openai import OpenAI
  client = OpenAI(base_url="{endpoint}", api_key="{key}")
  answer = client.chat.completions.create(model="demo-flaky", messages=[{{"role": "user", "content": "Hello"}}])
  print(answer.choices[0].message.content)

Ctrl-C stops it.
"#,
        models = models.join(", "),
        admin = admin.as_deref().unwrap_or(""),
    ));
}

/// A folder that goes with the demo.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> io::Result<TemporaryFolder> {
        let path = std::env::temp_dir().join(format!("ringway-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Best effort: the folder holds a public certificate and a credential that opens nothing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
