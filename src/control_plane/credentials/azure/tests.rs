use super::super::fixtures::{Server, Table, asker};
use super::*;
use crate::config::cloud::CloudKey;

const NOW_S: u64 = 1_763_794_516;
const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ.fetched"}"#;
const TOKEN_PATH: &str = "POST /my-tenant/oauth2/v2.0/token";
const OF_MACHINE: &str =
    "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com";

async fn fetched(surroundings: Table) -> Result<(String, Option<u64>), String> {
    let credential = fetch(NOW_S, &surroundings, &asker()).await?;
    let CloudKey::Bearer(value) = &credential.key else { panic!("a token") };
    Ok((String::from_utf8_lossy(value.expose()).into_owned(), credential.expires_at_s))
}

fn expected(lives_s: u64) -> Result<(String, Option<u64>), String> {
    Ok(("Bearer eyJ.fetched".to_owned(), Some(NOW_S + lives_s)))
}

fn program(server: &Server) -> Table {
    Table::default()
        .env("AZURE_AUTHORITY_HOST", server.url() + "/")
        .env("AZURE_TENANT_ID", "my-tenant")
        .env("AZURE_CLIENT_ID", "my-client")
}

fn form(asked: &[String]) -> String {
    asked[0].split_once("\r\n\r\n").expect("a form").1.to_owned()
}

#[tokio::test]
async fn a_program_shows_its_secret() {
    let server = Server::start(&[(TOKEN_PATH, 200, TOKEN)]).await;
    let surroundings = program(&server).env("AZURE_CLIENT_SECRET", "a+b/c").env("AZURE_FEDERATED_TOKEN_FILE", "/no");
    assert_eq!(fetched(surroundings).await, expected(3599));
    assert_eq!(
        form(&server.asked()),
        "grant_type=client_credentials&client_id=my-client\
         &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default&client_secret=a%2Bb%2Fc"
    );
}

#[tokio::test]
async fn a_workload_shows_its_token() {
    let server = Server::start(&[(TOKEN_PATH, 200, TOKEN)]).await;
    let surroundings = || program(&server).env("AZURE_FEDERATED_TOKEN_FILE", "/token");
    assert_eq!(fetched(surroundings().file("/token", "eyJ.of.kubernetes\n")).await, expected(3599));
    let form = form(&server.asked());
    assert!(form.ends_with(
        "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion=eyJ.of.kubernetes"
    ));
    let missing = fetched(surroundings()).await.expect_err("no file");
    assert!(missing.starts_with("AZURE_FEDERATED_TOKEN_FILE: "), "{missing}");
}

#[tokio::test]
async fn identities_of_services_and_machines() {
    let of_machine = r#"{"access_token":"eyJ.fetched","expires_in":"86000","expires_on":"1","resource":"x"}"#;
    let with_client = format!("{OF_MACHINE}&client_id=mine");
    let with_client: &'static str = Box::leak(with_client.into_boxed_str());
    let server = Server::start(&[(OF_MACHINE, 200, of_machine), (with_client, 200, of_machine)]).await;
    let table = || Table::default().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url());
    assert_eq!(fetched(table()).await, expected(86_000));
    assert!(server.asked()[0].contains("\r\nmetadata: true\r\n"), "{:?}", server.asked());
    assert_eq!(fetched(table().env("AZURE_CLIENT_ID", "mine")).await, expected(86_000));

    let of_service = format!(r#"{{"access_token":"eyJ.fetched","expires_on":"{}"}}"#, NOW_S + 60);
    let target = "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com";
    let server = Server::start(&[(target, 200, &of_service)]).await;
    let table = table().env("IDENTITY_ENDPOINT", server.url() + "/msi/token").env("IDENTITY_HEADER", "secret");
    assert_eq!(fetched(table).await, expected(60));
    assert!(server.asked()[0].contains("\r\nx-identity-header: secret\r\n"), "{:?}", server.asked());
}

#[tokio::test]
async fn failures_say_where_and_no_secret() {
    let refusal = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;
    let server = Server::start(&[(TOKEN_PATH, 401, refusal)]).await;
    let why = fetched(program(&server).env("AZURE_CLIENT_SECRET", "canary")).await.expect_err("refused");
    assert!(why.starts_with("Entra ID: ") && !why.contains("canary"), "{why}");
    for (name, value, expected) in [
        ("AZURE_TENANT_ID", "../x", "AZURE_TENANT_ID is not the id or the domain of a tenant"),
        ("AZURE_AUTHORITY_HOST", "http://login.example.com", "AZURE_AUTHORITY_HOST does not begin with https://"),
    ] {
        let surroundings = program(&server).env("AZURE_CLIENT_SECRET", "canary").env(name, value);
        assert_eq!(fetched(surroundings).await.expect_err(name), expected);
    }
    for (answer, expected) in [
        ("{}", "the answer holds no token"),
        (r#"{"access_token":"a b","expires_in":1}"#, "the answer holds no token that could be sent in a header"),
        (r#"{"access_token":"a"}"#, "the answer does not say until when its token can be used"),
    ] {
        let told = Bytes::from_static(answer.as_bytes());
        assert_eq!(token(&told, NOW_S).expect_err(answer), expected);
    }
}
