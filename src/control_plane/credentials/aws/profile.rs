//! Profiles in the files that AWS's own tools share, `~/.aws/credentials` and `~/.aws/config`: which way to keys one describes.
//!
//! A [`Way`] begins with keys of its own, a web identity, single sign-on or what the machine has, and may go on through roles, each assumed
//! with the keys before it. Which of several ways counts is what botocore's order says: a role; a web identity; single sign-on; keys in the
//! credentials file; another program; keys in the config file. `tests/oracles/aws/profiles.py` asks botocore itself.
//!
//! Pure but for reading the two files. What would start a program or ask a person (`credential_process`, `login_session`, `mfa_serial`) is refused
//! by name: keys of another profile would be someone else's.

use super::Found;
use crate::{config::interpolate::Lookup as Surroundings, limits::AWS_ROLES_MAX};
use std::{collections::BTreeMap, path::Path};

/// A way to keys.
pub struct Way {
    pub first: First,
    /// Assumed one after the other; the keys of the last are those of the profile.
    pub roles: Vec<Role>,
}

/// Where the first keys of a way come from.
pub enum First {
    Keys(Found),
    WebIdentity { role: Role, token_file: String },
    SingleSignOn(SingleSignOn),
    Environment,
    Container,
    Instance,
}

/// A role to be assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    /// What its sessions are called in AWS's logs.
    pub session_name: Option<String>,
    pub external_id: Option<String>,
    /// As STS is told; its own default is an hour.
    pub duration_s: Option<u32>,
}

/// An account and a role of IAM Identity Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleSignOn {
    /// The profile that says so.
    pub profile: String,
    /// The name of its section `sso-session`; profiles of the older form have none.
    pub session: Option<String>,
    pub start_url: String,
    pub region: String,
    pub account_id: String,
    pub role_name: String,
}

/// A service that gives out keys, by the name that variables and files have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Sts,
    /// The portal of single sign-on.
    Sso,
    SsoOidc,
}

/// The two files, as they are now.
pub struct Files {
    credentials: Sections,
    config: Sections,
    /// Why one could not be read.
    unread: Vec<String>,
}

/// Headers, with one blank between their words and no quotes, to members.
type Sections = BTreeMap<String, Members>;

/// Names in lower case; those of nested members are `outer.inner`.
type Members = BTreeMap<String, String>;

