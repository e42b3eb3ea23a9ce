use super::super::super::fixtures::Table;
use super::*;

const CREDENTIALS: &str = "
# comment
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=secret/with+signs=
[ work ]
aws_access_key_id = AKIAWORK ; a comment
aws_secret_access_key = abc#def
aws_session_token = token
s3 =
  aws_access_key_id = AKIANESTED
[half]
aws_access_key_id = AKIAHALF
[tool]
credential_process = /bin/keys
";

const CONFIG: &str = "
[default]
region = eu-central-1
[profile   config only]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = from-config
[profile code]
role_arn = arn:aws:iam::1:role/x
source_profile = default
mfa_serial = arn:aws:iam::1:mfa/me
[profile login]
login_session = arn:aws:iam::1:user/me
[profile circle]
role_arn = x
source_profile = round
[profile round]
role_arn = x
source_profile = circle
[profile self]
role_arn = x
source_profile = self
[profile no source]
role_arn = x
[profile two sources]
role_arn = x
source_profile = default
credential_source = Environment
[profile gone]
role_arn = x
source_profile = nobody
[profile keyless]
role_arn = x
source_profile = empty
[profile odd]
role_arn = x
credential_source = Elsewhere
[profile long]
role_arn = x
source_profile = default
duration_seconds = an hour
[profile by token]
web_identity_token_file = /token
[profile sso]
sso_session = corp
sso_account_id = 1
sso_role_name = r
[profile old sso]
sso_start_url = https://s
sso_region = eu-west-1
sso_role_name = r
[profile sso place]
sso_start_url = https://s
sso_region = evil.example/
sso_account_id = 1
sso_role_name = r
[profile half]
aws_secret_access_key = other-half
[profile empty]
[work]
aws_access_key_id = AKIANOTAPROFILE
aws_secret_access_key = x
";

/// `id secret token`, or what is said instead.
fn check(name: &str, expected: Result<Option<&str>, &str>) {
    let surroundings = Table::default()
        .env("HOME", "/home/me")
        .file("/home/me/.aws/credentials", CREDENTIALS)
        .file("/home/me/.aws/config", CONFIG);
    let found = Files::read(&surroundings).way(name).map(|way| way.map(|way| shown(&way)));
    assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected, "{name}");
}

fn shown(way: &Way) -> String {
    let First::Keys(it) = &way.first else { panic!("keys") };
    format!("{} {} {}", it.access_key_id, it.secret_access_key, it.token.as_deref().unwrap_or("-"))
}

#[test]
fn keys_of_profiles() {
    check("default", Ok(Some("AKIADEFAULT secret/with+signs= -")));
    check("work", Ok(Some("AKIAWORK abc#def token")));
    check("config only", Ok(Some("AKIACONFIG from-config -")));
    check("none", Ok(None));
}

#[test]
fn what_nobody_can_do_is_refused_by_name() {
    check(
        "tool",
        Err(
            "the profile 'tool' has 'credential_process', and Ringway starts no programs: give it keys, a role or single sign-on, \
             or have the program write the credentials file",
        ),
    );
    check(
        "code",
        Err("the profile 'code' has 'mfa_serial', and nobody is there to type a code: use a role that asks for none"),
    );
    check(
        "login",
        Err(
            "the profile 'login' has 'login_session', and keys of 'aws login' are not taken: use single sign-on, keys or a role",
        ),
    );
    check("half", Err("the profile 'half' has no keys"));
    check("empty", Err("the profile 'empty' has no keys"));
}

#[test]
fn mistakes_in_roles_are_said() {
    check("circle", Err("the profiles 'circle', 'round' and 'circle' again lead in a circle"));
    check("self", Err("the profiles 'self' and 'self' again lead in a circle"));
    check(
        "no source",
        Err(
            "the profile 'no source' has 'role_arn' and neither 'source_profile' nor 'credential_source', whose keys would assume it",
        ),
    );
    check("two sources", Err("the profile 'two sources' has both 'source_profile' and 'credential_source'"));
    check("gone", Err("the source_profile 'nobody' of the profile 'gone' does not exist"));
    check("keyless", Err("the source_profile 'empty' of 'keyless' has no keys"));
    check(
        "odd",
        Err("the credential_source of the profile 'odd' is none of Environment, Ec2InstanceMetadata, EcsContainer"),
    );
    check("long", Err("the duration_seconds of 'long' is not a number"));
    check("by token", Err("the profile 'by token' has 'web_identity_token_file' and lacks 'role_arn'"));
    check("sso", Err("there is no section [sso-session corp] in AWS's files, which the profile 'sso' names"));
    check("old sso", Err("the profile 'old sso' is for single sign-on and lacks 'sso_account_id'"));
    check("sso place", Err("the sso_region of the profile 'sso place' is not a region"));
}

