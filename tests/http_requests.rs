//! Which requests are plain, and that everything else is left to Node.js.

use ferrosocket::engineio::Protocol;
use ferrosocket::http::encoding::Encoding;
use ferrosocket::http::request::{
    First, Method, Persistence, Reading, Request, Rules, read, read_first,
};
use proptest::collection::vec;
use proptest::prelude::*;

const TARGET: &str = "/socket.io/?EIO=4&transport=polling&t=abc&sid=s_-1";

fn rules() -> Rules {
    Rules { path: "/socket.io/".into(), max_head: 16 << 10, max_body: 100, compression: true }
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn post(headers: &str) -> String {
    format!("POST {TARGET} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn is_foreign(request: &str) -> bool {
    read(request.as_bytes(), &rules()) == Reading::Foreign
}

#[test]
fn a_get_names_its_session() {
    let text =
        get(TARGET, "Accept-Encoding: br, gzip\r\nConnection: Keep-Alive\r\nCookie: a=b\r\n");
    let request = Request {
        method: Method::Get,
        sid: "s_-1",
        protocol: Protocol::V4,
        head: text.len(),
        body: 0,
        binary: false,
        encoding: Some(Encoding::Gzip),
        origin: b"",
        persistence: Persistence::Keep,
    };
    assert_eq!(read(text.as_bytes(), &rules()), Reading::Request(request));
}

#[test]
fn a_post_has_one_length() {
    let text = post("Content-Length: 7\r\ncontent-type: text/plain;charset=UTF-8\r\n");
    let Reading::Request(request) = read(text.as_bytes(), &rules()) else { panic!("{text}") };
    assert_eq!((request.method, request.head, request.body), (Method::Post, text.len(), 7));
    assert!(!is_foreign(&post("Content-Length: 100\r\n")));
    for headers in [
        "",
        "Content-Length: 101\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551619\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nTransfer-Encoding : chunked\r\n",
        "Content-Length: 3\r\nExpect: 100-continue\r\n",
        "Content-Length: 3\r\nTrailer: x\r\n",
        "Content-Length: 3\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n",
        "Content-Length: 3\r\nContent-Type: application/octet-stream\r\n",
        "Content-Length: 3\r\nX: a\r\n b\r\n",
        "Content-Length: 3\nX: a\r\n",
        "Content-Length: 3\r\nX: a\0b\r\n",
        "Content-Length: 3\r\nX: a\rb\r\n",
    ] {
        assert!(is_foreign(&post(headers)), "{headers:?}");
    }
}

#[test]
fn protocol_3_has_binary_bodies() {
    let text = "POST /socket.io/?EIO=3&transport=polling&sid=s HTTP/1.1\r\nHost: a\r\n\
                Content-Length: 3\r\nContent-Type: application/octet-stream\r\n\r\n";
    let Reading::Request(request) = read(text.as_bytes(), &rules()) else { panic!("foreign") };
    assert_eq!((request.protocol, request.binary), (Protocol::V3, true));
}

#[test]
fn other_requests_are_foreign() {
    for target in [
        "/",
        "/socket.io?EIO=4&transport=polling&sid=s",
        "/socket.io/x?EIO=4&transport=polling&sid=s",
        "//socket.io/?EIO=4&transport=polling&sid=s",
        "/socket.io/",
        "/socket.io/?EIO=4&transport=websocket&sid=s",
        "/socket.io/?EIO=4&sid=s",
        "/socket.io/?EIO=4&transport=polling&sid=s&sid=t",
        "/socket.io/?EIO=4&EIO=3&transport=polling&sid=s",
        "/socket.io/?EIO=4&transport=polling&sid=%73",
        "/socket.io/?EIO=4&transport=polling&sid=s+t",
        "/socket.io/?EIO=4&transport=polling&sid=s&%73id=t",
        "/socket.io/?EIO=4&transport=polling&sid=s#x",
        "http://a/socket.io/?EIO=4&transport=polling&sid=s",
    ] {
        assert!(is_foreign(&get(target, "")), "{target}");
    }
    for headers in [
        "Host: b\r\n",
        "Connection: keep-alive, close\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Upgrade: h2c\r\n",
        "Proxy-Connection: close\r\n",
        "Content-Length: 1\r\n",
        "Accept-Encoding: gzip;q=0\r\n",
        "Accept-Encoding: *\r\n",
        "Origin: http://a\r\nOrigin: http://b\r\n",
        "User-Agent: Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0)\r\n",
        "X : a\r\n",
    ] {
        assert!(is_foreign(&get(TARGET, headers)), "{headers:?}");
    }
    for text in [
        format!("OPTIONS {TARGET} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("PUT {TARGET} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        format!("get {TARGET} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.0\r\nHost: a\r\nTE: chunked\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.0\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.1\r\n\r\n"),
        format!("\r\nGET {TARGET} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {TARGET} HTTP/1.1\nHost: a\n\n"),
        get(TARGET, &"X: a\r\n".repeat(100)),
        get(TARGET, &format!("X: {}\r\n", "a".repeat(16 << 10))),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\x16\x03\x01".to_owned(),
    ] {
        assert!(is_foreign(&text), "{text}");
    }
}

const OPENING: &str = "/socket.io/?EIO=4&transport=polling&t=%62";

#[test]
fn a_get_without_a_session_opens_one() {
    let text = get(OPENING, "X-Y: \u{e9}\r\nAccept-Encoding: gzip\r\n");
    let mut out = Vec::new();
    let first = First::Polling {
        head: text.len(),
        encoding: Some(Encoding::Gzip),
        persistence: Persistence::Keep,
    };
    assert_eq!(read_first(text.as_bytes(), &rules(), &mut out), Some(first));
    let lines = ["", "", "1", OPENING, "Host", "a", "X-Y", "\u{e9}", "Accept-Encoding", "gzip"];
    assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    let Reading::Request(request) = read(text.as_bytes(), &rules()) else { panic!("foreign") };
    assert_eq!((request.method, request.sid), (Method::Get, ""));
    assert_eq!(request.encoding, Some(Encoding::Gzip));
}

#[test]
fn a_first_request_may_name_its_session_and_have_more_behind_it() {
    let head = post("Content-Length: 3\r\n");
    for behind in ["", "42[", "42[]GET"] {
        let mut out = Vec::new();
        let text = format!("{head}{behind}");
        let persistence = Persistence::Keep;
        let first = First::Polling { head: head.len(), encoding: None, persistence };
        assert_eq!(read_first(text.as_bytes(), &rules(), &mut out), Some(first));
        let lines = ["", "s_-1", "1", TARGET, "Host", "a", "Content-Length", "3"];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }
}

#[test]
fn other_requests_open_nothing() {
    let post = format!("POST {OPENING} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n4");
    let texts = [
        "/socket.io/?EIO=3&transport=polling",
        "/socket.io/?transport=polling",
        "/socket.io/?EIO=4&transport=polling&j=0",
        "/socket.io/?EIO=4&transport=polling&b64=1",
        "/socket.io/?EIO=4&transport=polling&%6a=0",
        "/socket.io/?EIO=4&transport=polling&a=\u{e9}",
        "/socket.io/?EIO=4&transport=polling#",
    ];
    let foreign = texts.map(|target| get(target, "")).into_iter().chain([
        post,
        get(OPENING, "Content-Length: 1\r\n"),
        get(OPENING, "")[..40].to_owned(),
        get(OPENING, "").repeat(2),
    ]);
    for text in foreign {
        let mut out = Vec::new();
        assert_eq!(read_first(text.as_bytes(), &rules(), &mut out), None, "{text}");
        assert_eq!(out, b"", "{text}");
    }
}

#[test]
fn a_request_says_where_it_comes_from() {
    for (headers, expected) in [("Origin: http://a\r\n", "http://a"), ("origin:\r\n", ""), ("", "")]
    {
        let text = get(TARGET, headers);
        let Reading::Request(request) = read(text.as_bytes(), &rules()) else { panic!("foreign") };
        assert_eq!(request.origin, expected.as_bytes());
    }
}

/// As proxies send them: RFC 9112 §9.3.
#[test]
fn a_request_says_what_becomes_of_its_connection() {
    for (version, connection, expected) in [
        ("1.1", "", Persistence::Keep),
        ("1.1", "Connection: Keep-Alive\r\n", Persistence::Keep),
        ("1.1", "Connection: upgrade\r\n", Persistence::Keep),
        ("1.1", "Connection: Close\r\n", Persistence::Close),
        ("1.0", "", Persistence::Http10),
        ("1.0", "Connection: close\r\n", Persistence::Http10),
    ] {
        let text = format!("GET {TARGET} HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
        let Reading::Request(request) = read(text.as_bytes(), &rules()) else { panic!("{text}") };
        assert_eq!(request.persistence, expected, "{text}");
    }
}

#[test]
fn a_path_without_its_slash_is_found_with_it() {
    let rules = Rules { path: "/socket.io".into(), ..rules() };
    for target in [TARGET, "/socket.io?EIO=4&transport=polling&sid=s"] {
        assert_ne!(read(get(target, "").as_bytes(), &rules), Reading::Foreign);
    }
}

proptest! {
    /// However the bytes come, the same request is read, and not before its head is there.
    #[test]
    fn every_beginning_of_a_head_is_partial(length in 0usize..100, cut in 0usize..1000) {
        let head = post(&format!("Content-Length: {length}\r\nCookie: a=b\r\n"));
        let cut = cut % head.len();
        prop_assert_eq!(read(&head.as_bytes()[..cut], &rules()), Reading::Partial);
        let whole = format!("{head}{}", "4".repeat(length));
        let Reading::Request(request) = read(whole.as_bytes(), &rules()) else {
            return Err(TestCaseError::fail("it is plain"));
        };
        prop_assert_eq!((request.head, request.body), (head.len(), length));
    }

    /// Nothing panics, and what is read lies inside what came.
    #[test]
    fn any_bytes_are_read(mut bytes in vec(any::<u8>(), 0..200), at in 0usize..200) {
        let mut request = post("Content-Length: 3\r\n").into_bytes();
        let at = at % request.len();
        request.splice(at..at, bytes.drain(..));
        if let Reading::Request(read) = read(&request, &rules()) {
            prop_assert!(read.head <= request.len());
        }
    }
}