impl Files {
    pub fn read(surroundings: &dyn Surroundings) -> Files {
        let mut unread = Vec::new();
        let mut file = |variable: &str, usual: &str| {
            let path = surroundings.env(variable).filter(|path| !path.is_empty());
            let path = path.unwrap_or_else(|| format!("{}/.aws/{usual}", home(surroundings)));
            match surroundings.file(Path::new(&path)) {
                Ok(text) => sections(&text),
                Err(why) => {
                    unread.push(format!("{path}: {why}"));
                    Sections::new()
                }
            }
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file("AWS_CONFIG_FILE", "config");
        Files { credentials, config, unread }
    }

    /// The way of a profile; none if no file knows it, or it is the default one and has none.
    ///
    /// # Errors
    /// A sentence for the log.
    pub fn way(&self, name: &str) -> Result<Option<Way>, String> {
        let Some(profile) = self.profile(name) else { return Ok(None) };
        let mut roles = Vec::new();
        let way = if assumes_role(&profile) {
            let first = self.first_of_role(name, &mut roles)?;
            Some(Way { first, roles })
        } else {
            self.first(name, &profile)?.map(|first| Way { first, roles })
        };
        match way {
            None if name != "default" => Err(format!("the profile '{name}' has no keys")),
            way => Ok(way),
        }
    }

    /// True for a profile whose keys are those of a role.
    pub fn assumes_role(&self, name: &str) -> bool {
        self.profile(name).is_some_and(|profile| assumes_role(&profile))
    }

    /// Says that there is no such profile, and which file may hold it that was not read.
    pub fn lack(&self, name: &str) -> String {
        let unread: String = self.unread.iter().map(|why| format!("; {why}")).collect();
        format!("there is no profile '{name}' in AWS's files{unread}")
    }

    /// Where the operator says that a service is: a variable for it or for all, the profile's section of services, the profile.
    ///
    /// # Errors
    /// A sentence for the log.
    pub fn endpoint(
        &self,
        service: Service,
        profile: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<Option<String>, String> {
        let env = |name: &str| surroundings.env(name).filter(|value| !value.is_empty());
        let profile = self.profile(profile).unwrap_or_default();
        let ignored = env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if ignored.as_ref().or(profile.get("ignore_configured_endpoint_urls")).is_some_and(|it| is_true(it)) {
            return Ok(None);
        }
        let word = service.word();
        let given = env(&format!("AWS_ENDPOINT_URL_{}", word.to_ascii_uppercase())).or_else(|| env("AWS_ENDPOINT_URL"));
        let of_services = match profile.get("services") {
            Some(services) if given.is_none() => {
                let section = self.config.get(&format!("services {services}"));
                let section =
                    section.ok_or_else(|| format!("there is no section [services {services}] in AWS's files"))?;
                section.get(&format!("{word}.endpoint_url"))
            }
            _ => None,
        };
        Ok(given.or_else(|| of_services.or(profile.get("endpoint_url")).cloned()))
    }

    /// What both files say of a profile; where both do, the credentials file counts.
    fn profile(&self, name: &str) -> Option<Members> {
        // The default profile's section has no prefix there, but may have.
        let bare = (name == "default").then(|| self.config.get(name)).flatten();
        let found = [bare, self.config.get(&format!("profile {name}")), self.credentials.get(name)];
        let merged = |mut all: Members, section: &Members| {
            all.extend(section.iter().map(|(name, value)| (name.clone(), value.clone())));
            all
        };
        found.into_iter().flatten().fold(None, |all, section| Some(merged(all.unwrap_or_default(), section)))
    }

    /// Follows a profile that assumes a role to the profile that does not. Roles are added in the order in which they are assumed.
    fn first_of_role(&self, name: &str, roles: &mut Vec<Role>) -> Result<First, String> {
        let mut visited = vec![name.to_owned()];
        let first = loop {
            let name = visited[visited.len() - 1].clone();
            let profile = self.profile(&name).unwrap_or_default();
            if roles.len() == AWS_ROLES_MAX {
                return Err(format!("the profile '{}' leads through more than {AWS_ROLES_MAX} roles", visited[0]));
            }
            roles.push(role(&name, &profile)?);
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(_), Some(_)) => {
                    return Err(format!("the profile '{name}' has both 'source_profile' and 'credential_source'"));
                }
                (None, None) => {
                    return Err(format!(
                        "the profile '{name}' has 'role_arn' and neither 'source_profile' nor 'credential_source', whose keys \
                         would assume it"
                    ));
                }
                (None, Some(source)) => break named_source(&name, source)?,
                (Some(source), None) => {
                    let Some(next) = self.profile(source) else {
                        return Err(format!("the source_profile '{source}' of the profile '{name}' does not exist"));
                    };
                    let has_keys =
                        ["aws_access_key_id", "aws_secret_access_key"].iter().any(|it| next.contains_key(*it));
                    // A profile may name itself: keys and role in one.
                    if visited.contains(source) && !(*source == name && has_keys) {
                        return Err(format!("the profiles {} and '{source}' again lead in a circle", quoted(&visited)));
                    }
                    if has_keys || !assumes_role(&next) {
                        let first = self.first(source, &next)?;
                        break first.ok_or_else(|| format!("the source_profile '{source}' of '{name}' has no keys"))?;
                    }
                    visited.push(source.clone());
                }
            }
        };
        roles.reverse();
        Ok(first)
    }

    /// Where a profile's keys come from, roles aside.
    fn first(&self, name: &str, profile: &Members) -> Result<Option<First>, String> {
        if let Some(token_file) = profile.get("web_identity_token_file") {
            let role = role(name, profile)?;
            return Ok(Some(First::WebIdentity { role, token_file: token_file.clone() }));
        }
        if profile.contains_key("sso_role_name") || profile.contains_key("sso_account_id") {
            return Ok(Some(First::SingleSignOn(self.single_sign_on(name, profile)?)));
        }
        if let Some(found) = self.credentials.get(name).and_then(keys) {
            return Ok(Some(First::Keys(found)));
        }
        for (member, why) in NOT_TAKEN {
            if profile.contains_key(member) {
                return Err(format!("the profile '{name}' has '{member}', and {why}"));
            }
        }
        let bare = (name == "default").then(|| self.config.get(name)).flatten();
        let config = [self.config.get(&format!("profile {name}")), bare];
        Ok(config.into_iter().flatten().find_map(keys).map(First::Keys))
    }

