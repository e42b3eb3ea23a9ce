//! Checks of `[[models]]`: names that can be asked for, and deployments that exist.

use super::{accounts::Account, client_keys::printable};
use crate::{
    config::{
        diagnostic::{Report, nearest},
        raw,
        snapshot::Deadlines,
        tree::join,
    },
    dialects::tokenizer::Tokenizer,
    limits::{DEPLOYMENTS_MAX, MODEL_BYTES_MAX},
};
use std::collections::{HashMap, HashSet};

/// One model at one account.
pub struct CheckedDeployment {
    pub name: String,
    /// Position in `Checked::accounts`.
    pub account: usize,
    /// `None`: the client's name less the group's prefix.
    pub model: Option<String>,
}

/// One `[[models]]`.
pub struct Group {
    pub name: String,
    /// `Some` for a group that serves all names with this prefix.
    pub prefix: Option<String>,
    pub owned_by: String,
    pub listed: Vec<String>,
    /// Positions in `Checked::deployments`.
    pub deployments: Vec<u32>,
    pub attempts_max: u32,
    pub deadlines: Deadlines,
    pub retry_on_timeout: bool,
    pub drops: bool,
    pub tokenizer: Option<Tokenizer>,
}

pub(super) fn models(
    config: &raw::Config,
    accounts: &[Account],
    report: &mut Report<'_>,
) -> (Vec<CheckedDeployment>, Vec<Group>) {
    if config.models.is_empty() {
        let help = "add one: [[models]] with name = \"gpt-4o\" and deployments = [\"openai/gpt-4o\"]";
        report.error_help("models", "there is no model, so nothing could be asked for", help);
    }
    let mut catalogue = Catalogue { config, deployments: Vec::new(), by_target: HashMap::new() };
    let mut by_name = HashMap::new();
    let mut groups = Vec::with_capacity(config.models.len());
    for (index, raw) in config.models.iter().enumerate() {
        let path = format!("models[{index}]");
        let name_path = join(&path, "name");
        if let Some(first) = by_name.insert(&raw.name, name_path.clone()) {
            let first = report.first_at(&first);
            let message = format!("{} is the name of another model{first}", report.quote(&name_path, &raw.name));
            report.error_help(&name_path, message, "put all its deployments into one [[models]]");
        }
        groups.push(group(raw, &path, accounts, &mut catalogue, report));
    }
    let deployments = catalogue.deployments;
    if deployments.len() > DEPLOYMENTS_MAX {
        report.error("models", format!("{} deployments are more than {DEPLOYMENTS_MAX}", deployments.len()));
    }
    let used: HashSet<usize> = deployments.iter().map(|deployment| deployment.account).collect();
    for (index, account) in accounts.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
        let name = config.providers.keys().nth(index).map_or("", String::as_str);
        let help = format!("add a model with deployments = [\"{name}/...\"], or remove it");
        report.warn(&account.path, "no model uses this provider", help);
    }
    (deployments, groups)
}

