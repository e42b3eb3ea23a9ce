use super::*;

#[test]
fn the_name_decides_then_the_status_then_the_words() {
    for (status, name, body, class, message) in [
        (400, "ValidationException:http://internal.amazon.com/coral/", r#"{"message":"no"}"#, InvalidRequest, "no"),
        (400, "ValidationException", r#"{"message":"Input is too long for requested model."}"#, ContextLength, ""),
        (400, "", r#"{"message":"The provided model identifier is invalid."}"#, NotFound, ""),
        (400, "", r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow"}"#, RateLimited, "slow"),
        (400, "ServiceQuotaExceededException", "{}", Quota, ""),
        (400, "", r#"{"message":"This model doesn't support tool use."}"#, Unsupported, ""),
        (403, "", r#"{"Message":"User is not authorized"}"#, Credential, "User is not authorized"),
        (429, "ModelNotReadyException", "", Overloaded, ""),
        (200, "modelStreamErrorException", r#"{"message":"x","originalStatusCode":500}"#, Server, "x"),
        (200, "throttlingException", "<html>", RateLimited, ""),
        (404, "SomethingNew", "", NotFound, ""),
        (502, "", "<html>Bad Gateway</html>", Server, ""),
        (503, "", "", Overloaded, ""),
    ] {
        let error = classify_named(status, name, body.as_bytes());
        assert_eq!(error.class, class, "{status} {name} {body}");
        if !message.is_empty() {
            assert_eq!(error.message.decoded(), message);
        }
        if name.is_empty() {
            assert_eq!(classify(status, body.as_bytes()), error);
        }
    }
    assert_eq!(of_code("InternalFailure", "x").class, Server);
    assert_eq!(of_code("ExpiredTokenException", "x").class, Credential);
}