    fn single_sign_on(&self, name: &str, profile: &Members) -> Result<SingleSignOn, String> {
        let mut all = profile.clone();
        let session = profile.get("sso_session").cloned();
        if let Some(session) = &session {
            let section = self.config.get(&format!("sso-session {session}"));
            let section = section.ok_or_else(|| {
                format!("there is no section [sso-session {session}] in AWS's files, which the profile '{name}' names")
            })?;
            for (member, value) in section {
                if all.insert(member.clone(), value.clone()).is_some_and(|before| before != *value) {
                    return Err(format!("the profile '{name}' and [sso-session {session}] differ in '{member}'"));
                }
            }
        }
        let member = |member: &str| {
            let value = all.get(member).filter(|value| !value.is_empty()).cloned();
            value.ok_or_else(|| format!("the profile '{name}' is for single sign-on and lacks '{member}'"))
        };
        let region = member("sso_region")?;
        // It becomes a part of a host.
        if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err(format!("the sso_region of the profile '{name}' is not a region"));
        }
        Ok(SingleSignOn {
            profile: name.to_owned(),
            start_url: member("sso_start_url")?,
            region,
            account_id: member("sso_account_id")?,
            role_name: member("sso_role_name")?,
            session,
        })
    }
}

impl Service {
    fn word(self) -> &'static str {
        match self {
            Service::Sts => "sts",
            Service::Sso => "sso",
            Service::SsoOidc => "sso_oidc",
        }
    }

    /// The host's name before the region.
    pub fn host(self) -> &'static str {
        match self {
            Service::Sts => "sts",
            Service::Sso => "portal.sso",
            Service::SsoOidc => "oidc",
        }
    }
}

/// The home directory of whom we run as; empty if nobody says.
pub fn home(surroundings: &dyn Surroundings) -> String {
    surroundings.env("HOME").unwrap_or_default()
}

/// Ways to keys that are not taken, and why.
const NOT_TAKEN: [(&str, &str); 2] = [
    (
        "credential_process",
        "Ringway starts no programs: give it keys, a role or single sign-on, or have the program write the credentials file",
    ),
    ("login_session", "keys of 'aws login' are not taken: use single sign-on, keys or a role"),
];

fn assumes_role(profile: &Members) -> bool {
    profile.contains_key("role_arn") && !profile.contains_key("web_identity_token_file")
}

fn role(name: &str, profile: &Members) -> Result<Role, String> {
    let member = |member: &str| profile.get(member).cloned();
    if profile.contains_key("mfa_serial") {
        return Err(format!(
            "the profile '{name}' has 'mfa_serial', and nobody is there to type a code: use a role that asks for none"
        ));
    }
    let Some(arn) = member("role_arn").filter(|arn| !arn.is_empty()) else {
        return Err(format!("the profile '{name}' has 'web_identity_token_file' and lacks 'role_arn'"));
    };
    let duration_s = member("duration_seconds").map(|text| text.parse());
    let duration_s = duration_s.transpose().map_err(|_| format!("the duration_seconds of '{name}' is not a number"))?;
    Ok(Role { arn, session_name: member("role_session_name"), external_id: member("external_id"), duration_s })
}

fn named_source(name: &str, source: &str) -> Result<First, String> {
    match source {
        "Environment" => Ok(First::Environment),
        "EcsContainer" => Ok(First::Container),
        "Ec2InstanceMetadata" => Ok(First::Instance),
        _ => Err(format!(
            "the credential_source of the profile '{name}' is none of Environment, Ec2InstanceMetadata, EcsContainer"
        )),
    }
}

fn keys(section: &Members) -> Option<Found> {
    let member = |name: &str| section.get(name).cloned();
    let (id, secret) = (member("aws_access_key_id")?, member("aws_secret_access_key")?);
    // The first is what some older tools write.
    Some(Found::new(id, secret, member("aws_security_token").or_else(|| member("aws_session_token"))))
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    names.join(", ")
}

fn sections(text: &str) -> Sections {
    let mut all = Sections::new();
    let mut header = None;
    // The member that indented lines belong to.
    let mut outer = String::new();
    for line in text.lines() {
        if let Some(inside) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            // Any number of blanks between the words, and quotes around a name.
            let words: Vec<&str> = inside.split(|it: char| it.is_whitespace() || it == '"' || it == '\'').collect();
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            header = Some(words.join(" "));
            outer.clear();
        }
        let Some(header) = &header else { continue };
        let section = all.entry(header.clone()).or_default();
        if line.trim_start().starts_with(['#', ';', '[']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        // A blank and a mark begin a comment. Keys are base64, so a mark without a blank is theirs.
        let value = [" #", " ;"].iter().fold(value, |value, mark| value.split(mark).next().unwrap_or(value)).trim();
        let key = key.trim().to_ascii_lowercase();
        if line.starts_with(char::is_whitespace) {
            section.insert(format!("{outer}.{key}"), value.to_owned());
        } else {
            section.insert(key.clone(), value.to_owned());
            outer = key;
        }
    }
    all
}

#[cfg(test)]
mod tests;