fn group(
    raw: &raw::Model,
    path: &str,
    accounts: &[Account],
    catalogue: &mut Catalogue<'_>,
    report: &mut Report<'_>,
) -> Group {
    let name_path = join(path, "name");
    let prefix = raw.name.strip_suffix('*').map(str::to_owned);
    if prefix.as_deref().is_some_and(|prefix| !prefix.is_empty() && !prefix.ends_with('/')) {
        // A shorter prefix would cut a piece out of the model's name before it goes upstream.
        let help = "allowed: a whole name, 'prefix/*' or '*'";
        report.error_help(&name_path, format!("{} does not end in '/*'", report.quote(&name_path, &raw.name)), help);
    }
    check_model_name(prefix.as_deref().unwrap_or(&raw.name), prefix.is_some(), &name_path, report);

    let mut deployments = Vec::with_capacity(raw.deployments.len());
    for (index, deployment) in raw.deployments.iter().enumerate() {
        let path = format!("{path}.deployments[{index}]");
        let Some(deployment) = catalogue.resolve(deployment, &path, report) else { continue };
        if deployments.contains(&deployment) {
            report.error(&path, "this deployment is listed twice for one model");
        }
        deployments.push(deployment);
    }
    let first = deployments.first().map(|index| catalogue.deployments[*index as usize].account);
    let owner = first.and_then(|account| accounts.get(account)).map_or("ringway", |account| account.provider.id);
    for (index, listed) in raw.list.iter().enumerate() {
        let path = format!("{path}.list[{index}]");
        let fits = prefix.as_deref().is_some_and(|prefix| listed.starts_with(prefix) && listed.len() > prefix.len());
        if !fits {
            let message = format!("{} is not a name that this model serves", report.quote(&path, listed));
            report.error_help(&path, message, "only models whose name ends in '*' list names, each with their prefix");
        }
        check_model_name(listed, false, &path, report);
    }
    if let Some(owner) = raw.owned_by.as_deref().filter(|owner| !printable(owner)) {
        let path = join(path, "owned_by");
        let message = format!("{} has characters that cannot be shown", report.quote(&path, owner));
        report.error_help(&path, message, "letters, digits, spaces and ASCII punctuation");
    }
    Group {
        name: raw.name.clone(),
        owned_by: raw.owned_by.clone().unwrap_or_else(|| owner.to_owned()),
        listed: if prefix.is_some() { raw.list.clone() } else { vec![raw.name.clone()] },
        prefix,
        deployments,
        attempts_max: raw.attempts_max,
        deadlines: Deadlines::from(&raw.deadlines),
        retry_on_timeout: raw.retry_on_timeout,
        drops: raw.unsupported.unwrap_or(catalogue.config.server.unsupported) == raw::Unsupported::Drop,
        tokenizer: match raw.tokenizer.unwrap_or(catalogue.config.server.tokenizer) {
            raw::Tokenizer::Bytes => None,
            raw::Tokenizer::Cl100kBase => Some(Tokenizer::Cl100kBase),
            raw::Tokenizer::O200kBase => Some(Tokenizer::O200kBase),
        },
    }
}

/// Model names reach JSON, URL paths, metric labels and logs, so only characters that are plain in all of them may occur.
fn check_model_name(name: &str, may_be_empty: bool, path: &str, report: &mut Report<'_>) {
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\*".contains(&byte));
    if !plain || name.len() > MODEL_BYTES_MAX || (name.is_empty() && !may_be_empty) {
        let help = format!("1 to {MODEL_BYTES_MAX} ASCII characters without spaces, quotes, backslashes and '*'");
        report.error_help(path, format!("{} cannot be a model's name", report.quote(path, name)), help);
    }
}

/// Deployments, each once, however many models use them.
struct Catalogue<'c> {
    config: &'c raw::Config,
    deployments: Vec<CheckedDeployment>,
    by_target: HashMap<(usize, Option<String>), u32>,
}

impl Catalogue<'_> {
    /// The position of a deployment; `None` after an error.
    fn resolve(&mut self, raw: &raw::Deployment, path: &str, report: &mut Report<'_>) -> Option<u32> {
        let (provider, model) = match raw {
            raw::Deployment::Long(long) => (long.provider.as_str(), long.model.as_deref()),
            raw::Deployment::Short(text) => match text.split_once('/') {
                Some((provider, "*")) => (provider, None),
                Some((provider, model)) => (provider, Some(model)),
                None => {
                    let message = format!("{} does not say which provider", report.quote(path, text));
                    let help = match nearest(text, self.config.providers.keys().map(String::as_str)) {
                        Some(name) => format!("write 'provider/model', for example '{name}/gpt-4o' or '{name}/*'"),
                        None => format!("write 'provider/model'; providers: {}", self.names()),
                    };
                    report.error_help(path, message, help);
                    return None;
                }
            },
        };
        let Some(account) = self.config.providers.keys().position(|name| name == provider) else {
            let message = format!("there is no provider {}", report.quote(path, provider));
            let help = match nearest(provider, self.config.providers.keys().map(String::as_str)) {
                Some(name) => format!("did you mean '{name}'?"),
                None => format!("add [providers.NAME], or use one of: {}", self.names()),
            };
            report.error_help(path, message, help);
            return None;
        };
        if let Some(model) = model {
            check_model_name(model, false, path, report);
        }
        let next = self.deployments.len() as u32;
        let target = (account, model.map(str::to_owned));
        let index = *self.by_target.entry(target).or_insert(next);
        if index == next {
            let name = format!("{provider}/{}", model.unwrap_or("*"));
            self.deployments.push(CheckedDeployment { name, account, model: model.map(str::to_owned) });
        }
        Some(index)
    }

    fn names(&self) -> String {
        self.config.providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