/// As many roles as are allowed, and one more.
#[test]
fn chains_of_roles_are_bounded() {
    let profile = |at: usize| format!("[profile p{at}]\nrole_arn=r{at}\nsource_profile=p{}\n", at + 1);
    let files = |roles: usize| {
        let config: String = (0..roles).map(profile).collect();
        let config = format!("{config}[profile p{roles}]\naws_access_key_id=A\naws_secret_access_key=b\n");
        Files::read(&Table::default().env("AWS_CONFIG_FILE", "/b").file("/b", config))
    };
    let way = files(AWS_ROLES_MAX).way("p0").expect("no error").expect("found");
    let arns: Vec<_> = way.roles.iter().map(|role| role.arn.clone()).collect();
    let innermost_first: Vec<_> = (0..AWS_ROLES_MAX).rev().map(|at| format!("r{at}")).collect();
    assert_eq!(arns, innermost_first);
    let why = files(AWS_ROLES_MAX + 1).way("p0").err().expect("too many");
    assert_eq!(why, "the profile 'p0' leads through more than 8 roles");
}

#[test]
fn files_may_be_elsewhere_or_nowhere() {
    let way = |surroundings: &Table, name: &str| Files::read(surroundings).way(name).expect("no error");
    assert!(way(&Table::default(), "default").is_none());
    let elsewhere = Table::default()
        .env("AWS_SHARED_CREDENTIALS_FILE", "/a")
        .env("AWS_CONFIG_FILE", "/b")
        .file("/b", "[default]\naws_access_key_id=A\naws_secret_access_key=b\n");
    assert_eq!(shown(&way(&elsewhere, "default").expect("found")), "A b -");
    assert_eq!(Files::read(&elsewhere).lack("x"), "there is no profile 'x' in AWS's files; /a: no such file");
    // A default profile that only names a region is as good as none.
    let region = Table::default().env("AWS_CONFIG_FILE", "/b").file("/b", "[default]\nregion=x\n");
    assert!(way(&region, "default").is_none());
}

/// In botocore's order: a service's variable, everybody's, the profile's services, the profile.
#[test]
fn endpoints_may_be_elsewhere() {
    const CONFIG: &str = "[profile p]\nservices = local\nendpoint_url = https://profile\n[services local]\nsts =\n  endpoint_url = \
        https://of-sts\n[profile q]\nservices = gone\n[profile r]\nignore_configured_endpoint_urls = true\nendpoint_url = https://r\n";
    let table = || Table::default().env("AWS_CONFIG_FILE", "/b").file("/b", CONFIG);
    let check = |table: Table, service: Service, profile: &str, expected: Option<&str>| {
        let found = Files::read(&table).endpoint(service, profile, &table).expect("no error");
        assert_eq!(found.as_deref(), expected, "{service:?} {profile}");
    };
    let all = || table().env("AWS_ENDPOINT_URL", "https://all");
    check(table(), Service::Sts, "none", None);
    check(table(), Service::Sts, "p", Some("https://of-sts"));
    check(table(), Service::Sso, "p", Some("https://profile"));
    check(all(), Service::Sts, "p", Some("https://all"));
    check(all().env("AWS_ENDPOINT_URL_SSO_OIDC", "https://oidc"), Service::SsoOidc, "p", Some("https://oidc"));
    check(table(), Service::Sts, "r", None);
    check(all().env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), Service::Sts, "p", None);
    let why = Files::read(&table()).endpoint(Service::Sts, "q", &table()).expect_err("no section");
    assert_eq!(why, "there is no section [services gone] in AWS's files");
}
