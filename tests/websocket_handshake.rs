//! The opening handshake: RFC 6455, section 4.2, and the refusals of `ws`.

use ferrosocket::websocket::handshake::{Accept, Reject, Request, check};

/// The example of section 1.3.
const GOOD: Request<'static> = Request {
    method: "GET",
    upgrade: Some("websocket"),
    key: Some("dGhlIHNhbXBsZSBub25jZQ=="),
    version: Some("13"),
    protocol: None,
};

fn response(accept: &Accept, extra_headers: &str) -> String {
    let mut out = Vec::new();
    accept.write_response(&mut out, extra_headers);
    String::from_utf8(out).expect("an answer is ASCII")
}

fn refusal(request: Request<'_>) -> (u16, &'static str) {
    let reject = check(&request).expect_err("the request is wrong");
    (reject.status(), reject.message())
}

#[test]
fn section_1_3_the_example_is_answered() {
    let accept = check(&GOOD).unwrap();
    assert_eq!(
        response(&accept, ""),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn further_headers_come_last() {
    let accept = check(&Request { protocol: Some("chat, superchat"), ..GOOD }).unwrap();
    assert_eq!(accept.protocol(), Some("chat"));
    assert!(
        response(&accept, "Set-Cookie: io=1\r\nX-A: b\r\n").ends_with(
            "xOo=\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: io=1\r\nX-A: b\r\n\r\n"
        )
    );
}

#[test]
fn section_4_2_1_the_method_is_get() {
    for method in ["POST", "get", "", "CONNECT"] {
        assert_eq!(refusal(Request { method, ..GOOD }), (405, "Invalid HTTP method"));
    }
}

#[test]
fn section_4_2_1_upgrade_names_websocket_in_any_case() {
    check(&Request { upgrade: Some("WebSocket"), ..GOOD }).unwrap();
    for upgrade in [None, Some(""), Some("h2c"), Some("websocket, h2c")] {
        assert_eq!(refusal(Request { upgrade, ..GOOD }), (400, "Invalid Upgrade header"));
    }
}

#[test]
fn section_4_2_1_the_key_is_16_bytes_in_base64() {
    for key in [
        None,
        Some(""),
        Some("=="),
        Some("dGhlIHNhbXBsZSBub25jZQ="),
        Some("dGhlIHNhbXBsZSBub25jZ==="),
        Some("dGhlIHNhbXBsZSBub25jZQ== "),
        Some("dGhlIHNhbXBsZSBub25jéQ=="),
        Some("-GhlIHNhbXBsZSBub25jZQ=="),
        Some("dGhlIHNhbXBsZSBub25jZQ==\r\nX: y"),
    ] {
        let expected = (400, "Missing or invalid Sec-WebSocket-Key header");
        assert_eq!(refusal(Request { key, ..GOOD }), expected);
    }
}

#[test]
fn section_4_4_other_versions_are_told_which_there_are() {
    check(&Request { version: Some("8"), ..GOOD }).unwrap();
    for version in [None, Some(""), Some("7"), Some("12"), Some("13, 13"), Some("0xd")] {
        let reject = check(&Request { version, ..GOOD }).unwrap_err();
        assert_eq!(reject, Reject::Version);
        let mut out = Vec::new();
        reject.write_response(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n\
             Content-Length: 47\r\nSec-WebSocket-Version: 13, 8\r\n\r\n\
             Missing or invalid Sec-WebSocket-Version header"
        );
    }
}

#[test]
fn the_first_subprotocol_is_chosen() {
    for (offer, chosen) in
        [("a", "a"), ("b,a", "b"), ("a ,\tb", "a"), ("!#$%&'*+-.^_`|~09Az", "!#$%&'*+-.^_`|~09Az")]
    {
        let accept = check(&Request { protocol: Some(offer), ..GOOD }).unwrap();
        assert_eq!(accept.protocol(), Some(chosen));
    }
}

#[test]
fn a_list_of_subprotocols_has_different_tokens() {
    for offer in
        ["", ",", "a,", ",a", "a,,b", "a b", "a,a", "a, b, a", "a;b", "é", "a\r\nX: y", "\"a\""]
    {
        let expected = (400, "Invalid Sec-WebSocket-Protocol header");
        assert_eq!(refusal(Request { protocol: Some(offer), ..GOOD }), expected);
    }
}

/// CVE-2021-32640: a run of spaces inside an element is walked once.
#[test]
fn a_long_run_of_spaces_is_refused() {
    let offer = format!("b{}x", " ".repeat(1_000_000));
    assert_eq!(check(&Request { protocol: Some(&offer), ..GOOD }), Err(Reject::Protocol));
}
