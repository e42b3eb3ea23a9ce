use super::*;

#[test]
fn hosts() {
    let allowed = Some(vec![Box::from("gateway.example.com"), Box::from("[2001:db8::1]")]);
    let check = |host: &[u8], expected| {
        assert_eq!(host_allowed(host, &allowed), expected, "{}", String::from_utf8_lossy(host));
    };
    for host in [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1",
        "127.0.0.1:8080",
        "127.9.9.9:1",
        "[::1]",
        "[::1]:8080",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]:80",
        "gateway.example.com",
        "Gateway.Example.COM:443",
        "[2001:db8::1]:8080",
    ] {
        check(host.as_bytes(), true);
    }
    for host in [
        "",
        ":8080",
        "evil.example.com",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com",
        "evil.example.com:8080",
        "gateway.example.com.evil.com",
        "xgateway.example.com",
        "localhost:port",
        "localhost:8080:80",
        "localhost:-1",
        "localhost:99999",
        "user@localhost",
        "localhost/x",
        " localhost",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "::1",
        "[::1",
        "[::1]x",
        "[::2]",
        "0.0.0.0",
        "[::]",
    ] {
        check(host.as_bytes(), false);
    }
    check(b"localhost\xff", false);
    check(b"localhost\0", false);
}

#[test]
fn without_names_only_this_machine() {
    assert!(host_allowed(b"localhost:8080", &Some(Vec::new())));
    assert!(!host_allowed(b"gateway.example.com", &Some(Vec::new())));
}

#[test]
fn the_check_can_be_off() {
    assert!(host_allowed(b"whatever", &None));
    assert!(host_allowed(b"", &None));
}
